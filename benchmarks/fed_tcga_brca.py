"""Linear ridge Cox over the six centres of Fed-TCGA-BRCA, beside the published table.

python benchmarks/fed_tcga_brca.py --data DIR --out DIR

Settings and round are chosen on validation patients carved from the published training patients
(five draws), never on test patients. Then each method is trained once more on all published
training patients with the chosen settings, for the chosen number of rounds.
"""

import argparse
import json
import logging
import os
import shutil
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from itertools import product
from multiprocessing import get_context
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import pandas as pd

from client.predict import predict
from client.settings import site_folders
from fusion.config import RunConfig, from_flat
from fusion.readers.cohort import read_cohort
from fusion.readers.folds import assign_split
from fusion.readers.omics import omics_vector
from fusion.survival.concordance import concordance
from simulations.federation import run_inline
from simulations.references import POOLED, pool_sites
from simulations.ridge import PENALTIES, Patients, fitted, standardised

SEEDS = (1, 2, 3, 4, 5)
VALIDATION = 0.16
TABLE, FIRST, LAST = "features", "age_at_index", "tumor_stage_stage iiic"
COMMON: Mapping[str, object] = {
    "model.name": "linear",
    "model.input-dropout": 0.0,
    "objective.name": "cox",
    "data.clip": 0.0,
    "rounds": 40,
    "training.local-steps": 10,
    "training.batch-patients": 0,
    "training.optimiser": "sgd",
    "training.schedule": "constant",
    "evaluation.selection": "concordance",
}
RIDGE = {"training.lr": (0.01, 0.03, 0.1), "training.weight-decay": (0.03, 0.1, 0.3)}
SERVER = {
    "training.lr": (0.01, 0.03),
    "training.weight-decay": (0.1, 0.3),
    "federation.server-lr": (0.003, 0.01, 0.03),
}
METHODS: Mapping[str, Mapping[str, Sequence[float]]] = {
    "fedavg": RIDGE,
    "fedprox": RIDGE | {"federation.proximal-mu": (0.01, 0.1)},
    "fedadam": SERVER,
    "fedyogi": SERVER,
    "fedadagrad": SERVER | {"federation.server-lr": (0.01, 0.03, 0.1)},
    "scaffold": RIDGE,
    "pooled": {"training.lr": (0.1,), "training.weight-decay": (0.03, 0.1, 0.3, 1.0)},
}
CONVERGED = ("pooled",)
"""Methods whose last round is taken; the others stop where validation is best."""

PUBLISHED = {
    "fedavg": "FedAvg100",
    "fedprox": "FedProx100",
    "fedadam": "FedAdam100",
    "fedyogi": "FedYogi100",
    "fedadagrad": "FedAdagrad100",
    "scaffold": "Scaffold100",
    "pooled": "Pooled Training",
}


@dataclass(frozen=True)
class Run:
    """One method, seed and choice; `rounds` = 0 looks for the best round on validation."""

    method: str
    choice: tuple[tuple[str, float], ...]
    seed: int
    home: Path
    rounds: int = 0

    @property
    def out(self) -> Path:
        words = [f"{key.rpartition('.')[2]}={value:g}" for key, value in self.choice]
        rounds = f"rounds={self.rounds}" if self.rounds else "search"
        return self.home / "_".join([self.method, *words, rounds, str(self.seed)])

    @property
    def config(self) -> RunConfig:
        share = 0.0 if self.rounds else VALIDATION
        pooled = self.method == "pooled"
        sites = _pooled_sites(self.home, self.seed, share) if pooled else self.home / "sites"
        told = {**COMMON, **dict(self.choice), "seed": self.seed, "split.validation": share}
        told |= {"sites": str(sites.resolve()), "out": str(self.out.resolve())}
        told |= {"rounds": self.rounds} if self.rounds else {}
        told |= {"split.validation": 0.0} if pooled else {"federation.strategy": self.method}
        return from_flat(told)


