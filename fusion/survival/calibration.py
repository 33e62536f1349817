"""Whether predicted survival is right: integrated Brier score, predicted beside observed."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from jaxtyping import Float

from fusion.errors import FederationError
from fusion.survival.curves import CensoringCurve
from fusion.survival.estimate import Z95, Estimate, Flags, Values, require_finite
from fusion.survival.noised_counts import Counts
from fusion.survival.risk_groups import RiskGroup

SurvivalOfRisk: TypeAlias = Callable[[Float[np.ndarray, " bin"]], Float[np.ndarray, " bin"]]
"""Predicted probability of being event-free at the horizon, for a patient of each risk."""


@dataclass(frozen=True)
class BrierSums:
    """Number, sum and sum of squares of patients' Brier contributions; sites' sums add up.

    Attributes:
        count: Patients.
        total: Sum of their contributions.
        square: Sum of their squared contributions.
        noise: Variances of the noise on `count` and on `total`; 0 where both are exact.

    Source: own.
    """

    count: float
    total: float
    square: float
    noise: tuple[float, float] = (0.0, 0.0)

    def __add__(self, other: "BrierSums") -> "BrierSums":
        return BrierSums(
            self.count + other.count,
            self.total + other.total,
            self.square + other.square,
            (self.noise[0] + other.noise[0], self.noise[1] + other.noise[1]),
        )

    def estimate(self) -> Estimate:
        """Return the integrated Brier score, the mean contribution, with its 95% interval.

        The standard error takes the censoring curve as known and includes the noise on the sums;
        the interval is cut at 0.

        Source: Graf et al. 1999, Stat Med 18:2529; interval: mean of independent contributions.
        """
        if self.count <= 0:
            return Estimate(None, reason="no patients")
        mean = self.total / self.count
        if self.count < 2:
            return Estimate(mean, reason="one patient has no spread to measure")
        variance = max(self.square / self.count - mean**2, 0.0) / (self.count - 1)
        variance += (self.noise[1] + mean**2 * self.noise[0]) / self.count**2
        error = float(np.sqrt(variance))
        return Estimate(mean, max(mean - Z95 * error, 0.0), mean + Z95 * error, error)

    def to_array(self) -> Float[np.ndarray, "3"]:
        """Return count, total and square.

        Source: own.
        """
        return np.array([self.count, self.total, self.square], dtype=np.float64)

    @classmethod
    def from_array(cls, array: Float[np.ndarray, "3"]) -> "BrierSums":
        """Return the sums that `to_array` laid out.

        Raises:
            FederationError: An entry is not finite.

        Source: own.
        """
        require_finite("Brier sums", array)
        return cls(float(array[0]), float(array[1]), float(array[2]))


def brier_contributions(
    survival: Float[np.ndarray, "patient time"],
    *,
    time: Values,
    event: Flags,
    times: Float[np.ndarray, " time"],
    censoring: CensoringCurve,
) -> Values:
    """Return each patient's Brier contribution, integrated over `times`.

    At t: S(t)^2 / G(t_i-) after an event at t_i <= t, (1 - S(t))^2 / G(t) while t_i > t, 0 once
    censored; averaged over time by the trapezoid rule. Stop `times` where few are left, see
    `CensoringCurve.until`.

    Args:
        survival: Predicted probability of being event-free at each of `times`.
        time: Follow-up in days.
        event: True = event seen.
        times: Days, increasing; one alone gives the Brier score at that time.
        censoring: Curve G of the censoring, of all sites together.

    Returns:
        One number a patient, at least 0 and at most 1 / G at the last time.

    Raises:
        FederationError: A prediction is not finite, or G is 0 within `times`.

    Privacy: One number a patient; stays at the site.

    Source: Graf et al. 1999, Stat Med 18:2529.
    """
    require_finite("Predicted survival", survival)
    require_finite("Time", time)
    after = censoring.after(times)
    if not len(times) or after.min() <= 0:
        last = f"{times[-1]:g} days" if len(times) else "no time"
        raise FederationError(
            f"Brier times must end while the censoring curve is above 0, got {last}. "
            "End them earlier."
        )
    # an event past the last time never counts as one, and G may be 0 there
    counted = event & (time <= times[-1])
    before = np.where(counted, censoring.at(time), 1.0)
    dead = (time[:, None] <= times[None, :]) & event[:, None]
    alive = time[:, None] > times[None, :]
    error = dead * survival**2 / before[:, None] + alive * (1.0 - survival) ** 2 / after[None, :]
    return _mean_over(times, error)


def brier_sums(
    survival: Float[np.ndarray, "patient time"],
    *,
    time: Values,
    event: Flags,
    times: Float[np.ndarray, " time"],
    censoring: CensoringCurve,
) -> BrierSums:
    """Return the sums of patients' Brier contributions; arguments as `brier_contributions`.

    Privacy: Over one patient the sums are that patient's error.

    Source: as `brier_contributions`.
    """
    return summed_brier(
        brier_contributions(survival, time=time, event=event, times=times, censoring=censoring)
    )


def summed_brier(each: Values) -> BrierSums:
    """Return the sums of patients' Brier contributions.

    Privacy: Over one patient the sums are that patient's error.

    Source: own.
    """
    return BrierSums(float(len(each)), float(each.sum()), float(each @ each))


@dataclass(frozen=True)
class CalibrationGroup:
    """Predicted beside observed survival of one risk group at one horizon.

    Attributes:
        name: Such as "risk group 1 of 4".
        patients: Their number.
        predicted: Mean predicted survival.
        observed: Kaplan-Meier survival with its interval.

    Source: own.
    """

    name: str
    patients: int
    predicted: float
    observed: Estimate

    def as_dict(self) -> dict[str, Any]:
        """Return name, patients, predicted, observed, low, high and reason, ready for JSON.

        Source: own.
        """
        return {
            "name": self.name,
            "patients": self.patients,
            "predicted": self.predicted,
            "observed": self.observed.value,
            "low": self.observed.low,
            "high": self.observed.high,
            "reason": self.observed.reason,
        }


def calibration(
    counts: Counts, survival_of_risk: SurvivalOfRisk, *, horizon: float, groups: int = 4
) -> tuple[CalibrationGroup, ...]:
    """Return predicted beside observed survival at a horizon, by groups of risk.

    Args:
        counts: Counts of all sites.
        survival_of_risk: Predicted survival at the horizon of a patient of each given risk; the
            risks given are the bins' representatives.
        horizon: Days.
        groups: Groups of about equally many patients; fewer come when risks are tied.

    Returns:
        Groups from the lowest risk up; nothing is observed past the end of a group's follow-up.

    Raises:
        FederationError: A prediction is not finite.

    Source: own (grouped calibration; observed by the actuarial Kaplan-Meier estimate).
    """
    predicted = survival_of_risk(counts.risk_grid.representatives)
    require_finite("Predicted survival", predicted)
    patients = counts.by_risk
    return tuple(
        CalibrationGroup(
            group.name,
            group.patients,
            float(np.average(predicted[group.bins], weights=patients[group.bins])),
            _observed(group, horizon),
        )
        for group in counts.groups(groups)
    )


def _observed(group: RiskGroup, horizon: float) -> Estimate:
    """Return the group's survival at the horizon, even between the grid's edges."""
    curve = group.curve
    if horizon > curve.times[-1]:
        return Estimate(None, reason=f"no follow-up to {horizon:g} days")
    value, low, high = (
        float(np.interp(horizon, curve.times, line))
        for line in (curve.survival, curve.low, curve.high)
    )
    return Estimate(value, low, high)


def _mean_over(
    times: Float[np.ndarray, " time"], error: Float[np.ndarray, "patient time"]
) -> Values:
    """Return each patient's error averaged over time by the trapezoid rule."""
    if len(times) == 1:
        return error[:, 0]
    width = np.diff(times)
    return ((error[:, 1:] + error[:, :-1]) / 2.0) @ width / width.sum()
