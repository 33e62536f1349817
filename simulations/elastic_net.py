"""Cox's model with an elastic net on omics, converged, its penalty chosen on validation."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from fusion.config import RunConfig
from fusion.errors import ConfigError
from fusion.modalities import is_wanted
from fusion.objectives.cox import cox_loss
from fusion.readers.cohort import Cohort
from simulations.patients import Kept, Patients, judge, patients_of, standardised, table_of

ELASTIC_NET = "elastic-net"
"""Name of the reference model."""

L1_RATIOS = (0.1, 0.5, 1.0)
"""Shares of the L1 part among which validation chooses; 1 is the lasso."""

PATH = tuple(10.0 ** np.arange(0.0, -2.01, -0.2))
"""Penalties among which validation chooses, as shares of the smallest that leaves no weight."""

TOLERANCE, MOST_STEPS = 1e-5, 20_000

Weights = Float[Tensor, " feature"]


def judge_elastic_net(cohorts: Sequence[Cohort], config: RunConfig) -> dict[str, Any]:
    """Return the figures of an elastic net Cox model trained on all patients who do not test.

    Every column of the omics tables, standardised on training patients; a patient without a table
    has its mean there.

    Args:
        cohorts: Sites whose splits are fixed; evaluate-only sites are all test.
        config: Omics tables, clip and grids of the runs it stands beside.

    Returns:
        Test figures as in result.json, `validation`, `penalty`, `l1_ratio`, `parameters` (weights
        that are not 0), and patients.

    Raises:
        ConfigError: There is no omics table, or no event to train on.

    Privacy: pools patient data; for one machine.

    Source: own; Simon et al., Journal of Statistical Software 39(5), 2011.
    """
    patients = patients_of(cohorts)
    features = _features(cohorts, patients, config)
    if not patients.event[patients.rows("train")].any():
        raise ConfigError(
            f"{ELASTIC_NET} must have an event to train on, got none. Use fewer folds."
        )
    best: dict[str, Any] = {"validation": -1.0}
    for ratio in L1_RATIOS:
        for penalty, weights in penalty_path(features, patients, ratio):
            risk = features @ weights
            merit = patients.concordance(risk, patients.rows("validation"))
            if merit > best["validation"]:
                told = {"penalty": penalty, "l1_ratio": ratio, "validation": merit}
                best = told | {"risk": risk, "parameters": int(np.count_nonzero(weights))}
    figures = judge(best.pop("risk"), patients, config)
    return figures | best | {"train": len(patients.rows("train"))}


def penalty_path(
    features: Kept, patients: Patients, ratio: float
) -> Iterator[tuple[float, Float[np.ndarray, " kept"]]]:
    """Yield falling penalties and, for each, the weights fitted to training patients.

    They minimise loss(w) + penalty (ratio |w|_1 + (1 - ratio) / 2 |w|²), the loss being Cox's with
    Efron's ties, a training event. Each fit starts from the one before.

    Args:
        features: One row a patient, standardised.
        patients: Outcomes and splits.
        ratio: Share of the L1 part, above 0.

    Source: own; Friedman, Hastie and Tibshirani, Journal of Statistical Software 33(1), 2010.
    """
    loss = _Loss(features, patients)
    weights = torch.zeros(features.shape[1], dtype=torch.float64)
    _, slope = loss(weights)
    largest = float(slope.abs().max()) / ratio
    for share in PATH:
        weights = _fit(loss, weights, share * largest, ratio)
        yield share * largest, weights.numpy()


class _Loss:
    """Cox's loss of the training patients and its slope, as a function of the weights."""

    def __init__(self, features: Kept, patients: Patients) -> None:
        train = patients.rows("train")
        self.features = torch.tensor(features[train])
        self.time = torch.tensor(patients.time[train])
        self.event: Bool[Tensor, " patient"] = torch.tensor(patients.event[train])

    def __call__(self, weights: Weights) -> tuple[float, Weights]:
        risk = (self.features @ weights).requires_grad_()
        loss = cox_loss(risk, time=self.time, event=self.event)
        (slope,) = torch.autograd.grad(loss, risk)
        return float(loss.detach()), self.features.T @ slope


def _fit(loss: _Loss, weights: Weights, penalty: float, ratio: float) -> Weights:
    """Return the minimum by accelerated proximal steps, begun anew whenever they overshoot.

    Source: Beck and Teboulle, SIAM J. Imaging Sciences 2(1), 2009; restart: O'Donoghue and Candès,
        Foundations of Computational Mathematics 15, 2015.
    """
    ahead, momentum, curvature = weights, 1.0, 1.0
    for _ in range(MOST_STEPS):
        value, slope = loss(ahead)
        while True:
            moved = _proximal(ahead - slope / curvature, penalty / curvature, ratio)
            step = moved - ahead
            bound = value + float(slope @ step + curvature / 2 * step @ step)
            if loss(moved)[0] <= bound + 1e-12:
                break
            curvature *= 2
        if float(step.abs().max()) * curvature < TOLERANCE:
            return moved
        overshot = float((ahead - moved) @ (moved - weights)) > 0
        following = 1.0 if overshot else (1 + (1 + 4 * momentum**2) ** 0.5) / 2
        ahead = moved + (0.0 if overshot else (momentum - 1) / following) * (moved - weights)
        weights, momentum = moved, following
    return weights


def _proximal(weights: Weights, strength: float, ratio: float) -> Weights:
    """Return the weights drawn towards 0: cut by the L1 part, divided by the other."""
    cut = weights.sign() * (weights.abs() - strength * ratio).clamp(min=0)
    return cut / (1 + strength * (1 - ratio))


def _features(cohorts: Sequence[Cohort], patients: Patients, config: RunConfig) -> Kept:
    tables = [name for name in cohorts[0].tables if is_wanted(name, config.data)]
    if not tables:
        raise ConfigError(f"{ELASTIC_NET} must read an omics table, got none. Leave it out.")
    train = patients.rows("train")
    found = [table_of(cohorts, name, config.data.clip) for name in tables]
    return np.concatenate([standardised(values, train, known) for values, known in found], axis=1)
