"""What a researcher types to audit how models use modalities together."""

import argparse
import logging
from collections.abc import Callable
from pathlib import Path

from fusion.commands import to_json

AddCommand = Callable[[str, Callable, str], argparse.ArgumentParser]


def add_audits(add: AddCommand, show: Callable[[str], int]) -> None:
    """Add `shares` and `audit` to the command line.

    Args:
        add: Makes a command from its name, function and help.
        show: Prints a text and returns the exit code.

    Source: own.
    """
    parser = add(
        "shares",
        lambda parsed: show(_shares(parsed)),
        "audit anybody's model from its coalition values",
    )
    parser.add_argument(
        "file",
        type=Path,
        metavar="VALUES.csv",
        help="v(), v(a), v(b), v(a+b), ...[, time, event, site]",
    )
    parser = add(
        "audit",
        lambda parsed: show(_audit(parsed)),
        "audit a finished model again, on any background",
    )
    parser.add_argument("--model-file", type=Path, required=True, help="a run's model.safetensors")
    parser.add_argument("--sites", type=Path, required=True, help="folder of site folders")
    parser.add_argument("--split", default="test", help="whose patients: test, validation, train")
    parser.add_argument("--set", action="append", default=[], metavar="audit.KEY=VALUE")
    parser.add_argument("--out", type=Path, required=True, help="new folder for audit and page")


def _audit(parsed: argparse.Namespace) -> str:
    from server.folder import REPORT, read_audit
    from server.summary import summarise_audit
    from simulations.federation import run_inline
    from simulations.start import check_folders, read_reaudit

    logging.getLogger("flwr").setLevel(logging.WARNING)
    config = read_reaudit(parsed)
    check_folders(config)
    out = run_inline(config)
    audit = read_audit(out)
    return to_json(audit) if parsed.json else f"{summarise_audit(audit)}\n\nReport: {out / REPORT}"


def _shares(parsed: argparse.Namespace) -> str:
    from simulations.share_lines import share_lines
    from simulations.shares import audit_values

    found = audit_values(parsed.file)
    return to_json(found) if parsed.json else share_lines(found)
