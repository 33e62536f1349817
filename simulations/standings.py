"""Means over folds and paired differences: the tables of a comparison."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from fusion.errors import ConfigError
from fusion.registry import nearest
from fusion.training.checkpoint import write_atomically
from simulations.audited import is_error
from simulations.figures import KEYS, Row
from simulations.paired import mean_over_folds, paired_difference

COMPARED = ("concordance", "within", "brier")
"""Figures whose differences are stated."""

COLUMNS = (
    "seed", "concordance", "low", "high", "own_concordance", "within", "uno", "brier",
    "balanced_accuracy", "macro_f1", "accuracy",
    "interaction", "interaction_se", "r2_additive", "validation", "round", "steps", "parameters",
    "penalty", "chosen", "train", "others", "test", "test_events", "sites", "sites_alone",
    "seconds",
)  # fmt: skip
"""Columns of runs.csv after those that name a row."""

SPREAD = ("concordance", "interaction", "r2_additive")
"""Figures whose spread over folds is stated, beside all of the audit's (their names have a dot)."""

AUDITED = (
    "local.interaction", "ratio.interaction", "global.interaction", "published.interaction",
    "moebius.interaction", "variance.interaction", "variance.r2_additive",
    "concordance.additive", "concordance.gain",
)  # fmt: skip
"""What the second table shows of the audit."""

SHOWN = (
    "own_concordance", "within", "uno", "brier", "balanced_accuracy", "macro_f1", "interaction",
    "r2_additive", "seconds",
)  # fmt: skip
"""Further columns of the table for people; one that no row has falls away."""

NOTE = (
    "mean, sd: of the test concordance over folds. difference: paired, fold by fold, to {against}, "
    "with the 95% corrected resampled t interval of Nadeau and Bengio (folds share training "
    "patients). federated, pooled and local take {steps} optimiser steps a site. local: each site "
    "alone, judged on all test patients, mean over sites weighted by training patients; own: on "
    "its own hospital's test patients. Where classes are predicted, concordance is the mean of "
    "their AUC, each class against all others."
)

AUDIT_NOTE = (
    "Of the audit on test patients: mean, sd over folds, and the 95% interval of the mean after "
    "Nadeau and Bengio. Each run's own standard errors (over its patients) stand in runs.csv "
    "under the same names with `.se`."
)


@dataclass(frozen=True, eq=False)
class Standings:
    """The tables of a comparison.

    Attributes:
        runs: One row a fold, setting and model.
        means: One row a setting and model.
        note: How to read them.
    """

    runs: pd.DataFrame
    means: pd.DataFrame
    note: str

    def write(self, out: Path) -> None:
        """Write runs.csv, means.csv and table.md, each whole or not at all."""
        for name, table in (("runs.csv", self.runs), ("means.csv", self.means)):
            write_atomically(
                out / name, table.convert_dtypes().to_csv(index=False, lineterminator="\n").encode()
            )
        parts = [_markdown(self.lines()), self.note]
        audited = self.audit_lines()
        parts += [_markdown(audited), AUDIT_NOTE] if len(audited) > 1 else []
        write_atomically(out / "table.md", ("\n\n".join(parts) + "\n").encode())

    def lines(self) -> list[list[str]]:
        """Return the table for people, the first line its header."""
        header = ["protocol", "model", "setting", "folds", "mean", "sd", "difference (95%)"]
        shown = [name for name in SHOWN if self.means[name].notna().any()]
        rows = [
            [row["protocol"], row["model"], row["setting"], str(row["folds"])]
            + [_cell(row["concordance"]), _cell(row["concordance_sd"]), _difference(row)]
            + [_cell(row[name], name) for name in shown]
            for row in self.means.to_dict("records")
        ]
        return [[*header, *(name.replace("_", " ") for name in shown)], *rows]

    def audit_lines(self) -> list[list[str]]:
        """Return the audit's table for people, the first line its header; no row, no audit."""
        names = [name for name in AUDITED if name in self.means]
        header = ["protocol", "model", "setting", "folds"]
        rows = [
            [row["protocol"], row["model"], row["setting"], str(row["folds"])]
            + [_spread(row, name) for name in names]
            for row in self.means.to_dict("records")
            if any(not _absent(row[name]) for name in names)
        ]
        return [[*header, *names], *rows]


