"""The simple rival: a converged ridge Cox model on components, judged as the coordinator judges."""

import warnings
from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Bool
from lifelines import CoxPHFitter
from lifelines.exceptions import ConvergenceError

from fusion.config import RunConfig, names
from fusion.errors import ConcordError, ConfigError
from fusion.readers.bags import Room
from fusion.readers.cohort import Cohort
from fusion.readers.omics import omics_vector
from simulations.patients import (
    Kept,
    Matrix,
    Patients,
    Rows,
    judge,
    patients_of,
    standardised,
    table_of,
)

RIDGES = ("ridge", "ridge+age")
"""Names of the ridge models: without age, and with the clinical column `age`."""

SLIDE_COMPONENTS, OMICS_COMPONENTS = 16, 12
"""Principal components of the mean patch, and of an omics table that is wide."""

WIDE = 64
"""Columns from which a table is wide; a narrower one stays whole."""

PENALTIES = tuple(10.0 ** np.arange(-3.0, 1.1, 0.25))
"""Strengths of lifelines' penalty among which validation chooses."""


class NotConvergedError(ConcordError):
    """A ridge Cox model whose coefficients did not settle."""


def judge_ridge(model: str, cohorts: Sequence[Cohort], config: RunConfig) -> dict[str, Any]:
    """Return the figures of a ridge Cox model trained on all patients who do not test.

    Principal components of the mean patch and of wide omics tables, the others whole,
    axes and scaling from training patients; the penalty is chosen on validation patients.

    Args:
        model: One of `RIDGES`.
        cohorts: Sites whose splits are fixed; evaluate-only sites are all test.
        config: Omics tables, clip and grids of the runs it stands beside.

    Returns:
        Test figures as in result.json, `validation`, `penalty`, `parameters`, and patients.

    Raises:
        ConfigError: There is no column `age`, or no event to train on.
        NotConvergedError: No penalty gives a converged fit.

    Privacy: pools patient data; for one machine.

    Source: own, over lifelines.
    """
    patients = patients_of(cohorts)
    if not patients.event[patients.rows("train")].any():
        raise ConfigError(f"{model} must have an event to train on, got none. Use fewer folds.")
    parts = list(_blocks(cohorts, patients.rows("train"), config))
    if model == "ridge+age":
        parts.append(_column(cohorts, "age", patients.rows("train")))
    features = np.concatenate(parts, axis=1)
    penalty, risk, validation = choose_penalty(features, patients)
    figures = judge(risk, patients, config)
    told = {"penalty": penalty, "validation": validation, "parameters": features.shape[1]}
    return figures | told | {"train": len(patients.rows("train"))}


def choose_penalty(features: Matrix, patients: Patients) -> tuple[float, np.ndarray, float]:
    """Return the penalty that ranks validation patients best, its risks, and that concordance.

    Args:
        features: Standardised on training patients.
        patients: Outcomes and splits; each penalty is fitted on training patients alone.

    Raises:
        NotConvergedError: No penalty gives a converged fit; those that do not are left out.

    Source: own.
    """
    validation = patients.rows("validation")
    risks = {}
    for penalty in PENALTIES:
        with suppress(NotConvergedError):
            risks[penalty] = fitted(features, patients, penalty)
    if not risks:
        raise NotConvergedError(
            "Ridge Cox must converge at some penalty, got none. Leave ridge out."
        )
    merit = {p: patients.concordance(risk, validation) for p, risk in risks.items()}
    best = max(merit, key=merit.__getitem__)
    return best, risks[best], merit[best]


def fitted(features: Matrix, patients: Patients, penalty: float) -> np.ndarray:
    """Return the risk of all patients under a ridge Cox model of the training patients.

    Args:
        features: One row a patient.
        patients: Outcomes and splits.
        penalty: As lifelines counts it: per patient.

    Raises:
        NotConvergedError: lifelines' steps do not settle.

    Source: lifelines (Efron's ties).
    """
    train = patients.rows("train")
    columns = [f"x{place}" for place in range(features.shape[1])]
    table = pd.DataFrame(features[train], columns=columns)
    table = table.assign(time=patients.time[train], event=patients.event[train])
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        try:
            model = CoxPHFitter(penalizer=penalty, l1_ratio=0.0).fit(table, "time", "event")
        except ConvergenceError as error:
            raise _unsettled(penalty, error) from None
    for warning in told:
        if "Newton-Raphson" in str(warning.message):
            raise _unsettled(penalty, warning.message)
    return features @ model.params_.loc[columns].to_numpy()


def _unsettled(penalty: float, told: Exception | str) -> NotConvergedError:
    reason = str(told).splitlines()[0]
    return NotConvergedError(f"Ridge Cox must converge at penalty {penalty:g}, got '{reason}'.")


def _components(
    values: Matrix, number: int, train: Rows, known: Bool[np.ndarray, " patient"]
) -> Kept:
    """Return standardised principal components, their axes fitted on known training patients."""
    scaled = standardised(values, train, known)
    if not scaled.shape[1]:
        return scaled
    _, _, axes = np.linalg.svd(scaled[train[known[train]]], full_matrices=False)
    return standardised(scaled @ axes[:number].T, train, known)


def _blocks(cohorts: Sequence[Cohort], train: Rows, config: RunConfig) -> Iterator[Matrix]:
    """Yield slide components, components of wide omics tables, and the others as they are."""
    if any(cohort.feature_width for cohort in cohorts):
        mean = np.concatenate([_mean_patches(cohort, _width(cohorts)) for cohort in cohorts])
        known = np.concatenate([cohort.has_slides for cohort in cohorts])
        yield _components(mean, SLIDE_COMPONENTS, train, known)
    chosen = names(config.data.omics)
    for table in cohorts[0].tables:
        if chosen == ("all",) or table in chosen:
            values, known = table_of(cohorts, table, config.data.clip)
            if values.shape[1] >= WIDE:
                yield _components(values, OMICS_COMPONENTS, train, known)
            else:
                yield standardised(values, train, known)


def _column(cohorts: Sequence[Cohort], name: str, train: Rows) -> Matrix:
    """Return a clinical column, 0 where it is not known."""
    columns = [omics_vector(cohort, tables=(), clinical=(name,)).values for cohort in cohorts]
    values = np.concatenate(columns).astype(np.float64)
    return standardised(np.nan_to_num(values), train, ~np.isnan(values[:, 0]))


def _width(cohorts: Sequence[Cohort]) -> int:
    return max(cohort.feature_width for cohort in cohorts)


def _mean_patches(cohort: Cohort, width: int) -> Matrix:
    """Return each patient's mean patch; 0 without slides."""
    bags = cohort.bags(Room(0))
    means = np.zeros((len(cohort.patients), width))
    for row in np.flatnonzero(cohort.has_slides):
        chunks = list(bags.chunks(int(row), 8192))
        means[row] = sum(c.sum(0, dtype=np.float64) for c in chunks) / sum(map(len, chunks))
    return means
