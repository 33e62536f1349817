"""The simple rival: a converged ridge Cox model on components, judged as the coordinator judges."""

import warnings
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Bool, Float, Int, Shaped
from lifelines import CoxPHFitter
from lifelines.exceptions import ConvergenceError

from fusion.config import RunConfig, names
from fusion.errors import ConcordError, ConfigError
from fusion.readers.bags import Room
from fusion.readers.cohort import Cohort
from fusion.readers.omics import align, held_tables, omics_vector
from fusion.readers.scaling import clipped
from fusion.survival.baseline import baseline_sums, breslow
from fusion.survival.bins import RiskGrid, TimeGrid
from fusion.survival.calibration import brier_sums
from fusion.survival.concordance import combine_within, concordance
from fusion.survival.estimate import Estimate
from fusion.survival.moments import moments
from fusion.survival.tallies import count

REFERENCES = ("ridge", "ridge+age")
"""Names of the reference models: without age, and with the clinical column `age`."""

SLIDE_COMPONENTS, RNA_COMPONENTS = 16, 12
"""Principal components of the mean patch, and of the table `rna`; other tables stay whole."""

PENALTIES = tuple(10.0 ** np.arange(-3.0, 1.1, 0.25))
"""Strengths of lifelines' penalty among which validation chooses."""

Matrix = Float[np.ndarray, "patient feature"]
Kept = Float[np.ndarray, "patient kept"]
Rows = Int[np.ndarray, " row"]


@dataclass(frozen=True, eq=False)
class Patients:
    """Outcomes, split and site of all patients, in one order.

    Privacy: holds patient data; stays on the machine.

    Source: own.
    """

    time: Float[np.ndarray, " patient"]
    event: Bool[np.ndarray, " patient"]
    split: Shaped[np.ndarray, " patient"]
    site: Shaped[np.ndarray, " patient"]

    def rows(self, split: str) -> Rows:
        """Return the positions of a split's patients."""
        return np.flatnonzero(self.split == split)

    def concordance(self, risk: np.ndarray, rows: Rows) -> float:
        """Return the exact concordance of some patients, or 0 where no pair is comparable."""
        found = concordance(risk[rows], time=self.time[rows], event=self.event[rows])
        return found.estimate.value or 0.0

    def within(self, risk: np.ndarray, rows: Rows) -> Estimate:
        """Return the mean concordance within sites, weighted by comparable pairs."""
        groups = [rows[self.site[rows] == name] for name in np.unique(self.site[rows])]
        return combine_within(
            [concordance(risk[g], time=self.time[g], event=self.event[g]) for g in groups]
        )


class NotConvergedError(ConcordError):
    """A ridge Cox model whose coefficients did not settle."""


