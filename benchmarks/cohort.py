"""Every model on one cohort: federated over its hospitals, pooled, and ridge Cox beside.

python benchmarks/cohort.py --cohort DIR --out DIR --models all --seeds 1,2,3
"""

import argparse
import hashlib
import json
import logging
import os
import shutil
import sys
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass, replace
from multiprocessing import get_context
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import pandas as pd
from ridge import Patients, blocks, column, mean_patches, ridge_cox

from client.predict import predict
from client.settings import site_folders
from fusion.config import RunConfig, from_flat, names
from fusion.errors import ConcordError
from fusion.models.build import MODELS
from fusion.readers.cohort import Cohort, read_cohort
from fusion.readers.folds import assign_split
from simulations.federation import run_inline
from simulations.partition import Division, partition
from simulations.references import MARK, POOLED, pool_sites

SETTINGS = ("federated", "pooled")
FIGURES = (
    "validation", "concordance", "low", "high", "within", "uno", "brier", "interaction",
    "interaction_se", "r2_additive", "seconds",
)  # fmt: skip


@dataclass(frozen=True)
class Run:
    """One model, setting and seed, and where it is kept."""

    model: str
    setting: str
    seed: int
    home: Path
    config: RunConfig

    @property
    def out(self) -> Path:
        return self.home / f"{self.model}-{self.setting}-{self.seed}"

    @property
    def finished(self) -> bool:
        return (self.out / "figures.json").is_file()


def main() -> int:
    """Run what is not there yet, then print the table."""
    parsed = _parse()
    base = from_flat(dict(pair.split("=", 1) for pair in parsed.set))
    base = replace(base, rounds=parsed.rounds or base.rounds)
    sites = _sites(parsed)
    home = parsed.out / _tag(base)
    home.mkdir(parents=True, exist_ok=True)
    print(f"settings {home.name}: {' '.join(parsed.set) or 'defaults'}, {base.rounds} rounds")
    for seed in parsed.seeds:
        _pool(sites, replace(base, seed=seed), home)
    runs = [
        Run(model, setting, seed, home, _config(base, model, setting, seed, home, sites))
        for seed in parsed.seeds
        for model in parsed.models
        for setting in parsed.settings
    ]
    _do([run for run in runs if not run.finished], parsed.jobs)
    rows = [_row(run) for run in runs if run.finished]
    rows += list(_rivals(base, parsed.seeds, home)) if parsed.ridge else []
    _show(pd.DataFrame(rows), home)
    return 0


def _parse() -> argparse.Namespace:
    def comma(text: str) -> list[str]:
        return list(names(text))

    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cohort", type=Path, required=True, help="cohort folder")
    parser.add_argument("--out", type=Path, required=True, help="kept between calls")
    parser.add_argument("--models", type=comma, default=["all"])
    parser.add_argument("--settings", type=comma, default=list(SETTINGS))
    parser.add_argument("--seeds", type=lambda t: [int(n) for n in names(t)], default=[1, 2, 3])
    parser.add_argument("--rounds", type=int)
    parser.add_argument("--set", nargs="*", action="extend", default=[], metavar="KEY=VALUE")
    parser.add_argument("--min-patients", type=int, default=20)
    parser.add_argument("--small", choices=("pool", "drop"), default="pool")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--no-ridge", dest="ridge", action="store_false")
    parsed = parser.parse_args()
    parsed.models = sorted(MODELS) if parsed.models == ["all"] else parsed.models
    if unknown := [s for s in parsed.settings if s not in SETTINGS]:
        parser.error(f"--settings must be of {', '.join(SETTINGS)}, got {', '.join(unknown)}")
    return parsed


def _sites(parsed: argparse.Namespace) -> Path:
    """Return the cohort's hospitals as site folders, made once."""
    sites = parsed.out / f"sites-{parsed.min_patients}-{parsed.small}"
    if not sites.exists():
        parsed.out.mkdir(parents=True, exist_ok=True)
        division = Division(min_patients=parsed.min_patients, small=parsed.small)
        partition(parsed.cohort, out=sites, division=division)
    return sites


def _tag(base: RunConfig) -> str:
    """Return a short name of the settings, so that other settings never meet in one folder."""
    text = repr(replace(base, seed=0, out="", sites=""))
    return hashlib.sha256(text.encode()).hexdigest()[:8]


def _pool(sites: Path, config: RunConfig, home: Path) -> None:
    target = home / f"sites-pooled-{config.seed}" / POOLED
    if not target.exists():
        target.parent.mkdir(exist_ok=True)
        pool_sites(site_folders(sites), config=config, out=target)


def _config(
    base: RunConfig, model: str, setting: str, seed: int, home: Path, sites: Path
) -> RunConfig:
    """Return the run's settings; pooled patients keep the splits written in their folder."""
    out = str((home / f"{model}-{setting}-{seed}").resolve())
    found = replace(base, seed=seed, model=replace(base.model, name=model), out=out)
    if setting == "federated":
        return replace(found, sites=str(sites.resolve()))
    split = replace(base.split, validation=0.0, hold_out="")
    return replace(found, split=split, sites=str((home / f"sites-pooled-{seed}").resolve()))


def _do(runs: Sequence[Run], jobs: int) -> None:
    """Do the runs, each in a process of its own, and say how long the rest will take."""
    started = time.monotonic()
    pool = ProcessPoolExecutor(jobs, mp_context=get_context("spawn"), max_tasks_per_child=1)
    with pool:
        waiting = {pool.submit(_one, run): run for run in runs}
        for done, future in enumerate(as_completed(waiting), start=1):
            run, spent = waiting[future], time.monotonic() - started
            left = spent / done * (len(runs) - done)
            print(
                f"{done}/{len(runs)} {run.out.name}: {future.result()}; "
                f"{spent / 60:.1f} min, about {left / 60:.1f} min left",
                flush=True,
            )


