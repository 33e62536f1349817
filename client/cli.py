"""concord-site: what a hospital types."""

import argparse
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from client.words import add_approve, add_audit, add_log, add_plan, add_start
from fusion.commands import run_command, table, to_json
from privacy.errors import PrivacyError

if TYPE_CHECKING:
    from client.budget import Account

    Subparsers = argparse._SubParsersAction[argparse.ArgumentParser]


LOG_HEAD = ["line", "time (UTC)", "run", "round", "question", "what", "bytes", "told"]

CAUTION = (
    "The file holds one row a patient. It must not leave the site; only its owner can read it."
)


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
    add_audit(commands, _audit)
    keys = commands.add_parser("keys", help="make the key the coordinator knows this site by")
    keys.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder for the key")
    keys.add_argument("--name", default="site", help="name of the files; the site's own is best")
    keys.add_argument("--json", action="store_true", help="one JSON document on stdout")
    keys.set_defaults(run=_keys)
    add_plan(commands, _plan)
    _add_ledger(commands)
    add_start(commands, _start)
    add_approve(commands, _approve)
    add_log(commands, _log)
    return run_command(parser, arguments, sentences=(PrivacyError,))


def _add_ledger(commands: "Subparsers") -> None:
    ledger = commands.add_parser("ledger", help="what a site's patients have spent")
    actions = ledger.add_subparsers(dest="action", required=True)
    for name, run, told in (
        ("show", _show, "spent, left, every charge and refusal"),
        ("verify", _verify, "check the chain and its heads; exit 2 if it does not hold"),
        ("accept-cohort", _accept_cohort, "go on with a changed cohort; what was spent stays"),
    ):
        action = actions.add_parser(name, help=told)
        action.add_argument("folder", type=Path, metavar="SITE")
        action.add_argument("--state", type=Path, metavar="DIR", help="state folder, if elsewhere")
        action.add_argument("--json", action="store_true", help="one JSON document on stdout")
        if name == "verify":
            action.add_argument(
                "--new-mirror", action="store_true", help="first write the policy's new mirror"
            )
        action.set_defaults(run=run)


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


def _audit(parsed: argparse.Namespace) -> int:
    from client.patient_shares import WHAT, audit_patients
    from fusion.new_files import require_new
    from fusion.readers.findings import counted

    require_new([parsed.out], WHAT)
    shares = audit_patients(
        parsed.folder, parsed.model, background=parsed.background, state=parsed.state
    )
    shares.write(parsed.out)
    if parsed.json:
        print(to_json(shares.told() | {"out": str(parsed.out), "caution": CAUTION}))
        return 0
    for warning in shares.warnings:
        print(f"warning: {warning}", file=sys.stderr)
    print(f"{counted(len(shares.table), 'patient')}: {parsed.out}")
    print(f"A hidden modality became: {shares.background}.")
    print(CAUTION)
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


def _plan(parsed: argparse.Namespace) -> int:
    from privacy.calibration import plan_within
    from privacy.events import PrivacyEvent
    from privacy.plan import PrivacyPlan

    plan = PrivacyPlan(
        1.0 if parsed.noise_multiplier is None else parsed.noise_multiplier,
        max_grad_norm=1.0,
        steps=parsed.steps,
        delta=parsed.delta,
        sampling_rate=parsed.sampling_rate,
        public_size=1,
        releases=tuple(PrivacyEvent.parse(text) for text in parsed.release),
    )
    if parsed.epsilon is not None:
        plan = plan_within(parsed.epsilon, plan)
    cost = plan.spent()
    told = {
        "noise_multiplier": plan.noise_multiplier,
        "epsilon": cost.epsilon,
        "epsilon_rdp": cost.epsilon_rdp,
        "delta": cost.delta,
        "sampling_rate": plan.sampling_rate,
        "steps": plan.steps,
        "releases": parsed.release,
    }
    if parsed.json:
        print(to_json(told))
        return 0
    print(f"noise_multiplier  {plan.noise_multiplier:.4f}")
    print(
        f"epsilon           {cost.epsilon:.4f} at delta {cost.delta:g} (privacy loss distribution)"
    )
    print(f"                  {cost.epsilon_rdp:.4f} by Renyi orders, a looser bound")
    return 0


