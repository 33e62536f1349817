"""concord-simulate: what a researcher types."""

import argparse
import json
import logging
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict, fields
from functools import partial
from pathlib import Path

from fusion.commands import run_command, table, to_json
from simulations.cli_attacks import add_attacks
from simulations.cli_audits import add_audits
from simulations.cli_comparisons import add_comparisons
from simulations.cli_sweep import add_sweep

DESCRIPTION = "Federations on one machine: partition a cohort, run, compare, judge predictions."


def main(arguments: Sequence[str] | None = None) -> int:
    """Run concord-simulate and return its exit code."""
    parser = argparse.ArgumentParser(prog="concord-simulate", description=DESCRIPTION)
    commands = parser.add_subparsers(dest="command", required=True)
    _add_partition(commands)
    _add_show_partition(commands)
    _add_synthesise(commands)
    _add_run(commands)
    _add_models(commands)
    _add_metrics(commands)
    add_audits(partial(_command, commands), _show)
    add_attacks(partial(_command, commands), _show)
    add_comparisons(partial(_command, commands), _show_comparison)
    add_sweep(partial(_command, commands), _show_sweep)
    return run_command(parser, arguments)


def _command(commands, name: str, run: Callable, help_: str) -> argparse.ArgumentParser:
    parser = commands.add_parser(name, help=help_, description=help_)
    parser.add_argument("--json", action="store_true", help="one JSON document on stdout")
    parser.set_defaults(run=run)
    return parser


def _add_partition(commands) -> None:
    parser = _command(commands, "partition", _partition, "a cohort into site folders")
    parser.add_argument(
        "--cohort", type=Path, required=True, help="clinical.csv, genomics, patches"
    )
    parser.add_argument(
        "--by",
        default="hospital",
        help="hospital, a clinical column, or iid, dirichlet-time, quantity, censoring, time",
    )
    parser.add_argument("--sites", type=int, help="how many to deal the patients to")
    parser.add_argument("--alpha", type=float, help="of a Dirichlet deal: small = uneven (0.5)")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--min-patients", type=int, default=20, help="a site")
    parser.add_argument("--small", choices=("pool", "drop"), default="pool")
    for modality in ("slides", "omics"):
        parser.add_argument(
            f"--without-{modality}", type=int, default=0, metavar="N", help="sites that have none"
        )
    parser.add_argument("--splits", type=Path, help="csv: patient, split[, site]")
    parser.add_argument("--labels", type=Path, help="TOML: [labels] sections for every site.toml")
    parser.add_argument("--encoder", default="unknown", help="what made the patch features")
    parser.add_argument("--out", type=Path, required=True)


def _add_show_partition(commands) -> None:
    parser = _command(commands, "show-partition", _show_partition, "a picture of site folders")
    parser.add_argument("sites", type=Path, metavar="SITES", help="folder of site folders")
    parser.add_argument("--out", type=Path, help="page to write (SITES/partition.html)")


def _add_synthesise(commands) -> None:
    parser = _command(
        commands, "synthesise", _synthesise, "synthetic hospitals with an interaction"
    )
    parser.add_argument("--sites", type=int, default=3)
    parser.add_argument("--patients", type=int, default=90, help="a site")
    parser.add_argument("--interaction", type=float, default=1.0)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--out", type=Path, required=True)


def _add_run(commands) -> None:
    parser = _command(commands, "run", _run, "train, evaluate and audit a federation")
    parser.add_argument("--sites", type=Path, help="folder of site folders")
    parser.add_argument("--model", help="see `concord-simulate models`")
    parser.add_argument("--rounds", type=int)
    parser.add_argument("--seed", type=int)
    parser.add_argument("--out", type=Path, help="new folder for result, report and model")
    parser.add_argument("--config", type=Path, help="settings in TOML")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE")
    parser.add_argument("--omics", help="omics tables, comma-separated")
    parser.add_argument("--clinical", help="clinical columns to append, comma-separated")
    parser.add_argument("--hold-out", help="sites that only evaluate, comma-separated")
    parser.add_argument(
        "--engine", choices=("inline", "ray"), default="inline", help="ray: Flower's simulation"
    )
    parser.add_argument("--resume", type=Path, metavar="RUN", help="continue an interrupted run")


def _add_models(commands) -> None:
    parser = _command(commands, "models", _models, "the registered models and their size")
    parser.add_argument("--reference", action="store_true", help="as in their publications")


def _add_metrics(commands) -> None:
    parser = _command(commands, "metrics", _metrics, "judge anybody's predictions")
    parser.add_argument("file", type=Path, metavar="FILE.csv", help="risk, time, event[, site]")


