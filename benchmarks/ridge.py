"""The simple rival of the benchmarks: a converged ridge Cox model, judged like the federation."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd
from lifelines import CoxPHFitter

from fusion.config import RunConfig
from fusion.readers.cohort import Cohort
from fusion.readers.omics import omics_vector
from fusion.readers.scaling import clipped
from fusion.survival.baseline import baseline_sums, breslow
from fusion.survival.bins import RiskGrid, TimeGrid
from fusion.survival.calibration import brier_sums
from fusion.survival.concordance import combine_within, concordance
from fusion.survival.moments import moments
from fusion.survival.tallies import count

SLIDE_COMPONENTS, RNA_COMPONENTS = 16, 12

PENALTIES = tuple(10.0 ** np.arange(-3.0, 1.1, 0.25))
"""Strengths of lifelines' penalty among which validation chooses."""


@dataclass(frozen=True, eq=False)
class Patients:
    """Outcomes, split and site of all patients, in one order."""

    time: np.ndarray
    event: np.ndarray
    split: np.ndarray
    site: np.ndarray

    def rows(self, split: str) -> np.ndarray:
        return np.flatnonzero(self.split == split)

    def concordance(self, risk: np.ndarray, rows: np.ndarray) -> float:
        """Return the exact concordance of some patients, or 0 where no pair is comparable."""
        found = concordance(risk[rows], time=self.time[rows], event=self.event[rows])
        return found.estimate.value or 0.0

    def within(self, risk: np.ndarray, rows: np.ndarray) -> dict:
        """Return the mean concordance within sites, weighted by comparable pairs."""
        groups = [rows[self.site[rows] == name] for name in np.unique(self.site[rows])]
        return combine_within(
            [concordance(risk[g], time=self.time[g], event=self.event[g]) for g in groups]
        ).as_dict()


def standardised(values: np.ndarray, train: np.ndarray, known: np.ndarray) -> np.ndarray:
    """Return columns with mean 0 and deviation 1 over known training patients; unknown are 0."""
    rows = train[known[train]]
    mean, sd = values[rows].mean(0), values[rows].std(0)
    varies = sd > 1e-8
    return np.where(known[:, None], (values[:, varies] - mean[varies]) / sd[varies], 0.0)


def components(values: np.ndarray, number: int, train: np.ndarray, known: np.ndarray) -> np.ndarray:
    """Return standardised principal components, their axes fitted on known training patients."""
    scaled = standardised(values, train, known)
    _, _, axes = np.linalg.svd(scaled[train[known[train]]], full_matrices=False)
    return standardised(scaled @ axes[:number].T, train, known)


def blocks(
    cohort: Cohort, train: np.ndarray, mean: np.ndarray, clip: float
) -> Iterator[np.ndarray]:
    """Yield slide components, RNA components and the other omics tables as they are."""
    if cohort.feature_width:
        yield components(mean, SLIDE_COMPONENTS, train, cohort.has_slides)
    for name, table in cohort.tables.items():
        vector = clipped(omics_vector(cohort, tables=(name,)), clip)
        values = np.nan_to_num(vector).astype(np.float64)
        if name == "rna":
            yield components(values, RNA_COMPONENTS, train, table.present)
        else:
            yield standardised(values, train, table.present)


def column(cohort: Cohort, name: str, train: np.ndarray) -> np.ndarray:
    values = omics_vector(cohort, tables=(), clinical=(name,)).values.astype(np.float64)
    known = ~np.isnan(values[:, 0])
    return standardised(np.nan_to_num(values), train, known)


def mean_patches(cohort: Cohort) -> np.ndarray:
    """Return each patient's mean patch; 0 without slides."""
    bags = cohort.bags()
    means = np.zeros((len(cohort.patients), max(cohort.feature_width, 1)))
    for row in np.flatnonzero(cohort.has_slides):
        chunks = list(bags.chunks(int(row), 8192))
        means[row] = sum(c.sum(0, dtype=np.float64) for c in chunks) / sum(map(len, chunks))
    return means


def ridge_cox(features: np.ndarray, patients: Patients, config: RunConfig) -> dict:
    """Return the figures of the ridge Cox model whose penalty is best on validation.

    Fitted on training patients to convergence; Efron's ties.
    """
    validation = patients.rows("validation")
    risks = {p: fitted(features, patients, p) for p in PENALTIES}
    merit = {p: patients.concordance(risk, validation) for p, risk in risks.items()}
    best = max(merit, key=merit.__getitem__)
    figures = judge(risks[best], patients, config)
    return {"penalty": best, "validation": merit[best]} | figures


def judge(risk: np.ndarray, patients: Patients, config: RunConfig) -> dict:
    """Return test figures by the coordinator's own arithmetic: shared bins, training references."""
    train, test = patients.rows("train"), patients.rows("test")
    grid = TimeGrid(config.evaluation.time_step, config.evaluation.time_bins)
    spread = moments(risk[train])
    risks = RiskGrid(spread.centre, spread.scale, config.evaluation.risk_bins)
    grids = {"time_grid": grid, "risk_grid": risks}
    of_train = {"time": patients.time[train], "event": patients.event[train]}
    of_test = {"time": patients.time[test], "event": patients.event[test]}
    counts = count(risk[test], **of_test, **grids)
    censoring = count(risk[train], **of_train, **grids).censoring_curve("training patients")
    tau = min(censoring.until(), float(grid.edges[-2]))
    baseline = breslow(baseline_sums(risk[train], **of_train, time_grid=grid), grid)
    times = np.linspace(0.0, tau, 101)[1:]
    curves = baseline.survival(risk[test], times)
    brier = brier_sums(curves, **of_test, times=times, censoring=censoring)
    return {
        "patients": len(test),
        "events": int(patients.event[test].sum()),
        "concordance": counts.concordance().as_dict(),
        "exact": patients.concordance(risk, test),
        "uno": counts.uno(censoring, tau).as_dict(),
        "integrated_brier": brier.estimate().as_dict(),
        "within_sites": patients.within(risk, test),
    }


def fitted(features: np.ndarray, patients: Patients, penalty: float) -> np.ndarray:
    """Return the risk of all patients under a ridge Cox model of the training patients."""
    train = patients.rows("train")
    names = [f"x{place}" for place in range(features.shape[1])]
    table = pd.DataFrame(features[train], columns=names)
    table = table.assign(time=patients.time[train], event=patients.event[train])
    model = CoxPHFitter(penalizer=penalty, l1_ratio=0.0).fit(table, "time", "event")
    return features @ model.params_.loc[names].to_numpy()