def _show(parsed: argparse.Namespace) -> int:
    from client.budget import read_account

    account = read_account(parsed.folder, parsed.state)
    limit = account.policy.limit
    if parsed.json:
        told = {"epsilon": account.spent.epsilon, "epsilon_rdp": account.spent.epsilon_rdp}
        told |= {"delta": limit.delta, "max_epsilon": limit.max_epsilon, "left": account.left}
        lines = [{**entry.body, "number": entry.number} for entry in account.entries]
        print(to_json({**told, "entries": lines}))
        return 0
    cost = account.spent
    print(f"Spent: epsilon {cost.epsilon:.4f} of {limit.max_epsilon:g} at delta {limit.delta:.3g}")
    print(f"       {cost.epsilon_rdp:.4f} by Renyi orders, a looser bound")
    print(f"Left:  {account.left:.4f}")
    print(table(_lines(account)))
    return 0


def _lines(account: "Account") -> list[list[str]]:
    rows = [["entry", "time (UTC)", "what", "run", "round", "events", "epsilon after"]]
    for entry in account.entries:
        when = time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(entry.time))
        body = entry.body
        events = [
            f"{e['count']} x {e['mechanism']} {e['noise_multiplier']:.4g}"
            + (f" of {e['sampling_rate']:g}" if e["sampling_rate"] < 1 else "")
            for e in body.get("events", ())
        ]
        cost = f"{body['epsilon']:.4f}" if "epsilon" in body else ""
        what = "refused" if entry.kind == "refusal" else entry.kind
        about = [str(body.get("run", "")), str(body.get("round", ""))]
        rows.append([str(entry.number), when, what, *about, ", ".join(events), cost])
    return rows


def _verify(parsed: argparse.Namespace) -> int:
    from client.budget import add_mirror, read_account

    if parsed.new_mirror:
        add_mirror(parsed.folder, parsed.state)
    account = read_account(parsed.folder, parsed.state)
    if parsed.json:
        print(to_json({"entries": len(account.entries), "whole": True}))
        return 0
    print(f"The ledger holds: {len(account.entries)} entries, chain unbroken, heads agree.")
    return 0


def _accept_cohort(parsed: argparse.Namespace) -> int:
    from client.budget import accept_cohort

    entry = accept_cohort(parsed.folder, parsed.state)
    if parsed.json:
        print(to_json({"entry": entry.number, "cohort": entry.body["cohort"]}))
        return 0
    print(f"Entry {entry.number}: the cohort as it is now is accepted; what was spent stays spent.")
    return 0


def _start(parsed: argparse.Namespace) -> int:
    from client.start import Station, take_part

    words = ("site", "server", "authority", "key", "port", "state", "peers")
    take_part(Station(**{word: getattr(parsed, word) for word in words}))
    return 0


def _approve(parsed: argparse.Namespace) -> int:
    from client.approval import approve, compare, revoke
    from fusion.errors import ConfigError

    if (parsed.bundle is None) == (parsed.revoke is None):
        raise ConfigError("approve must have a bundle or --revoke, got both or none. Name one.")
    if parsed.revoke is not None:
        revoke(parsed.revoke, parsed.site)
        print("It may run here no more.")
        return 0
    reading = compare(parsed.bundle, parsed.site)
    for line in reading.lines:
        print(line)
    print(f"SHA-256 {reading.bundle.sha256}")
    print(f"{reading.changed} of {len(reading.bundle.files)} files differ from {reading.baseline}.")
    if parsed.yes:
        approve(parsed.bundle, parsed.site)
    print("It may run here." if parsed.yes or reading.approved else "Not approved; --yes does it.")
    return 0 if parsed.yes or reading.approved else 1


def _log(parsed: argparse.Namespace) -> int:
    from client.settings import STATE
    from client.site_log import FILE, SiteLog

    lines = SiteLog((parsed.state or parsed.folder / STATE) / FILE).lines()
    if parsed.number is not None:
        lines = [line for line in lines if line.body.get("run") == parsed.number]
    if parsed.json:
        print(to_json([dict(line.body) for line in lines]))
        return 0
    print(table([LOG_HEAD, *(line.cells() for line in lines)]))
    return 0


if __name__ == "__main__":
    sys.exit(main())
