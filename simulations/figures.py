"""One row of figures a fold, setting and model, read from the results of its trials."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from simulations.audited import audit_columns, is_error
from simulations.fold_folders import TEST
from simulations.rivals import REFERENCES
from simulations.trials import Trial

KEYS = ("protocol", "repeat", "fold", "setting", "model")
"""What names a row."""

AVERAGED = (
    "concordance", "own_concordance", "within", "uno", "brier", "balanced_accuracy", "macro_f1",
    "accuracy", "interaction", "r2_additive", "validation",
)  # fmt: skip
"""Figures of `local` that are means over sites, weighted by training patients; so are the audit's,
without their errors."""

UNAUDITED = ("validation", "parameters", "train", "penalty", "steps", "seconds")
"""What reference models and ensembles tell beside their test figures, as far as they have it."""

Row = dict[str, Any]


def rows_of(trials: Sequence[Trial], *, trainers: Mapping[str, int]) -> tuple[list[Row], list[Row]]:
    """Return a row a fold, setting and model, and a row a site that trained alone.

    Args:
        trials: Finished ones count; a local figure needs all of its sites.
        trainers: Training sites of each fold, by the fold's name, able to train alone or not.

    Returns:
        The rows of runs.csv, and those of local.csv.

    Source: own.
    """
    groups: dict[tuple, list[Trial]] = {}
    for trial in trials:
        groups.setdefault(tuple(getattr(trial, key) for key in KEYS), []).append(trial)
    rows, alone = [], []
    for group in groups.values():
        found = [_row(trial) for trial in group if trial.finished]
        if group[0].site:
            alone += found
        if len(found) == len(group):
            sites = trainers[group[0].fold_name]
            rows.append(_mean_over_sites(found, sites) if group[0].site else found[0])
    return rows, alone


def _row(trial: Trial) -> Row:
    told = {key: getattr(trial, key) for key in KEYS}
    told |= {"seed": trial.config.seed, "others": trial.others}
    result = trial.result()
    if trial.search:
        told["chosen"] = ", ".join(f"{key}={result['config'][key]}" for key in trial.search.grid)
    if trial.model in REFERENCES or trial.members > 1:
        found = {key: result[key] for key in UNAUDITED if key in result}
        site = {"site": trial.site} if trial.site else {}
        return told | site | dict.fromkeys(AVERAGED) | _tested(result) | found
    known = told | {"site": trial.site} if trial.site else told
    return known | _tested(result["evaluation"]["pooled"]) | _trained(result) | _own(trial, result)


def _tested(pooled: Mapping[str, Any]) -> Row:
    """Return the test figures; of classes, the concordance is the mean of their AUC."""
    return _tested_classes(pooled) if "auc" in pooled else _tested_survival(pooled)


def _tested_classes(pooled: Mapping[str, Any]) -> Row:
    return {
        "concordance": pooled["auc"]["value"],
        "low": pooled["auc"]["low"],
        "high": pooled["auc"]["high"],
        "within": pooled["within_sites"]["value"],
        "test": pooled["patients"],
        **{key: pooled[key]["value"] for key in ("balanced_accuracy", "macro_f1", "accuracy")},
        **{f"auc.{one['name']}": one["auc"]["value"] for one in pooled["classes"]},
    }


def _tested_survival(pooled: Mapping[str, Any]) -> Row:
    return {
        "concordance": pooled["concordance"]["value"],
        "low": pooled["concordance"]["low"],
        "high": pooled["concordance"]["high"],
        "within": pooled["within_sites"]["value"],
        "uno": pooled["uno"]["value"],
        "brier": pooled["integrated_brier"]["value"],
        "test": pooled["patients"],
        "test_events": pooled["events"],
    }


def _trained(result: Mapping[str, Any]) -> Row:
    model, config = result["model"], result["config"]
    chosen = next(one for one in result["rounds"] if one["round"] == model["chosen_round"])
    audit = result["audit"]
    shares = audit["shares"] if audit else None
    return {
        "interaction": shares["local"]["value"] if shares else None,
        "interaction_se": shares["local"]["standard_error"] if shares else None,
        "r2_additive": shares["variance"]["r2_additive"] if shares else None,
        "validation": chosen["concordance"]["value"],
        "round": chosen["round"],
        "steps": config["rounds"] * config["training.local-steps"],
        "parameters": model["parameters"],
        "train": sum(site["patients"]["train"] for site in result["sites"]),
        "seconds": result["timings"]["total_seconds"],
    } | audit_columns(audit)


def _own(trial: Trial, result: Mapping[str, Any]) -> Row:
    """Return how a site that trained alone does on the own hospital's test patients."""
    if not trial.site:
        return {}
    tested = {site["name"]: site for site in result["evaluation"]["sites"]}
    own = tested.get(f"{trial.site}{TEST}")
    key = "auc" if own and "auc" in own else "concordance"
    return {"own_concordance": own[key]["value"] if own else None}


def _mean_over_sites(rows: Sequence[Row], trainers: int) -> Row:
    """Return the row of a fold's local setting."""
    told = {
        key: rows[0].get(key) for key in (*KEYS, "seed", "others", "test", "test_events", "steps")
    }
    audited = dict.fromkeys(name for row in rows for name in row if "." in name)
    names = [*AVERAGED, *(name for name in audited if not is_error(name))]
    means = {name: _weighted(rows, name) for name in names}
    return told | means | {
        "parameters": rows[0]["parameters"],
        "train": sum(row["train"] for row in rows),
        "seconds": sum(row["seconds"] for row in rows),
        "sites_alone": len(rows),
        "sites": trainers,
    }  # fmt: skip


def _weighted(rows: Sequence[Row], name: str) -> float | None:
    """Return the mean over sites that have the figure, weighted by training patients."""
    known = [row for row in rows if row.get(name) is not None]
    if not known:
        return None
    return float(np.average([row[name] for row in known], weights=[row["train"] for row in known]))
