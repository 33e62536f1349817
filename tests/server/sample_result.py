"""A result.json as a run on nine hospitals writes it: tiny sites, nulls, odd names."""

import copy
import math
import random
from typing import Any

from server.attendance import events

HASH = "3f7a90c2e4b1586d" * 4
QUARTER = 91.3125
NAMES = (
    ("Hôpital Saint-Éloi", 138, 41),
    ("Universitätsklinikum Köln", 97, 9),
    ("Henry Ford <b>Hospital</b> & Sons", 86, 29),
    ("京都大学病院", 61, 18),
    ("site-06", 52, 34),
    ("Szpital św. Łukasza", 46, 8),
    ("Cost $1 & $2 Clinic", 34, 5),
    ("pooled-small", 31, 17),
    ("evaluate {{ 7*7 }}", 24, 26),
)


RECORDED: dict[str, Any] = {
    "schema_version": 1,
    "timings": {
        "created": "2025-03-02T14:05:09+00:00",
        "total_seconds": 271.4, "rounds_seconds": [12.5] * 20, "resumed_after": [],
    },
    "config": {
        "seed": 1, "rounds": 20, "resume": False, "sites": "", "model.name": "gated",
        "model.tokens": 4, "model.width": 32, "model.dropout": 0.25, "data.clip": 5.0,
        "split.validation": 0.16, "split.test": 0.2, "objective.name": "cox",
        "training.lr": 0.001, "training.local-steps": 10, "federation.strategy": "fedavg",
    },
    "config_hash": HASH,
    "versions": {
        "concord": "0.1.0", "python": "3.11.2", "torch": "2.13.0", "flwr": "1.42.0",
        "numpy": "2.3.1",
    },
    "model": {
        "name": "gated", "title": "Gated fusion", "modalities": ["slides", "omics"],
        "paper": "Chen et al. 2020, Pathomic Fusion, IEEE Transactions on Medical Imaging",
        "parameters": 214817, "local_parameters": 0, "macs_per_patient": 1938400,
        "objective": "cox", "couples_patients": True, "chosen_on": "validation",
        "chosen_round": 15, "rounds": 20,
        "file": "model.safetensors", "sha256": HASH,
    },
    "inputs": {
        "encoder": "hipt-4k", "feature_width": 192, "tables": ["rna", "cnv", "mutation"],
        "clinical": ["age"], "features_used": 1591, "features_dropped": 12,
        "features_hash": HASH, "clip": 5.0, "clipped_share": 0.0031,
        "scaling": "federated", "cuts": [],
        "components": {"rna": {"number": 12, "variance_share": 0.49}},
        "groups": {"tumour": 73, "tme": 108},
    },
    "privacy": {
        "differential_privacy": False,
        "statement": "Trained without differential privacy: model updates and sums over "
        "patients left the sites as they were, without added noise.",
    },
    "not_measured": [
        "How the model does for patients treated differently from those at these sites.",
        "Fairness between groups of patients (sex, age, origin).",
    ],
}  # fmt: skip
"""The parts of a result that hold no figure of a patient."""


AUDITED: dict[str, Any] = {
    "excluded": 7, "uninformative": 0, "primary": "local", "reasons": [],
    "modalities": ["slides", "omics"], "matrix": [[0.21, 0.008], [0.008, 0.34]],
    "pairs": {"slides+omics": 0.046, "standard_errors": {"slides+omics": 0.009}},
    "dividends": {
        "slides": 0.21, "omics": 0.34, "slides+omics": 0.016,
        "standard_errors": {"slides": 0.05, "omics": 0.06, "slides+omics": 0.011},
    },
    "dividend_sizes": {
        "slides": 0.44, "omics": 0.52, "slides+omics": 0.035,
        "standard_errors": {"slides": 0.03, "omics": 0.04, "slides+omics": 0.006},
    },
    "concordance": {
        "full": 0.702, "additive": 0.7005, "slides": 0.631, "omics": 0.684, "gain": 0.0015,
        "standard_errors": {"full": 0.04, "additive": 0.04, "slides": 0.05, "omics": 0.04},
        "comparable_pairs": 612, "reason": None,
    },
    "heterogeneity": {
        "local": {
            "cochran_q": 9.3, "degrees": 7, "p_value": 0.231, "i_squared": 0.247,
            "sites_left_out": 3, "min_patients": 10, "reason": None,
        }
    },
}  # fmt: skip
"""The parts of an audit that are the same at each site of the sample."""


def estimate(value: float | None, error: float | None = 0.02, **more: Any) -> dict[str, Any]:
    if value is None:
        return {"value": None, "low": None, "high": None, "standard_error": None} | more
    spread = 1.96 * error
    low, high = max(0.0, value - spread), min(1.0, value + spread)
    return {
        "value": value, "low": low, "high": high, "standard_error": error, "reason": None, **more,
    }  # fmt: skip