def judge_ridge(model: str, cohorts: Sequence[Cohort], config: RunConfig) -> dict[str, Any]:
    """Return the figures of a ridge Cox model trained on all patients who do not test.

    Principal components of the mean patch and of the table `rna`, every other omics table whole,
    axes and scaling from training patients; the penalty is chosen on validation patients.

    Args:
        model: One of `REFERENCES`.
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
    patients = _patients(cohorts)
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


def judge(risk: np.ndarray, patients: Patients, config: RunConfig) -> dict[str, Any]:
    """Return test figures by the coordinator's own arithmetic: shared bins, training references.

    Args:
        risk: Of all patients, higher = earlier event.
        patients: Outcomes, splits and sites.
        config: Grids of the evaluation.

    Source: own.
    """
    train, test = patients.rows("train"), patients.rows("test")
    grid = TimeGrid(config.evaluation.time_step, config.evaluation.time_bins)
    spread = moments(risk[train])
    risks = RiskGrid(spread.centre, spread.scale, config.evaluation.risk_bins)
    of_train = {"time": patients.time[train], "event": patients.event[train]}
    of_test = {"time": patients.time[test], "event": patients.event[test]}
    counts = count(risk[test], **of_test, time_grid=grid, risk_grid=risks)
    known = count(risk[train], **of_train, time_grid=grid, risk_grid=risks)
    censoring = known.censoring_curve("training patients")
    tau = min(censoring.until(), float(grid.edges[-2]))
    baseline = breslow(baseline_sums(risk[train], **of_train, time_grid=grid), grid)
    times = np.linspace(0.0, tau, 101)[1:]
    curves = baseline.survival(risk[test], times)
    brier = brier_sums(curves, **of_test, times=times, censoring=censoring)
    return {
        "patients": len(test),
        "events": int(patients.event[test].sum()),
        "concordance": counts.concordance().as_dict(),
        "uno": counts.uno(censoring, tau).as_dict(),
        "integrated_brier": brier.estimate().as_dict(),
        "within_sites": patients.within(risk, test).as_dict(),
    }


def standardised(values: Matrix, train: Rows, known: Bool[np.ndarray, " patient"]) -> Kept:
    """Return columns with mean 0 and deviation 1 over known training patients; unknown are 0.

    Args:
        values: One row a patient; columns that do not vary fall away.
        train: Training patients.
        known: True = the patient's row is measured.

    Source: own.
    """
    rows = train[known[train]]
    if not len(rows):
        return np.empty((len(values), 0))
    mean, sd = values[rows].mean(0), values[rows].std(0)
    varies = sd > 1e-8
    return np.where(known[:, None], (values[:, varies] - mean[varies]) / sd[varies], 0.0)


def _components(
    values: Matrix, number: int, train: Rows, known: Bool[np.ndarray, " patient"]
) -> Kept:
    """Return standardised principal components, their axes fitted on known training patients."""
    scaled = standardised(values, train, known)
    if not scaled.shape[1]:
        return scaled
    _, _, axes = np.linalg.svd(scaled[train[known[train]]], full_matrices=False)
    return standardised(scaled @ axes[:number].T, train, known)


def _patients(cohorts: Sequence[Cohort]) -> Patients:
    def split(cohort: Cohort) -> np.ndarray:
        if cohort.role == "evaluate-only" or cohort.fixed_split is None:
            return np.full(len(cohort.patients), "test")
        return cohort.fixed_split

    return Patients(
        np.concatenate([cohort.time for cohort in cohorts]),
        np.concatenate([cohort.event for cohort in cohorts]),
        np.concatenate([split(cohort) for cohort in cohorts]),
        np.concatenate([np.full(len(cohort.patients), cohort.name) for cohort in cohorts]),
    )


def _blocks(cohorts: Sequence[Cohort], train: Rows, config: RunConfig) -> Iterator[Matrix]:
    """Yield slide components, RNA components and the other omics tables as they are."""
    if any(cohort.feature_width for cohort in cohorts):
        mean = np.concatenate([_mean_patches(cohort, _width(cohorts)) for cohort in cohorts])
        known = np.concatenate([cohort.has_slides for cohort in cohorts])
        yield _components(mean, SLIDE_COMPONENTS, train, known)
    chosen = names(config.data.omics)
    for table in cohorts[0].tables:
        if chosen == ("all",) or table in chosen:
            values, known = _table(cohorts, table, config.data.clip)
            if table == "rna":
                yield _components(values, RNA_COMPONENTS, train, known)
            else:
                yield standardised(values, train, known)


def _table(
    cohorts: Sequence[Cohort], table: str, clip: float
) -> tuple[Matrix, Bool[np.ndarray, " patient"]]:
    """Return an omics table over all cohorts, with the genes of the first."""
    genes = tuple(f"{table}:{gene}" for gene in cohorts[0].tables[table].genes)
    vectors = [
        align(omics_vector(cohort, tables=held_tables(cohort, (table,))), genes)
        for cohort in cohorts
    ]
    values = np.concatenate([clipped(vector, clip) for vector in vectors])
    known = np.concatenate([vector.present for vector in vectors])
    return np.nan_to_num(values).astype(np.float64), known


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
