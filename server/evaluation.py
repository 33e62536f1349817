"""The chosen model on the test patients, as the result tells it: survival, or classes."""

from typing import Any

import numpy as np

from fusion.config import RunConfig, numbers
from fusion.objectives.base import AbstractSurvivalObjective
from fusion.survival.baseline import Baseline
from fusion.survival.calibration import SurvivalOfRisk, calibration
from fusion.survival.curves import CensoringCurve
from fusion.survival.noised_counts import Counts, NoisedCounts
from server.class_scores import ClassScore
from server.closing import Reference
from server.scores import Score, Scored

RISK_GROUPS = 3
"""Groups of risk that calibration is shown for."""


def evaluate(score: Scored, reference: Reference, config: RunConfig) -> dict[str, Any]:
    """Return the result's part on the test patients.

    Args:
        score: Their counts, added up.
        reference: What they were measured with.
        config: The run's settings.

    Source: own.
    """
    if isinstance(score, ClassScore):
        return {"label": config.objective.label, **score.evaluation()}
    return _survival(score, reference, config)


def _survival(score: Score, reference: Reference, config: RunConfig) -> dict[str, Any]:
    counts = score.counts
    groups = [
        {"name": g.name, "patients": g.patients, "events": g.events, **g.curve.as_dict()}
        for g in counts.groups(2)
    ]
    return {
        "split": "test",
        "pooled": _pooled(score, reference),
        "sites": [site for site in score.sites if site["patients"]],
        "curves": {"groups": groups, "logrank": counts.logrank(2).as_dict()},
        "calibration": _calibration(counts, reference, config),
    }


def _pooled(score: Score, reference: Reference) -> dict[str, Any]:
    counts, tau = score.counts, reference.yardstick.tau
    concordance, uno = counts.concordance(), counts.uno(_known(reference.censoring), tau)
    return {
        "patients": counts.patients,
        "events": counts.events,
        "noised": isinstance(counts, NoisedCounts),
        "concordance": concordance.as_dict() | score.together(concordance.estimate),
        "uno": uno.as_dict() | score.together(uno.estimate),
        "integrated_brier": score.together(score.brier) | {"until_days": tau},
        "within_sites": score.together(score.within) | {"comparable_pairs": score.pairs},
    }


def _known(censoring: CensoringCurve | None) -> CensoringCurve:
    if censoring is None:
        raise TypeError("A model of survival is measured with a censoring curve.")
    return censoring


def _calibration(counts: Counts, reference: Reference, config: RunConfig) -> list[dict[str, Any]]:
    """Return predicted beside observed survival at the stated horizons, in thirds of risk."""
    baseline, objective = reference.baseline, reference.network.survival
    found = []
    for horizon in numbers(config.evaluation.horizons, "evaluation.horizons"):
        groups = calibration(
            counts, _at(horizon, objective, baseline), horizon=horizon, groups=RISK_GROUPS
        )
        found.append({"horizon_days": horizon, "groups": [group.as_dict() for group in groups]})
    return found


def _at(
    horizon: float, objective: AbstractSurvivalObjective, baseline: Baseline | None
) -> SurvivalOfRisk:
    """Return what gives the predicted survival at one horizon for a patient of each risk."""
    when = np.array([horizon])
    return lambda risk: objective.survival(risk, times=when, baseline=baseline)[:, 0]