def split(total: int) -> dict[str, int]:
    test, validation = round(total * 0.2), round(total * 0.16)
    return {
        "total": total, "train": total - test - validation, "validation": validation, "test": test,
    }  # fmt: skip


def site(index: int) -> dict[str, Any]:
    name, patients, events = NAMES[index]
    held_out = index == len(NAMES) - 1
    counts = {"total": patients, "train": 0, "validation": 0, "test": patients}
    events = min(events, patients - 4)
    return {
        "name": name,
        "role": "evaluate-only" if held_out else "train",
        "patients": counts if held_out else split(patients),
        "events": (counts | {"total": events, "test": events}) if held_out else split(events),
        "missing": {"slides": index * 2 % 7, "omics": index % 3, "partial_omics": index // 3},
        "rounds_answered": 0 if held_out else 20 - (index == 5),
        "data_hash": HASH[index:] + HASH[:index],
    }


def site_evaluation(entry: dict[str, Any], index: int) -> dict[str, Any]:
    patients, events = entry["patients"]["test"], entry["events"]["test"]
    wrong = "no comparable pair: no test patient of this site had the event"
    few = f"{events} events: not interpretable" if events < 5 else None
    value = 0.66 + 0.02 * (index * 5 % 7)
    figure = estimate(value, 0.5 / math.sqrt(3 * events), comparable_pairs=events * patients // 2)
    figure = figure if events > 1 else estimate(None, reason=wrong, comparable_pairs=0)
    brier = estimate(0.17 + 0.01 * index, 0.03, until_days=1826.25)
    return {
        "name": entry["name"], "patients": patients, "events": events, "concordance": figure,
        "uno": figure | {"tau": 1826.25, "censoring_source": "training patients of all sites"},
        "integrated_brier": brier, "note": few,
    }  # fmt: skip


def curve(name: str, rate: float, seed: int, patients: int = 60) -> dict[str, Any]:
    draw = random.Random(seed)
    pairs = [(draw.expovariate(rate), draw.uniform(300, 5200)) for _ in range(patients)]
    survival, greenwood, seen = 1.0, 0.0, []
    for bin_index in range(60):
        start, end = bin_index * QUARTER, (bin_index + 1) * QUARTER
        at_risk = sum(min(pair) >= start for pair in pairs)
        deaths = sum(start <= event < end and event <= limit for event, limit in pairs)
        if at_risk == 0:
            break
        if deaths and at_risk > deaths:
            survival *= 1 - deaths / at_risk
            greenwood += deaths / (at_risk * (at_risk - deaths))
        width = 1.96 * math.sqrt(greenwood) / abs(math.log(survival)) if survival < 1 else 0.0
        band = (survival ** math.exp(width), survival ** math.exp(-width))
        seen.append((end, survival, *(band if survival < 1 else (None, None)), at_risk))
    time, value, low, high, at_risk = (list(column) for column in zip(*seen, strict=True))
    events = sum(event <= limit for event, limit in pairs)
    return {
        "name": name, "patients": patients, "events": events, "time": time, "survival": value,
        "low": low, "high": high, "at_risk": at_risk,
    }  # fmt: skip


def calibration(horizon: float, drop: float) -> dict[str, Any]:
    groups = []
    for index in range(5):
        predicted = 0.97 - drop * (index + 0.5) / 5
        observed = predicted + 0.05 * math.sin(3 * index + horizon)
        bounds = {"low": max(0.0, observed - 0.13), "high": min(1.0, observed + 0.09)}
        figure = {"predicted": predicted, "observed": min(1.0, observed)} | bounds
        groups.append({"name": f"risk fifth {index + 1}", "patients": 24} | figure)
    return {"horizon_days": horizon, "groups": groups}


def audit_figures(interaction: float, patients: int) -> dict[str, Any]:
    slides = 0.42 * (1 - interaction)
    parts = {"slides": slides, "omics": 1 - interaction - slides, "interaction": interaction}
    errors = {name: 0.1 / math.sqrt(patients) for name in parts}
    local = estimate(interaction, errors["interaction"]) | parts | {"standard_errors": errors}
    variance = estimate(interaction**2, 0.004) | {
        "interaction": interaction**2, "r2_additive": 1 - interaction**2,
        "r2_additive_standard_error": 0.002, "r2_additive_ssr": 0.982,
    }  # fmt: skip
    warning = "the mean contributions are near 0, so this ratio is ill-conditioned"
    shares = {
        "local": local, "ratio": local | {"value": interaction * 0.9},
        "global": local | {"value": 0.31, "low": 0.0, "high": 0.9, "warning": warning},
        "published": local | {"value": interaction * 0.6}, "moebius": local, "variance": variance,
    }  # fmt: skip
    signed = {"synergy": interaction / 3, "redundancy": interaction / 1.5}
    return {"patients": patients, "shares": shares, "signed": signed} | AUDITED


def round_entry(number: int) -> dict[str, Any]:
    value = 0.79 - 0.27 * math.exp(-number / 4) - 0.001 * max(0, number - 14)
    names = [name for name, _, _ in NAMES[:-1]]
    lost = number == 7
    failure = {"site": names[5], "reason": "timed out after 3600 s"}
    return {
        "round": number,
        "answered": [name for name in names if not (lost and name == names[5])],
        "failed": [failure] if lost else [],
        "accepted": True,
        "attempts": min(number, 1),
        "loss": {
            "train": None if number == 21 else 3.1 - 0.9 * (1 - math.exp(-number / 6)),
            "validation": 2.9 - 0.5 * (1 - math.exp(-number / 4)) + 0.004 * number,
        },
        "steps": 0 if number == 21 else 10,
        "concordance": {"value": value, "low": value - 0.06, "high": value + 0.05},
        "sites": [
            {"name": name, "concordance": value, "patients": 12, "events": 4} for name in names
        ],
        "audit": None,
    }


def pooled_evaluation(tested: list[dict[str, Any]]) -> dict[str, Any]:
    source = "training patients of all sites"
    return {
        "patients": sum(entry["patients"] for entry in tested),
        "events": sum(entry["events"] for entry in tested),
        "concordance": estimate(0.781, 0.024, comparable_pairs=4127.5),
        "uno": estimate(0.764, 0.03, tau=1826.25, censoring_source=source),
        "integrated_brier": estimate(0.154, 0.014, until_days=1826.25),
        "within_sites": estimate(0.702, 0.041, comparable_pairs=612),
    }


def evaluation(sites: list[dict[str, Any]]) -> dict[str, Any]:
    tested = [site_evaluation(entry, index) for index, entry in enumerate(sites)]
    horizons = {365.25: 0.28, 1095.75: 0.62, 1826.25: 0.85}
    return {
        "split": "test",
        "pooled": pooled_evaluation(tested),
        "sites": tested,
        "curves": {
            "groups": [curve("lower risk", 0.00012, 3), curve("higher risk", 0.0007, 4)],
            "logrank": {"statistic": 28.4, "degrees": 1, "p_value": 1e-7, "reason": None},
        },
        "calibration": [calibration(horizon, drop) for horizon, drop in horizons.items()],
    }


def audit(tested: list[dict[str, Any]]) -> dict[str, Any]:
    sites = [
        {"name": entry["name"]} | audit_figures(0.03 + 0.006 * index, max(4, entry["patients"]))
        for index, entry in enumerate(tested)
    ]
    nothing = {key: estimate(None, reason="no patient") for key in sites[6]["shares"]}
    sites[6] |= {"shares": nothing, "patients": 0}
    whole = {"split": "test", "background": "embedding-mean", "round": 15, "sites": sites}
    return whole | audit_figures(0.046, 121)


def sample_result() -> dict[str, Any]:
    sites = [site(index) for index in range(len(NAMES))]
    measured = evaluation(sites)
    figures = {
        "sites": sites,
        "rounds": (rounds := [round_entry(number) for number in range(1, 22)]),
        "events": events(rounds),
        "evaluation": measured,
        "audit": audit(measured["sites"]),
    }
    return copy.deepcopy(RECORDED | figures)


def unimodal_result() -> dict[str, Any]:
    result = sample_result()
    result["model"] |= {"name": "wsi_only", "title": "Slides alone", "modalities": ["slides"]}
    result["audit"] = None
    return result


def empty_result() -> dict[str, Any]:
    """Nothing could be measured: two lone sites without an event in the test split."""
    result = sample_result()
    gone = {
        key: estimate(None, reason="no event among the test patients")
        for key in ("concordance", "uno", "integrated_brier", "within_sites")
    }
    gone["uno"] |= {"tau": None, "censoring_source": None}
    gone["integrated_brier"] |= {"until_days": None}
    result["sites"] = result["sites"][:1]
    result["rounds"], result["events"] = [], []
    result["audit"] = None
    logrank = {"statistic": None, "degrees": None, "p_value": None, "reason": "no event"}
    result["evaluation"] |= {
        "pooled": {"patients": 2, "events": 0} | gone,
        "sites": [],
        "curves": {"groups": [], "logrank": logrank},
        "calibration": [],
    }
    result["not_measured"] = []
    return result
