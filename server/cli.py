"""concord-server: what a coordinator types."""

import argparse
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from fusion.commands import assigned, run_command, to_json

CLEAR = "\x1b[2J\x1b[H"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run concord-server and return its exit code."""
    parser = argparse.ArgumentParser(prog="concord-server", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    report = commands.add_parser("report", help="rebuild report.html from a run's result.json")
    report.add_argument("folder", type=Path, metavar="RUN", help="the run's folder")
    report.add_argument("--json", action="store_true", help="the result on stdout, as JSON")
    report.set_defaults(run=_report)
    _add_run(commands)
    _add_watch(commands)
    _add_start(commands)
    _add_audit(commands)
    _add_certificates(commands)
    _add_gate(commands)
    return run_command(parser, arguments)


def _add_run(commands) -> None:
    parser = commands.add_parser("run", help="hand a run to the SuperLink and follow it to its end")
    parser.add_argument("config", type=Path, metavar="CONFIG", help="the run's settings, TOML")
    parser.add_argument(
        "--resume", action="store_true", help="continue from the last complete round"
    )
    _add_way(parser)
    parser.add_argument("--json", action="store_true", help="the result on stdout, as JSON")
    parser.set_defaults(run=_run)


def _add_watch(commands) -> None:
    parser = commands.add_parser("watch", help="show a run on one screen until its end")
    parser.add_argument("folder", type=Path, metavar="RUN", help="the run's folder")
    parser.add_argument("--once", action="store_true", help="print it once and end")
    parser.add_argument("--every", type=float, default=2.0, metavar="SECONDS")
    parser.set_defaults(run=_watch)


def _add_start(commands) -> None:
    parser = commands.add_parser("start", help="serve SuperLink and gate, until interrupted")
    parser.add_argument("--certificates", type=Path, required=True, metavar="DIR")
    parser.add_argument("--database", type=Path, required=True, metavar="FILE", help="Flower's")
    parser.add_argument("--host", default="0.0.0.0", help="address that hospitals reach")
    parser.add_argument("--port", type=int, default=9443, help="likewise (default: 9443)")
    parser.add_argument("--superlink", type=int, default=8000, help="its port on loopback")
    parser.set_defaults(run=_start)


def _add_way(parser: argparse.ArgumentParser) -> None:
    """Add what says how to reach the SuperLink, and with which code."""
    parser.add_argument("--app", type=Path, metavar="SOURCE", help="folder of Concord's source")
    parser.add_argument("--superlink", default="concord", help="its name in Flower's configuration")


def _add_audit(commands) -> None:
    parser = commands.add_parser("audit", help="audit a finished run's model again at the sites")
    parser.add_argument("folder", type=Path, metavar="RUN", help="the run's folder")
    parser.add_argument("--out", type=Path, required=True, help="new folder for audit.json")
    parser.add_argument("--split", default="test", help="whose patients: test, validation, train")
    parser.add_argument("--set", action="append", default=[], metavar="audit.KEY=VALUE")
    _add_way(parser)
    parser.add_argument("--json", action="store_true", help="the audit on stdout, as JSON")
    parser.set_defaults(run=_audit)


def _add_certificates(commands) -> None:
    parser = commands.add_parser("certificates", help="make the coordinator's TLS certificate")
    parser.add_argument(
        "--host",
        action="append",
        required=True,
        metavar="NAME_OR_IP",
        help="as the hospitals reach the coordinator; once for each name",
    )
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder for files")
    parser.add_argument("--days", type=int, default=365, help="validity of the certificate")
    parser.add_argument(
        "--authority", type=Path, metavar="DIR", help="sign with the authority of an earlier call"
    )
    parser.add_argument("--json", action="store_true", help="one JSON document on stdout")
    parser.set_defaults(run=_certificates)


def _add_gate(commands) -> None:
    parser = commands.add_parser("gate", help="let hospitals, and nobody else, reach the SuperLink")
    parser.add_argument("--certificates", type=Path, required=True, metavar="DIR")
    parser.add_argument("--host", default="0.0.0.0", help="address to listen on")
    parser.add_argument("--port", type=int, default=9443)
    parser.add_argument("--superlink", default="127.0.0.1:8000", metavar="HOST:PORT")
    parser.set_defaults(run=_gate)


def _report(parsed: argparse.Namespace) -> int:
    from server.folder import read_result, write_report
    from server.summary import summarise

    result = read_result(parsed.folder)
    path = write_report(parsed.folder, result)
    print(to_json(result) if parsed.json else f"{summarise(result)}\n\nReport: {path}")
    return 0


def _run(parsed: argparse.Namespace) -> int:
    from server.folder import REPORT, read_result
    from server.submission import SOURCE, read_run, run_remotely
    from server.summary import summarise

    config = read_run(parsed.config, resume=parsed.resume)
    run_remotely(config, app=(parsed.app or SOURCE).absolute(), superlink=parsed.superlink)
    result, page = read_result(Path(config.out)), Path(config.out) / REPORT
    print(to_json(result) if parsed.json else f"{summarise(result)}\n\nReport: {page}")
    return 0


def _watch(parsed: argparse.Namespace) -> int:
    from server.watch import is_over, screen

    shown = sys.stdout.isatty() and not parsed.once
    while True:
        # a terminal's own words for: clear the screen, go to its corner
        print(f"{CLEAR if shown else ''}{screen(parsed.folder)}", flush=True)
        if parsed.once or is_over(parsed.folder):
            return 0
        time.sleep(parsed.every)


def _start(parsed: argparse.Namespace) -> int:
    from server.start import Desk, serve

    words = ("certificates", "database", "host", "port", "superlink")
    serve(Desk(**{word: getattr(parsed, word) for word in words}).programs())
    return 0


def _audit(parsed: argparse.Namespace) -> int:
    from server.fitting import settings_for
    from server.folder import REPORT, prepare, read_audit
    from server.result import MODEL_FILE
    from server.submission import SOURCE, run_remotely
    from server.summary import summarise_audit

    config = settings_for(
        parsed.folder / MODEL_FILE, out=parsed.out, split=parsed.split, changes=assigned(parsed.set)
    )
    out = prepare(Path(config.out), resume=False)
    run_remotely(config, app=(parsed.app or SOURCE).absolute(), superlink=parsed.superlink)
    audit = read_audit(out)
    print(to_json(audit) if parsed.json else f"{summarise_audit(audit)}\n\nReport: {out / REPORT}")
    return 0


def _certificates(parsed: argparse.Namespace) -> int:
    from server.certificates import make_certificates

    made = make_certificates(
        parsed.out, hosts=parsed.host, days=parsed.days, authority=parsed.authority
    )
    if parsed.json:
        told = {name: str(value) for name, value in asdict(made).items()}
        print(to_json({**told, "hosts": list(made.hosts)}))
        return 0
    print(f"{made.authority}  give to every hospital")
    print(f"{made.certificate}  {made.key}  for the SuperLink and the gate")
    print(f"{made.authority_key}  signs the next certificate; keep its folder off this machine")
    print(f"Valid for {', '.join(made.hosts)} until {made.expires}.")
    return 0


def _gate(parsed: argparse.Namespace) -> int:
    from server.gate import serve_gate

    serve_gate(
        parsed.superlink, host=parsed.host, port=parsed.port, certificates=parsed.certificates
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
