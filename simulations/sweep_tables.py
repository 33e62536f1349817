"""Figures of a sweep: a row a run, and means over seeds with what they lost to no noise at all."""

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from fusion.training.checkpoint import write_atomically
from simulations.audited import audit_columns
from simulations.paired import FoldMean, mean_over_folds, paired_difference
from simulations.trials import Trial

FIGURES = (
    "concordance", "uno", "brier", "calibration", "interaction", "r2_additive", "spent",
    "membership_auc",
)  # fmt: skip
"""Figures whose means over seeds are stated."""

CHANGES: Mapping[str, str] = {"concordance": "loss", "interaction": "interaction_change"}
"""Figures compared with the same model without noise, seed by seed, and the columns' names."""

ATTACK = "attack.json"
"""What `concord-simulate attack` writes beside a run's result."""

KEYS = ("epsilon", "seed", "model")

Row = dict[str, Any]


@dataclass(frozen=True, eq=False)
class Tables:
    """The tables of a sweep.

    Attributes:
        runs: One row an epsilon, seed and model.
        means: One row an epsilon and model, largest epsilon last.
    """

    runs: pd.DataFrame
    means: pd.DataFrame

    def write(self, out: Path) -> None:
        """Write runs.csv and means.csv, each whole or not at all."""
        for name, table in (("runs.csv", self.runs), ("means.csv", self.means)):
            text = table.to_csv(index=False, lineterminator="\n")
            write_atomically(out / name, text.encode())

    def lines(self) -> list[list[str]]:
        """Return the means for people, the first line its header."""
        header = ["epsilon", "model", "runs", "concordance (95%)", "loss (95%)"]
        rows = [
            [f"{row['epsilon']:g}", row["model"], str(row["runs"])]
            + [told(row, name) for name in ("concordance", "loss")]
            + [told(row, name) for name in ("interaction", "calibration", "membership_auc")]
            for row in self.means.to_dict("records")
        ]
        header += ["interaction (95%)", "calibration error (95%)", "membership AUC (95%)"]
        return [header, *rows]


def told(row: Mapping[str, Any], name: str) -> str:
    """Return a mean of `means` as '0.702 (0.690-0.714)', or a dash.

    Source: own.
    """
    value, low, high = (row.get(key) for key in (name, f"{name}_low", f"{name}_high"))
    if value is None or math.isnan(value):
        return "-"
    if low is None or high is None or math.isnan(low):
        return f"{value:.3f}"
    return f"{value:.3f} ({low:.3f} to {high:.3f})"


def tabulate(trials: Sequence[Trial]) -> Tables:
    """Return the tables of finished runs.

    Args:
        trials: Each with a result.

    Source: own.
    """
    rows = [_row(trial, trial.result()) for trial in trials]
    runs = pd.DataFrame(rows, columns=None if rows else [*KEYS, *FIGURES])
    means = [_mean(group, runs) for _, group in runs.groupby(["epsilon", "model"], sort=False)]
    table = pd.DataFrame(means, columns=None if means else ["epsilon", "model", "runs"])
    return Tables(runs, table.sort_values(["epsilon", "model"], kind="stable", ignore_index=True))


def _row(trial: Trial, result: Mapping[str, Any]) -> Row:
    pooled, audit, model = result["evaluation"]["pooled"], result["audit"], result["model"]
    sites = result["privacy"].get("sites", ())
    shares = audit["shares"]["local"] if audit else {}
    columns = audit_columns(audit)
    return {
        "epsilon": float(trial.protocol.removeprefix("epsilon-")),
        "seed": trial.repeat,
        "model": trial.model,
        "concordance": pooled["concordance"]["value"],
        "low": pooled["concordance"]["low"],
        "high": pooled["concordance"]["high"],
        "uno": pooled["uno"]["value"],
        "brier": pooled["integrated_brier"]["value"],
        "calibration": calibration_error(result["evaluation"]["calibration"]),
        "interaction": shares.get("value"),
        "membership_auc": _membership(trial.folder / ATTACK),
        "r2_additive": columns.get("variance.r2_additive"),
        "spent": max((site["run_epsilon"] for site in sites if site["run_epsilon"]), default=None),
        "delta": max((site["delta"] for site in sites if site["delta"]), default=None),
        "noise_multiplier": max(
            (site["noise_multiplier"] for site in sites if site["noise_multiplier"]), default=None
        ),
        "left": sum(site["left"] is not None for site in sites),
        "round": model["chosen_round"],
        "parameters": model["parameters"],
        "test": trial.tests,
        "others": trial.others,
        "seconds": result["timings"]["total_seconds"],
    } | columns


def _membership(file: Path) -> float | None:
    """Return how well an attack on the run told members; None where none was made."""
    if not file.is_file():
        return None
    found = json.loads(file.read_text(encoding="utf-8"))["pooled"]["membership"]
    return float(found["auc"]["value"]) if found else None


def calibration_error(horizons: Sequence[Mapping[str, Any]]) -> float | None:
    """Return how far predicted survival is from observed, mean over horizons and thirds of risk.

    Args:
        horizons: `evaluation.calibration` of a result; groups without an observation do not count.

    Source: own; each horizon's mean is the integrated calibration index in three groups (Austin,
        Harrell and van Klaveren, Stat Med 39, 2020, for the smooth one).
    """
    gaps = list(_gaps(horizons))
    return float(np.mean(gaps)) if gaps else None


def _gaps(horizons: Sequence[Mapping[str, Any]]) -> Iterator[float]:
    for horizon in horizons:
        for group in horizon["groups"]:
            if group["observed"] is not None and group["predicted"] is not None:
                yield abs(group["predicted"] - group["observed"])


def _mean(group: pd.DataFrame, runs: pd.DataFrame) -> Row:
    """Return the means of an epsilon and model, and what noise changed."""
    first, ratio = group.iloc[0], float((group["test"] / group["others"]).mean())
    told = {"epsilon": first["epsilon"], "model": first["model"], "runs": len(group)}
    for name in FIGURES:
        known = group[name].astype(float).dropna().to_numpy()
        told |= _named(name, mean_over_folds(known, test_to_train=ratio))
        told[f"{name}_sd"] = float(known.std(ddof=1)) if len(known) > 1 else None
    plain = runs[np.isinf(runs["epsilon"]) & (runs["model"] == first["model"])]
    both = group.merge(plain, on="seed", suffixes=("", "_plain"))
    for name, column in CHANGES.items():
        pairs = both[[name, f"{name}_plain"]].astype(float).dropna().to_numpy()
        sides = (pairs[:, 1], pairs[:, 0]) if column == "loss" else (pairs[:, 0], pairs[:, 1])
        told |= _named(column, paired_difference(*sides, test_to_train=ratio))
    return told


def _named(name: str, found: FoldMean) -> Row:
    return {name: found.mean, f"{name}_low": found.low, f"{name}_high": found.high}
