"""What a researcher types to audit how models use modalities together."""

import argparse
from collections.abc import Callable
from pathlib import Path

from fusion.commands import to_json

AddCommand = Callable[[str, Callable, str], argparse.ArgumentParser]


def add_audits(add: AddCommand, show: Callable[[str], int]) -> None:
    """Add `shares` to the command line.

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


def _shares(parsed: argparse.Namespace) -> str:
    from simulations.share_lines import share_lines
    from simulations.shares import audit_values

    found = audit_values(parsed.file)
    return to_json(found) if parsed.json else share_lines(found)