def _one(run: Run) -> str:
    """Do one run and keep its figures; a failure is told, not fatal."""
    shutil.rmtree(run.out, ignore_errors=True)
    logging.basicConfig(filename=run.home / f"{run.out.name}.log", force=True)
    logging.getLogger("concord").setLevel(logging.INFO)
    logging.getLogger("flwr").setLevel(logging.WARNING)
    try:
        run_inline(run.config)
    except ConcordError as error:
        return f"failed: {error}"
    result = json.loads((run.out / "result.json").read_text())
    figures = _figures(result)
    if run.setting == "pooled":
        figures["within"] = _within(run)
    (run.out / "figures.json").write_text(json.dumps(figures))
    return f"validation {_cell('', figures['validation'])}, {figures['seconds']:.0f} s"


def _figures(result: dict) -> dict:
    pooled, audit = result["evaluation"]["pooled"], result["audit"]
    chosen = next(r for r in result["rounds"] if r["round"] == result["model"]["chosen_round"])
    shares = audit["shares"] if audit else {}
    return {
        "round": chosen["round"],
        "validation": chosen["concordance"]["value"],
        **_test_figures(pooled),
        "interaction": shares["local"]["value"] if audit else None,
        "interaction_se": shares["local"]["standard_error"] if audit else None,
        "r2_additive": shares["variance"]["r2_additive"] if audit else None,
        "seconds": result["timings"]["total_seconds"],
    }


def _test_figures(pooled: dict) -> dict:
    return {
        "concordance": pooled["concordance"]["value"],
        "low": pooled["concordance"]["low"],
        "high": pooled["concordance"]["high"],
        "within": pooled["within_sites"]["value"],
        "uno": pooled["uno"]["value"],
        "brier": pooled["integrated_brier"]["value"],
    }


def _within(run: Run) -> float | None:
    """Return a pooled run's concordance within the hospitals its patients come from."""
    folder = Path(run.config.sites) / POOLED
    table = predict(folder, run.out / "model.safetensors").table.set_index("patient")
    cohort = read_cohort(folder)
    risk = table["risk"].loc[list(cohort.patients)].to_numpy()
    patients = _patients(cohort, run.config)
    return patients.within(risk, patients.rows("test"))["value"]


def _patients(cohort: Cohort, config: RunConfig) -> Patients:
    split = assign_split(cohort, validation=0.0, test=0.0, seed=config.seed)
    site = np.array([patient.split(MARK)[0] for patient in cohort.patients])
    return Patients(cohort.time, cohort.event, split, site)


def _rivals(base: RunConfig, seeds: Sequence[int], home: Path) -> Iterator[dict]:
    """Yield ridge Cox on principal components, without and with age, for each seed."""
    mean = None
    for seed in seeds:
        kept = home / f"ridge-{seed}.json"
        if not kept.is_file():
            cohort = read_cohort(home / f"sites-pooled-{seed}" / POOLED)
            mean = mean_patches(cohort) if mean is None else mean
            rows = list(_ridge_rows(cohort, mean, replace(base, seed=seed)))
            kept.write_text(json.dumps(rows))
        yield from json.loads(kept.read_text())


def _ridge_rows(cohort: Cohort, mean: np.ndarray, config: RunConfig) -> Iterator[dict]:
    started, patients = time.monotonic(), _patients(cohort, config)
    parts = list(blocks(cohort, patients.rows("train"), mean, config.data.clip))
    variants = {"ridge Cox": parts}
    if "age" in cohort.clinical.columns:
        age = column(cohort, "age", patients.rows("train"))
        variants["ridge Cox + age"] = [*parts, age]
    for name, chosen in variants.items():
        found = ridge_cox(np.concatenate(chosen, axis=1), patients, config)
        yield {
            "model": name,
            "setting": "pooled",
            "seed": config.seed,
            "validation": found["validation"],
            **_test_figures(found),
            "penalty": found["penalty"],
            "seconds": time.monotonic() - started,
        }


def _row(run: Run) -> dict:
    known = {"model": run.model, "setting": run.setting, "seed": run.seed}
    return known | json.loads((run.out / "figures.json").read_text())


def _show(table: pd.DataFrame, home: Path) -> None:
    """Print and write means over seeds, then each seed."""
    if table.empty:
        print("nothing finished")
        return
    keys = ["model", "setting"]
    table = table.reindex(columns=[*keys, "seed", *FIGURES])
    groups = table.groupby(keys, sort=False)
    means = groups[list(FIGURES)].mean().reset_index()
    means.insert(2, "seeds", groups.size().to_numpy())
    means.insert(5, "sd", groups["concordance"].std().to_numpy())
    table.to_csv(home / "seeds.csv", index=False)
    means.to_csv(home / "means.csv", index=False)
    text = "\n\n".join(
        ["Means over seeds (interval: mean of its ends; sd: of concordance over seeds)",
         _markdown(means), "Each seed", _markdown(table)]
    )  # fmt: skip
    (home / "table.md").write_text(text + "\n")
    print(f"\n{text}\n\n{home}")


def _markdown(table: pd.DataFrame) -> str:
    lines = [list(table.columns), ["---"] * len(table.columns)]
    lines += [
        [_cell(name, value) for name, value in row.items()] for row in table.to_dict("records")
    ]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _cell(name: str, value: object) -> str:
    if value is None or value != value:
        return "-"
    if isinstance(value, float):
        return f"{value:.0f}" if name == "seconds" else f"{value:.3f}"
    return str(value)


if __name__ == "__main__":
    try:
        sys.exit(main())
    except ConcordError as problem:
        sys.exit(str(problem))
