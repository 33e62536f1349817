"""Figures of patients cut to public ranges, so that noise can hide one patient in their sums."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from fusion.errors import FederationError
from fusion.survival.baseline import BaselineSums
from fusion.survival.bins import TimeGrid
from fusion.survival.calibration import BrierSums
from fusion.survival.estimate import Flags, Values
from fusion.survival.moments import MomentSums
from fusion.survival.tables import sane_table

RISK = 5.0
"""Log hazards are cut to [-RISK, RISK] before they are summed under noise."""

LOSS = 10.0
"""Losses are cut to [0, LOSS]."""

BRIER = 10.0
"""Brier contributions are cut to [0, BRIER]; no more where the censoring curve is 0.1 or more."""

HAZARD = 4.0
"""Hazards relative to a log hazard of 0 are cut to [0, HAZARD]."""


def bounded_scores(
    risk: Values, *, loss: Values | None = None, brier: Values | None = None
) -> Float[np.ndarray, "patient number"]:
    """Return each patient's row of 1, risk, squared risk, and loss, Brier and its square if given.

    Each is divided by its range, so that it lies in [-1, 1]: a row of k numbers is at most
    sqrt(k) long (L2) or k (L1), whoever the patient is.

    Args:
        risk: Log hazards.
        loss: Losses.
        brier: Integrated Brier contributions; only together with losses.

    Returns:
        3, 4 or 6 numbers a patient.

    Privacy: one row a patient; stays at the site.

    Source: own.
    """
    scaled = np.clip(risk / RISK, -1.0, 1.0)
    columns = [np.ones(len(risk)), scaled, scaled**2]
    if loss is not None:
        columns.append(np.clip(loss / LOSS, 0.0, 1.0))
    if brier is not None:
        share = np.clip(brier / BRIER, 0.0, 1.0)
        columns += [share, share**2]
    return np.column_stack(columns)


@dataclass(frozen=True, eq=False)
class BoundedScores:
    """Sums of `bounded_scores` with noise on each; read only where they exceed it.

    Attributes:
        values: 3, 4 or 6 numbers.
        deviation: Standard deviation of the noise on each.

    Source: own.
    """

    values: Float[np.ndarray, " number"]
    deviation: float

    @classmethod
    def from_array(cls, array: np.ndarray, deviation: float) -> "BoundedScores":
        """Return the sums as they came from a site.

        Raises:
            FederationError: They are not 3, 4 or 6 finite numbers.

        Source: own.
        """
        if array.shape not in ((3,), (4,), (6,)) or not np.isfinite(array).all():
            raise FederationError(
                f"Noised scores must be 3, 4 or 6 finite numbers, got shape {array.shape}. "
                "Run the same version at every site."
            )
        return cls(array.astype(np.float64), deviation)

    @property
    def number(self) -> float:
        """Patients; 0 if they are no more than twice the noise.

        Source: own.
        """
        return float(self.values[0]) if self.values[0] > 2.0 * self.deviation else 0.0

    @property
    def moments(self) -> MomentSums:
        """Number, sum and sum of squares of the risks, as some cohort could have them.

        Source: own.
        """
        number = self.number
        total = np.clip(self.values[1], -number, number)
        square = np.clip(self.values[2], total**2 / number if number else 0.0, number)
        return MomentSums(number, RISK * float(total), RISK**2 * float(square))

    @property
    def loss(self) -> Float[np.ndarray, "2"]:
        """Sum of the losses, and patients behind it; zeros without losses.

        Source: own.
        """
        known = self.number if len(self.values) > 3 else 0.0
        total = np.clip(self.values[3], 0.0, known) if known else 0.0
        return np.array([LOSS * total, known], dtype=np.float64)

    @property
    def brier(self) -> BrierSums:
        """Brier contributions with the variances of their noise; of nobody without any.

        Source: own.
        """
        known = self.number if len(self.values) > 4 else 0.0
        if not known:
            return BrierSums(0.0, 0.0, 0.0)
        total = float(np.clip(self.values[4], 0.0, known))
        square = float(np.clip(self.values[5], total**2 / known, known))
        noise = (self.deviation**2, (BRIER * self.deviation) ** 2)
        return BrierSums(known, BRIER * total, BRIER**2 * square, noise)


def bounded_hazards(
    log_hazard: Values, *, time: Values, event: Flags, time_grid: TimeGrid
) -> Float[np.ndarray, "patient number"]:
    """Return each patient's row of events and hazards by time bin, for the baseline.

    Three blocks of bins: 1 where the patient's event is; the hazard over `HAZARD` where the
    patient leaves by an event; the same by censoring. Two numbers of a row are not 0, both at most
    1: a row is at most sqrt(2) long (L2) or 2 (L1).

    Args:
        log_hazard: Model outputs.
        time: Follow-up in days; who is censored on day 0 was never at risk and has zeros.
        event: True = event seen.
        time_grid: Shared bins.

    Privacy: one row a patient; stays at the site.

    Source: own.
    """
    share = np.minimum(np.exp(np.minimum(log_hazard, RISK)) / HAZARD, 1.0)
    rows, place = np.arange(len(time)), time_grid.index(time)
    found = np.zeros((len(time), 3, time_grid.count))
    found[rows, 0, place] = event
    found[rows, np.where(event, 1, 2), place] = share * (event | (time > 0))
    return found.reshape(len(time), 3 * time_grid.count)


def sane_baseline(array: Float[np.ndarray, "3 bin"], deviation: float) -> BaselineSums:
    """Return noised sums of `bounded_hazards` as some cohort could have them.

    Events are none where those at risk are no more than twice the noise on them.

    Args:
        array: Events, event and censored hazards by time bin, in units of `HAZARD`.
        deviation: Standard deviation of the noise on each number.

    Source: own.
    """
    left = sane_table(np.stack([array[2], array[1]], axis=1))
    exposed = np.cumsum(left.sum(axis=1)[::-1])[::-1]
    behind = 2.0 * np.arange(len(left), 0, -1)
    seen = np.maximum(array[0], 0.0) * (exposed > 2.0 * deviation * np.sqrt(behind))
    return BaselineSums(seen, HAZARD * left[:, 1], HAZARD * left[:, 0])
