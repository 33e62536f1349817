"""Breslow's baseline hazard on a shared time grid, from sums that sites can add."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from fusion.survival.bins import TimeGrid
from fusion.survival.estimate import Flags, Values, require_finite

LIMIT = 50.0
"""Log hazards are cut to [-LIMIT, LIMIT] around the shift, so that nothing overflows."""


@dataclass(frozen=True)
class BaselineSums:
    """Events and hazard of those who leave, a time bin; sites' sums add up.

    Attributes:
        events: Events in each bin.
        event_mass: Sum of exp(log_hazard - shift) over the patients with an event in the bin.
        censored_mass: The same over those censored in the bin.
        shift: Shared public number taken off every log hazard.

    Source: own.
    """

    events: Float[np.ndarray, " bin"]
    event_mass: Float[np.ndarray, " bin"]
    censored_mass: Float[np.ndarray, " bin"]
    shift: float = 0.0

    @property
    def hazard_mass(self) -> Float[np.ndarray, " bin"]:
        """Sum of exp(log_hazard - shift) over everyone at risk at the start of each bin.

        Source: own.
        """
        return np.cumsum((self.event_mass + self.censored_mass)[::-1])[::-1]

    def __add__(self, other: "BaselineSums") -> "BaselineSums":
        return BaselineSums(
            self.events + other.events,
            self.event_mass + other.event_mass,
            self.censored_mass + other.censored_mass,
            self.shift,
        )

    def to_array(self) -> Float[np.ndarray, "3 bin"]:
        """Return events, event mass and censored mass as rows.

        Source: own.
        """
        return np.stack([self.events, self.event_mass, self.censored_mass])

    @classmethod
    def from_array(cls, array: Float[np.ndarray, "3 bin"], shift: float = 0.0) -> "BaselineSums":
        """Return the sums that `to_array` laid out.

        Raises:
            FederationError: An entry is not finite.

        Source: own.
        """
        require_finite("Baseline sums", array)
        return cls(array[0], array[1], array[2], shift)


@dataclass(frozen=True)
class Baseline:
    """The cumulative hazard of a patient whose log hazard equals the shift.

    Attributes:
        times: Days, increasing, from 0.
        cumulative_hazard: H0 at each time; even between times, flat after the last.
        shift: Taken off every log hazard.

    Source: own.
    """

    times: Float[np.ndarray, " edge"]
    cumulative_hazard: Float[np.ndarray, " edge"]
    shift: float = 0.0

    def accumulated(
        self, log_hazard: Values, times: Float[np.ndarray, " time"]
    ) -> Float[np.ndarray, "patient time"]:
        """Return H0(t) exp(log_hazard - shift), the hazard a patient meets until each time.

        Args:
            log_hazard: Model outputs.
            times: Days, >= 0; past the grid's open bin nothing is added.

        Returns:
            Cumulative hazards.

        Source: Breslow 1972, discussion of Cox, J R Stat Soc B 34:216.
        """
        cumulative = np.interp(times, self.times, self.cumulative_hazard)
        return _hazard(log_hazard, self.shift)[:, None] * cumulative[None, :]

    def survival(
        self, log_hazard: Values, times: Float[np.ndarray, " time"]
    ) -> Float[np.ndarray, "patient time"]:
        """Return exp(-H0(t) exp(log_hazard - shift)), the chance to be event-free at each time.

        Args:
            log_hazard: Model outputs.
            times: Days, >= 0; past the grid's open bin the curve stays flat.

        Returns:
            Probabilities.

        Source: Breslow 1972, discussion of Cox, J R Stat Soc B 34:216.
        """
        return np.exp(-self.accumulated(log_hazard, times))


def baseline_sums(
    log_hazard: Values, *, time: Values, event: Flags, time_grid: TimeGrid, shift: float = 0.0
) -> BaselineSums:
    """Return what one site adds to the baseline hazard.

    Patients censored on day 0 were never at risk and are left out.

    Args:
        log_hazard: Model outputs of the patients the baseline is estimated from.
        time: Follow-up in days.
        event: True = event seen.
        time_grid: Shared bins.
        shift: Shared public number taken off every log hazard.

    Returns:
        Mergeable sums.

    Raises:
        FederationError: A log hazard or time is not finite.

    Privacy: A bin with one patient tells that patient's hazard to whoever knows the time.

    Source: own (Breslow's estimate, binned).
    """
    require_finite("Log hazard", log_hazard)
    require_finite("Time", time)
    place, size = time_grid.index(time), time_grid.count
    mass = _hazard(log_hazard, shift) * (event | (time > 0))
    sums = np.zeros((size, 3))
    np.add.at(sums, place, np.stack([event, mass * event, mass * ~event], axis=1))
    return BaselineSums.from_array(sums.T, shift)


def breslow(sums: BaselineSums, time_grid: TimeGrid) -> Baseline:
    """Return Breslow's cumulative baseline hazard from the federation's sums.

    In bin k with d events, H0 rises by d / (M - C/2 - (1 - 1/d) E/2): M at risk at its start, C
    and E the mass leaving by censoring and by event. That is the mean risk set the d events saw
    when all leave evenly over the bin. Where a bin is a day or less its times are equal and the
    rise is Breslow's d / M. The last bin is open, so its events have no known time and H0 ends
    at its start.

    Args:
        sums: Sums over all sites.
        time_grid: The grid they were counted on.

    Returns:
        H0 at the grid's edges up to the start of the open bin.

    Source: Breslow 1972; midpoint correction own (as the actuarial life table).
    """
    spread = 1.0 - 1.0 / np.maximum(sums.events, 1.0)
    gone = (sums.censored_mass + spread * sums.event_mass) / 2.0
    exposed = sums.hazard_mass - (0.0 if time_grid.exact else gone)
    rise = np.divide(sums.events, exposed, out=np.zeros_like(exposed), where=exposed > 0)
    cumulative = np.concatenate([[0.0], np.cumsum(rise[:-1])])
    return Baseline(time_grid.edges[:-1], cumulative, sums.shift)


def _hazard(log_hazard: Values, shift: float) -> Values:
    return np.exp(np.clip(log_hazard.astype(np.float64) - shift, -LIMIT, LIMIT))
