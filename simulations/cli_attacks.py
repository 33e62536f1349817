"""What a researcher types to attack a finished run."""

import argparse
import logging
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from fusion.commands import table, to_json

AddCommand = Callable[[str, Callable, str], argparse.ArgumentParser]


def add_attacks(add: AddCommand, show: Callable[[str], int]) -> None:
    """Add `attack` to the command line.

    Args:
        add: Makes a command from its name, function and help.
        show: Prints a text and returns the exit code.

    Source: own.
    """
    parser = add(
        "attack", lambda parsed: show(_attack(parsed)), "what a finished run gives away of patients"
    )
    parser.add_argument("folder", type=Path, metavar="RUN", help="folder of a finished run")
    parser.add_argument("--sites", type=Path, help="its site folders, if they lie elsewhere now")
    parser.add_argument(
        "--attacks", metavar="NAMES", help="some of step, canaries, lira, one-run, leakage (all)"
    )
    parser.add_argument("--shadows", type=int, default=32, help="models trained to compare with")
    parser.add_argument("--seed", type=int, default=1, help="of coins, halves, the shadows' noise")


def _attack(parsed: argparse.Namespace) -> str:
    from fusion.config import names
    from server.folder import REPORT, write_attack
    from simulations.attack import ATTACKS, Order, attack
    from simulations.attacked_run import open_run

    logging.getLogger("flwr").setLevel(logging.WARNING)
    chosen = ATTACKS if parsed.attacks is None else names(parsed.attacks)
    order = Order(tuple(chosen), parsed.shadows, parsed.seed)
    run = open_run(parsed.folder, parsed.sites)
    found = attack(run, order)
    write_attack(run.folder, dict(run.result), found)
    if parsed.json:
        return to_json(found)
    return f"{summarise_attack(found)}\n\nReport: {run.folder / REPORT}"


def summarise_attack(found: Mapping[str, Any]) -> str:
    """Return what attacks came to as text: a line a site beside the accountant's epsilon.

    Args:
        found: What attack.json holds.

    Source: own.
    """
    from server.report.attacks import sentences

    head = (
        "site", "epsilon promised", "canaries: estimate (at least)",
        "one run, smaller delta: at least",
        "membership AUC (95% interval)", "members / others",
    )  # fmt: skip
    rows = [_row(site) for site in found["sites"]]
    rows.append(_row({"name": "all", "epsilon": "", "canaries": None, **found["pooled"]}))
    lines = [table([head, *rows]), "", *sentences(found)]
    lines += [f"not done: {text}" for text in found["not_done"]]
    lines += ["", "Not covered:", *(f"- {text}" for text in found["not_covered"])]
    return "\n".join(lines)


def _row(site: Mapping[str, Any]) -> tuple[str, ...]:
    epsilon, canaries, guesses = site["epsilon"], site["canaries"], site["one_run"]
    told = "none" if epsilon is None else epsilon and f"{epsilon:.2f}"
    member = site["membership"]
    auc = (
        member
        and f"{member['auc']['value']:.3f} ({member['auc']['low']:.3f}-{member['auc']['high']:.3f})"
    )
    return (
        site["name"],
        told,
        f"{canaries['epsilon']:.2f} ({canaries['lower']:.2f})" if canaries else "-",
        f"{guesses['lower']:.2f}" if guesses else "-",
        auc or "-",
        f"{member['members']} / {member['others']}" if member else "-",
    )
