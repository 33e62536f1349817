"""All patients of a fold on one machine: what the reference models are fitted to and judged on."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Int, Shaped

from fusion.config import RunConfig
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


def patients_of(cohorts: Sequence[Cohort]) -> Patients:
    """Return the outcomes and splits of all sites' patients; evaluate-only sites are all test.

    Args:
        cohorts: Sites whose splits are fixed.

    Privacy: pools patient data; for one machine.

    Source: own.
    """

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


def table_of(
    cohorts: Sequence[Cohort], table: str, clip: float
) -> tuple[Matrix, Bool[np.ndarray, " patient"]]:
    """Return an omics table over all cohorts with the genes of the first, and who has a row.

    Args:
        cohorts: Sites.
        table: Name of the table.
        clip: Values are cut to [-clip, clip].

    Source: own.
    """
    genes = tuple(f"{table}:{gene}" for gene in cohorts[0].tables[table].genes)
    vectors = [
        align(omics_vector(cohort, tables=held_tables(cohort, (table,))), genes)
        for cohort in cohorts
    ]
    values = np.concatenate([clipped(vector, clip) for vector in vectors])
    known = np.concatenate([vector.present for vector in vectors])
    return np.nan_to_num(values).astype(np.float64), known
