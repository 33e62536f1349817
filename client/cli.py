"""concord-site: what a hospital types."""

import argparse
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from fusion.commands import run_command, to_json


def main(arguments: Sequence[str] | None = None) -> int:
    """Run concord-site and return its exit code."""
    parser = argparse.ArgumentParser(prog="concord-site", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    doctor = commands.add_parser("doctor", help="check a site folder; exit 1 if it cannot train")
    doctor.add_argument("folder", type=Path, metavar="SITE")
    doctor.add_argument("--json", action="store_true", help="one JSON document on stdout")
    doctor.set_defaults(run=_doctor)
    predict = commands.add_parser("predict", help="apply a finished model to the site's patients")
    predict.add_argument("folder", type=Path, metavar="SITE")
    predict.add_argument("--model", type=Path, required=True, help="model.safetensors of a run")
    predict.add_argument("--state", type=Path, metavar="DIR", help="its state folder, if elsewhere")
    predict.add_argument("--out", type=Path, required=True, help="csv to write; it stays here")
    predict.add_argument("--json", action="store_true", help="one JSON document on stdout")
    predict.set_defaults(run=_predict)
    keys = commands.add_parser("keys", help="make the key the coordinator knows this site by")
    keys.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder for the key")
    keys.add_argument("--name", default="site", help="name of the files; the site's own is best")
    keys.add_argument("--json", action="store_true", help="one JSON document on stdout")
    keys.set_defaults(run=_keys)
    return run_command(parser, arguments)


def _doctor(parsed: argparse.Namespace) -> int:
    from client.doctor import examine

    found = examine(parsed.folder)
    if parsed.json:
        told = {"lines": found.lines, "warnings": found.warnings, "problems": found.problems}
        print(to_json({key: list(value) for key, value in told.items()}))
        return 1 if found.problems else 0
    for line in found.lines:
        print(line)
    for warning in found.warnings:
        print(f"warning: {warning}")
    for problem in found.problems:
        print(f"problem: {problem}")
    print("Training cannot start." if found.problems else "Training can start.")
    return 1 if found.problems else 0


def _predict(parsed: argparse.Namespace) -> int:
    from client.predict import predict
    from fusion.readers.findings import counted

    predictions = predict(parsed.folder, parsed.model, state=parsed.state)
    predictions.write(parsed.out)
    patients, warnings = len(predictions.table), list(predictions.warnings)
    if parsed.json:
        print(to_json({"patients": patients, "out": str(parsed.out), "warnings": warnings}))
        return 0
    for warning in warnings:
        print(f"warning: {warning}", file=sys.stderr)
    print(f"{counted(patients, 'patient')}: {parsed.out}")
    return 0


def _keys(parsed: argparse.Namespace) -> int:
    from client.keys import make_keys

    pair = make_keys(parsed.out, name=parsed.name)
    if parsed.json:
        print(to_json({name: str(value) for name, value in asdict(pair).items()}))
        return 0
    print(f"Send to the coordinator: {pair.public}")
    print(f"Read out to them on the telephone: {pair.fingerprint}")
    print(f"Never send: {pair.private}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
