"""Words of concord-site's longer commands."""

import argparse
from collections.abc import Callable
from pathlib import Path

from fusion.masking import BACKGROUNDS

Subparsers = argparse._SubParsersAction
Run = Callable[[argparse.Namespace], int]


def add_audit(commands: "Subparsers[argparse.ArgumentParser]", run: Run) -> None:
    """Declare `audit`."""
    told = "how a finished model uses each patient's modalities together; stays here"
    audit = commands.add_parser("audit", help=told)
    audit.add_argument("folder", type=Path, metavar="SITE")
    audit.add_argument("--model", type=Path, required=True, help="model.safetensors of a run")
    audit.add_argument("--state", type=Path, metavar="DIR", help="its state folder, if elsewhere")
    audit.add_argument("--background", choices=BACKGROUNDS, help="that of the run, if not named")
    audit.add_argument("--out", type=Path, required=True, help="new csv, for its owner alone")
    audit.add_argument("--json", action="store_true", help="one JSON document on stdout")
    audit.set_defaults(run=run)


def add_plan(commands: "Subparsers[argparse.ArgumentParser]", run: Run) -> None:
    """Declare `plan`."""
    plan = commands.add_parser("plan", help="what a private run costs a patient, or needs in noise")
    told = plan.add_mutually_exclusive_group(required=True)
    told.add_argument("--epsilon", type=float, help="most that the run may cost")
    told.add_argument("--noise-multiplier", type=float, help="noise / max-grad-norm of a step")
    plan.add_argument("--delta", type=float, required=True)
    plan.add_argument("--sampling-rate", type=float, default=1.0, help="1 = full batch (default)")
    plan.add_argument("--steps", type=int, required=True, help="noisy steps of the whole run")
    plan.add_argument(
        "--release", action="append", default=[], metavar="MECHANISM:NOISE[:COUNT]",
        help="a noisy sum beside training, gaussian:12:4 say; may be repeated",
    )  # fmt: skip
    plan.add_argument("--json", action="store_true", help="one JSON document on stdout")
    plan.set_defaults(run=run)


def add_start(commands: "Subparsers[argparse.ArgumentParser]", run: Run) -> None:
    """Declare `start`."""
    start = commands.add_parser("start", help="take part in runs, until interrupted")
    start.add_argument("--site", type=Path, required=True, metavar="SITE")
    start.add_argument("--server", required=True, metavar="HOST:PORT", help="of the coordinator")
    start.add_argument("--authority", type=Path, required=True, metavar="ca.crt")
    start.add_argument("--key", type=Path, required=True, help="this site's private key")
    start.add_argument("--port", type=int, default=9094, help="on loopback (default: 9094)")
    start.add_argument("--state", type=Path, metavar="DIR", help="state folder, if elsewhere")
    start.add_argument("--peers", type=Path, metavar="DIR", help="all sites' SITE.pub, for sums")
    start.set_defaults(run=run)


def add_approve(commands: "Subparsers[argparse.ArgumentParser]", run: Run) -> None:
    """Declare `approve`."""
    approve = commands.add_parser("approve", help="read a coordinator's bundle, and let it run")
    approve.add_argument("bundle", type=Path, nargs="?", help="the .fab file")
    approve.add_argument("--site", type=Path, required=True, metavar="SITE")
    approve.add_argument("--yes", action="store_true", help="approve it; without, it is shown")
    approve.add_argument("--revoke", metavar="SHA256", help="let this bundle run no more")
    approve.set_defaults(run=run)


def add_log(commands: "Subparsers[argparse.ArgumentParser]", run: Run) -> None:
    """Declare `log`."""
    log = commands.add_parser("log", help="what was asked of this site, and what left it")
    log.add_argument("folder", type=Path, metavar="SITE")
    log.add_argument("--run", metavar="NUMBER", dest="number", help="of this run alone")
    log.add_argument("--state", type=Path, metavar="DIR", help="state folder, if elsewhere")
    log.add_argument("--json", action="store_true", help="one JSON document on stdout")
    log.set_defaults(run=run)