def _partition(parsed: argparse.Namespace) -> int:
    from simulations.partition import Division, partition

    told = vars(parsed)
    division = Division(**{field.name: told[field.name] for field in fields(Division)})
    done = partition(parsed.cohort, out=parsed.out, division=division, encoder=parsed.encoder)
    if parsed.json:
        print(to_json(asdict(done)))
        return 0
    keys = ("name", "patients", "patients_with_slides", "patients_with_omics", "slides")
    rows = [[str(getattr(site, key)) for key in keys] for site in done.sites]
    print(table([[key.replace("_", " ") for key in keys], *rows]))
    for hospital, patients in done.dropped.items():
        print(f"dropped: {hospital} ({patients} patients)")
    return 0


def _show_partition(parsed: argparse.Namespace) -> int:
    from simulations.picture import describe_partition, draw_partition, read_sites

    cohorts, out = read_sites(parsed.sites), parsed.out or parsed.sites / "partition.html"
    draw_partition(cohorts, out)
    told = describe_partition(cohorts)
    if parsed.json:
        print(to_json(told | {"out": str(out)}))
        return 0
    keys = ("name", "patients", "events", "with_slides", "with_omics")
    rows = [[str(site[key]) for key in keys] for site in told["sites"]]
    print(table([[key.replace("_", " ") for key in keys], *rows]))
    print(f"\nPicture: {out}")
    return 0


def _synthesise(parsed: argparse.Namespace) -> int:
    from simulations.synthetic import make_hospitals

    folders = make_hospitals(
        parsed.out,
        sites=parsed.sites,
        patients=parsed.patients,
        seed=parsed.seed,
        interaction=parsed.interaction,
    )
    names = [str(folder) for folder in folders]
    print(to_json({"sites": names}) if parsed.json else "\n".join(names))
    return 0


def _run(parsed: argparse.Namespace) -> int:
    from server.folder import read_result
    from server.summary import summarise
    from simulations.federation import run_inline
    from simulations.ray_engine import run_ray
    from simulations.start import check_sites, read_run

    logging.getLogger("flwr").setLevel(logging.WARNING)
    config = read_run(parsed)
    check_sites(config)
    folder = run_ray(config) if parsed.engine == "ray" else run_inline(config)
    result = read_result(folder)
    if parsed.json:
        print(to_json(result))
    else:
        print(f"\n{summarise(result)}\n\nReport: {folder / 'report.html'}")
    return 0


def _models(parsed: argparse.Namespace) -> int:
    from fusion.config import RunConfig
    from fusion.objectives.build import OBJECTIVES
    from simulations.models import list_models

    couples = OBJECTIVES[RunConfig().objective.name].couples_patients
    models = list_models(reference=parsed.reference, objective_couples=couples)
    if parsed.json:
        print(to_json(models))
        return 0
    keys = list(models[0])
    print(table([keys, *([_cell(model[key]) for key in keys] for model in models)]))
    return 0


def _metrics(parsed: argparse.Namespace) -> int:
    from server.summary import interval
    from simulations.metrics import evaluate_predictions

    found = evaluate_predictions(parsed.file)
    if parsed.json:
        print(to_json(found))
        return 0
    rows = [("", "patients", "events", "concordance (95% interval)", "Uno", "note")]
    for one in ({"name": "all", "note": None, **found}, *found["sites"]):
        counts = (str(one["patients"]), str(one["events"]))
        figures = (interval(one["concordance"]), interval(one["uno"]))
        rows.append((one["name"], *counts, *figures, one["note"] or ""))
    print(table(rows))
    print(f"\nmean within sites: {interval(found['within_sites'])}")
    print(f"integrated Brier score: {interval(found['integrated_brier'])}")
    return 0


def _show(text: str) -> int:
    print(text)
    return 0


def _show_comparison(parsed: argparse.Namespace, outcome) -> int:
    standings = outcome.standings
    return _show_means(parsed, standings, outcome.failures, f"{standings.note}\n\n{parsed.out}")


def _show_sweep(parsed: argparse.Namespace, swept) -> int:
    return _show_means(parsed, swept.tables, swept.failures, f"Report: {parsed.out}/report.html")


def _show_means(parsed: argparse.Namespace, tables, failures: Sequence[str], note: str) -> int:
    if parsed.json:
        means = json.loads(tables.means.to_json(orient="records"))
        print(to_json({"means": means, "failures": failures}))
    else:
        print(f"{table(tables.lines())}\n\n{note}")
    for failure in failures:
        sys.stderr.write(f"failed: {failure}\n")
    return 1 if failures else 0


def _cell(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    return ", ".join(map(str, value)) if isinstance(value, (list, tuple)) else str(value)


if __name__ == "__main__":
    sys.exit(main())