def main() -> int:
    """Search, train, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--data", type=Path, required=True, help="patients.csv, published_results.csv"
    )
    parser.add_argument("--out", type=Path, required=True, help="kept between calls")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--methods", nargs="+", choices=METHODS, default=list(METHODS))
    parsed = parser.parse_args()
    _write_sites(pd.read_csv(parsed.data / "patients.csv"), parsed.out)
    search = [
        Run(method, choice, seed, parsed.out)
        for method in parsed.methods
        for choice in _choices(METHODS[method])
        for seed in SEEDS
    ]
    _do(search, parsed.jobs)
    rows = [_method_row(method, search, parsed) for method in parsed.methods]
    rows.append(_ridge(parsed.out))
    print(
        _table(pd.DataFrame(rows), pd.read_csv(parsed.data / "published_results.csv"), parsed.out)
    )
    return 0


def _method_row(method: str, search: Sequence[Run], parsed: argparse.Namespace) -> dict:
    """Train a method on all training patients as validation chose, and return its row."""
    own = [run for run in search if run.method == method]
    choice, rounds, validation = _best(own)
    final = [Run(method, choice, seed, parsed.out, rounds) for seed in SEEDS]
    _do(final, parsed.jobs)
    carved = [_read(run)["test"] for run in own if run.choice == choice]
    told = ", ".join(f"{key} {value:g}" for key, value in choice) + f", {rounds} rounds"
    return _row(method, told, validation, [_read(run)["test"] for run in final], carved)


def _write_sites(patients: pd.DataFrame, home: Path) -> None:
    """Write a site folder a centre, and the pooled folders with the same splits."""
    if (home / "sites").exists():
        return
    partial = home / "sites-partial"
    shutil.rmtree(partial, ignore_errors=True)
    for centre, rows in patients.rename(columns={"patient_id": "patient"}).groupby("center"):
        folder = partial / f"centre-{centre}"
        folder.mkdir(parents=True)
        outcomes = rows[["patient", "time_days", "event", "split"]]
        outcomes.to_csv(folder / "clinical.csv", index=False)
        features = rows.set_index("patient").loc[:, FIRST:LAST]
        features.to_parquet(folder / f"{TABLE}.parquet")
        text = f'name = "centre-{centre}"\nrole = "train"\n\n[omics]\n{TABLE} = "{TABLE}.parquet"\n'
        (folder / "site.toml").write_text(text)
    for seed, share in product(SEEDS, (VALIDATION, 0.0)):
        config = from_flat({"seed": seed, "split.validation": share})
        target = _pooled_sites(home, seed, share) / POOLED
        target.parent.mkdir(exist_ok=True)
        pool_sites(site_folders(partial), config=config, out=target)
    partial.replace(home / "sites")


def _pooled_sites(home: Path, seed: int, share: float) -> Path:
    return home / f"pooled-{seed}-{share:g}"


def _choices(grid: Mapping[str, Sequence[float]]) -> Iterator[tuple[tuple[str, float], ...]]:
    for values in product(*grid.values()):
        yield tuple(zip(grid, values, strict=True))


def _do(runs: Sequence[Run], jobs: int) -> None:
    waiting = [run for run in runs if not (run.out / "figures.json").is_file()]
    started = time.monotonic()
    with ProcessPoolExecutor(jobs, mp_context=get_context("spawn")) as pool:
        for done, name in enumerate(pool.map(_one, waiting), start=1):
            spent = time.monotonic() - started
            left = spent / done * (len(waiting) - done) / 60
            print(f"{done}/{len(waiting)} {name}; about {left:.1f} min left", flush=True)


def _one(run: Run) -> str:
    """Do one run; keep validation by round, and the exact test concordance of its chosen model."""
    logging.getLogger("flwr").setLevel(logging.WARNING)
    logging.basicConfig(level=logging.WARNING)
    shutil.rmtree(run.out, ignore_errors=True)
    run_inline(run.config)
    result = json.loads((run.out / "result.json").read_text())
    by_round = [record["concordance"]["value"] for record in result["rounds"]]
    folders = site_folders(Path(run.config.sites))
    test = _exact(folders, run.out / "model.safetensors")
    (run.out / "figures.json").write_text(json.dumps({"validation": by_round, "test": test}))
    return run.out.name


def _exact(folders: Sequence[Path], model: Path) -> dict:
    """Return the concordance over all sites' test patients, without bins, as published."""
    parts = []
    for folder in folders:
        cohort, table = read_cohort(folder), predict(folder, model).table.set_index("patient")
        risk = table["risk"].loc[list(cohort.patients)].to_numpy()
        test = cohort.fixed_split == "test"
        parts.append((risk[test], cohort.time[test], cohort.event[test]))
    risk, times, events = (np.concatenate(column) for column in zip(*parts, strict=True))
    return concordance(risk, time=times, event=events).as_dict()