def stand(rows: Sequence[Row], *, against: str, steps: int) -> Standings:
    """Return the tables of all finished runs.

    Args:
        rows: Of `figures.rows_of`.
        against: `MODEL:SETTING` that all others are compared with.
        steps: Optimiser steps of each run.

    Source: own.
    """
    audited = dict.fromkeys(name for row in rows for name in row if "." in name)
    runs = pd.DataFrame(rows).reindex(columns=[*KEYS, *COLUMNS, *audited])
    means = [
        _standing(group, runs, against)
        for _, group in runs.groupby(["protocol", "model", "setting"], sort=False)
    ]
    return Standings(runs, pd.DataFrame(means), NOTE.format(against=against, steps=steps))


def check_against(against: str, entries: Sequence[str]) -> str:
    """Return `against`, or the first entry if it is empty.

    Raises:
        ConfigError: It is not among the entries.

    Source: own.
    """
    if against and against not in entries:
        raise ConfigError(
            f"--against must be MODEL:SETTING of this comparison, got '{against}'. "
            f"{nearest(against, entries)}"
        )
    return against or entries[0]


def _standing(group: pd.DataFrame, runs: pd.DataFrame, against: str) -> Row:
    """Return a setting and model's means, and its differences from the baseline."""
    first = group.iloc[0]
    told = {key: first[key] for key in ("protocol", "model", "setting")} | {"folds": len(group)}
    numbers = group[[*COMPARED, *SHOWN, "accuracy", "validation", "low", "high"]].astype(float)
    told |= numbers.mean().to_dict() | _spreads(group)
    if f"{first['model']}:{first['setting']}" == against:
        return told
    model, _, setting = against.partition(":")
    same = (runs["protocol"] == first["protocol"]) & (runs["setting"] == setting)
    return told | _differences(group, runs[same & (runs["model"] == model)])


def _spreads(group: pd.DataFrame) -> Row:
    """Return mean, sd and interval over folds of the concordance and of the audit's figures."""
    ratio, found = float((group["test"] / group["others"]).mean()), Row()
    audited = (name for name in group if "." in name and not is_error(name))
    for name in (*SPREAD, *audited):
        known = group[name].astype(float).dropna()
        over = mean_over_folds(known.to_numpy(), test_to_train=ratio)
        found |= {
            name: over.mean,
            f"{name}_sd": known.std(),
            f"{name}_low": over.low,
            f"{name}_high": over.high,
        }
    return found


def _differences(group: pd.DataFrame, baseline: pd.DataFrame) -> Row:
    """Return the paired differences over the folds that both have."""
    both = group.merge(baseline, on=["repeat", "fold"], suffixes=("", "_of_baseline"))
    ratio = float((both["test"] / both["others"]).mean()) if len(both) else 0.0
    found: Row = {"paired_folds": len(both)}
    for name in COMPARED:
        pair = both[[name, f"{name}_of_baseline"]].astype(float).dropna().to_numpy()
        difference = paired_difference(pair[:, 0], pair[:, 1], test_to_train=ratio)
        found[f"{name}_difference"] = difference.mean
        found[f"{name}_difference_low"] = difference.low
        found[f"{name}_difference_high"] = difference.high
    return found


def _difference(row: Row) -> str:
    middle, low, high = (row.get(f"concordance_difference{end}") for end in ("", "_low", "_high"))
    if _absent(middle):
        return "-"
    return f"{middle:+.3f}" + ("" if _absent(low) else f" ({low:+.3f} to {high:+.3f})")


def _spread(row: Row, name: str) -> str:
    """Return `mean, sd (low to high)`, as far as they are known."""
    middle, sd, low, high = (row[name + end] for end in ("", "_sd", "_low", "_high"))
    if _absent(middle):
        return "-"
    told = _cell(middle) + ("" if _absent(sd) else f", {sd:.3f}")
    return told + ("" if _absent(low) else f" ({low:.3f} to {high:.3f})")


def _cell(value: float | None, name: str = "") -> str:
    if value is None or _absent(value):
        return "-"
    return f"{value:.0f}" if name == "seconds" else f"{value:.3f}"


def _absent(value: float | None) -> bool:
    return value is None or bool(np.isnan(value))


def _markdown(lines: Sequence[Sequence[str]]) -> str:
    rows = [lines[0], ["---"] * len(lines[0]), *lines[1:]]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)
