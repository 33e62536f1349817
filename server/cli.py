"""concord-server: what a coordinator types."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from fusion.commands import run_command, to_json


def main(arguments: Sequence[str] | None = None) -> int:
    """Run concord-server and return its exit code."""
    parser = argparse.ArgumentParser(prog="concord-server", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    report = commands.add_parser("report", help="rebuild report.html from a run's result.json")
    report.add_argument("folder", type=Path, metavar="RUN", help="the run's folder")
    report.add_argument("--json", action="store_true", help="the result on stdout, as JSON")
    report.set_defaults(run=_report)
    return run_command(parser, arguments)


def _report(parsed: argparse.Namespace) -> int:
    from server.folder import read_result, write_report
    from server.summary import summarise

    result = read_result(parsed.folder)
    path = write_report(parsed.folder, result)
    print(to_json(result) if parsed.json else f"{summarise(result)}\n\nReport: {path}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