def _read(run: Run) -> dict:
    return json.loads((run.out / "figures.json").read_text())


def _best(runs: Sequence[Run]) -> tuple[tuple[tuple[str, float], ...], int, float]:
    """Return choice and round with the best validation concordance, mean over the draws."""
    found = []
    for choice in dict.fromkeys(run.choice for run in runs):
        curves = [_read(run)["validation"][1:] for run in runs if run.choice == choice]
        mean = np.mean(curves, axis=0)
        last = runs[0].method in CONVERGED
        rounds = len(mean) if last else int(mean.argmax()) + 1
        found.append((float(mean[rounds - 1]), choice, rounds))
    validation, choice, rounds = max(found, key=lambda one: one[0])
    return choice, rounds, validation


def _row(
    method: str, told: str, validation: float, final: Sequence[dict], carved: Sequence[dict]
) -> dict:
    values, others = [one["value"] for one in final], [one["value"] for one in carved]
    return {
        "method": method,
        "chosen on validation": told,
        "validation": validation,
        "test": np.mean(values),
        "sd over seeds": np.std(values, ddof=1) if values[1:] else np.nan,
        "low": final[0]["low"],
        "high": final[0]["high"],
        "test of five draws": np.mean(others),
        "sd over draws": np.std(others, ddof=1),
    }


def _ridge(home: Path) -> dict:
    """Return the converged pooled ridge Cox; its penalty is best on validation over the draws."""
    merit = {penalty: [] for penalty in PENALTIES}
    tests = {penalty: [] for penalty in PENALTIES}
    for seed in SEEDS:
        features, patients = _pooled_features(home, seed, VALIDATION)
        for penalty in PENALTIES:
            risk = fitted(features, patients, penalty)
            merit[penalty].append(patients.concordance(risk, patients.rows("validation")))
            tests[penalty].append(_judged(patients, risk))
    best = max(PENALTIES, key=lambda penalty: np.mean(merit[penalty]))
    features, patients = _pooled_features(home, SEEDS[0], 0.0)
    final = [_judged(patients, fitted(features, patients, best))]
    told = f"penalty {best:.3g}, converged"
    return _row("pooled ridge Cox (lifelines)", told, np.mean(merit[best]), final, tests[best])


def _judged(patients: Patients, risk: np.ndarray) -> dict:
    rows = patients.rows("test")
    return concordance(risk[rows], time=patients.time[rows], event=patients.event[rows]).as_dict()


def _pooled_features(home: Path, seed: int, share: float) -> tuple[np.ndarray, Patients]:
    cohort = read_cohort(_pooled_sites(home, seed, share) / POOLED)
    split = assign_split(cohort, validation=0.0, test=0.0, seed=seed)
    site = np.array([patient.split("/")[0] for patient in cohort.patients])
    patients = Patients(cohort.time, cohort.event, split, site)
    values = omics_vector(cohort, tables=(TABLE,)).values.astype(np.float64)
    known = np.ones(len(values), bool)
    return standardised(values, patients.rows("train"), known), patients


def _table(rows: pd.DataFrame, published: pd.DataFrame, home: Path) -> str:
    known = published[published["Test"] == "Pooled Test"].set_index("Method")
    for column in ("mean", "std"):
        rows[f"published {column}"] = rows["method"].map(PUBLISHED).map(known[column])
    rows.to_csv(home / "table.csv", index=False)
    lines = [list(rows.columns), ["---"] * len(rows.columns)]
    lines += [[_cell(value) for value in row] for row in rows.itertuples(index=False)]
    text = "\n".join(f"| {' | '.join(line)} |" for line in lines)
    (home / "table.md").write_text(text + "\n")
    return text


def _cell(value: object) -> str:
    if isinstance(value, float):
        return "-" if value != value else f"{value:.3f}"
    return str(value)


if __name__ == "__main__":
    sys.exit(main())
