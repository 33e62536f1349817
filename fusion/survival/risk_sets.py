"""The hazard at risk over time as mergeable sums, so that sites can stand in one risk set."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Float

from fusion.errors import FederationError
from fusion.survival.bins import TimeGrid
from fusion.survival.estimate import Flags, Values, require_finite


@dataclass(frozen=True, eq=False)
class RiskSums:
    """Who leaves the risk set in each time bin, and how much hazard with them; sums add up.

    Within a bin all are taken to leave evenly. Hazards are kept as logarithms, so that log
    hazards of any size stay finite.

    Attributes:
        patients: Patients whose follow-up ends in each bin; a fraction where bins were merged.
        events: Those of them with an event.
        log_hazard: Log of their mean exp(log hazard); 0 in a bin that nobody leaves in.
        time_grid: The shared bins.

    Source: own.
    """

    patients: Float[np.ndarray, " bin"]
    events: Float[np.ndarray, " bin"]
    log_hazard: Float[np.ndarray, " bin"]
    time_grid: TimeGrid

    def __add__(self, other: "RiskSums") -> "RiskSums":
        patients, events = self.patients + other.patients, self.events + other.events
        total = np.logaddexp(self.leaving, other.leaving)
        return RiskSums(patients, events, _mean(total, patients), self.time_grid)

    @cached_property
    def leaving(self) -> Float[np.ndarray, " bin"]:
        """Log of the sum of exp(log hazard) of those who leave in each bin; -inf = nobody.

        Source: own.
        """
        return self.log_hazard + _log(self.patients)

    @cached_property
    def later(self) -> Float[np.ndarray, " bin"]:
        """Log of the same sum over those who leave in any later bin.

        Source: own.
        """
        staying = np.logaddexp.accumulate(self.leaving[::-1])[::-1]
        return np.append(staying[1:], -np.inf)

    def at_risk(self, time: Values) -> Values:
        """Return the log hazard sum of those at risk at some times; -inf = nobody.

        Who leaves in the same bin counts with the share of the bin that is still to come; in the
        open last bin with one half.

        Args:
            time: Days, >= 0.

        Source: own (those who leave are spread evenly over their bin).
        """
        grid, place = self.time_grid, self.time_grid.index(time)
        left = np.where(place == grid.count - 1, 0.5, (grid.edges[place + 1] - time) / grid.step)
        return np.logaddexp(self.later[place], self.leaving[place] + np.log(left))

    def at_risk_at_events(self) -> Float[np.ndarray, " bin"]:
        """Return the mean log hazard sum at risk that an event of each bin sees.

        All who leave later, itself, and half of the others who leave in its bin: with n leaving,
        (1 + 1/n) / 2 of their sum.

        Source: own (as the actuarial life table).
        """
        share = (self.patients + 1.0) / 2.0  # of the mean hazard: n (1 + 1/n) / 2
        seen = np.where(self.patients > 0, self.log_hazard + np.log(share), -np.inf)
        return np.logaddexp(self.later, seen)

    def without_small_bins(self, least: int = 2) -> "RiskSums":
        """Return the sums with bins merged until `least` patients leave in each.

        Each difference of two hazard sums is then one over so many patients. A merged run
        goes from its first to its last leaver; its patients, events and hazard are spread evenly
        over its bins. Fewer that are left over join the run before; fewer in all count as nobody.

        Source: own.
        """
        rows = np.zeros((3, self.time_grid.count))
        for run in _runs(self.patients, least):
            patients, width = self.patients[run].sum(), run.stop - run.start
            rows[0, run] = patients / width
            rows[1, run] = self.events[run].sum() / width
            rows[2, run] = np.logaddexp.reduce(self.leaving[run]) - np.log(patients)
        return RiskSums(rows[0], rows[1], rows[2], self.time_grid)

    def to_array(self) -> Float[np.ndarray, "3 bin"]:
        """Return patients, events and mean log hazard as rows, for the wire.

        Source: own.
        """
        return np.stack([self.patients, self.events, self.log_hazard])

    @classmethod
    def from_array(cls, rows: Float[np.ndarray, "..."], time_grid: TimeGrid) -> "RiskSums":
        """Return the sums that `to_array` laid out.

        Raises:
            FederationError: The shape is another, an entry is not finite, or a count is no count.

        Source: own.
        """
        if rows.shape != (3, time_grid.count):
            raise FederationError(
                f"Risk set sums must be 3 rows of {time_grid.count} bins, got {rows.shape}. "
                "Use the same version and settings everywhere."
            )
        require_finite("Risk set sums", rows)
        patients, events, log_hazard = rows.astype(np.float64)
        if (events < 0).any() or (events > patients).any():
            raise FederationError(
                "Events in risk set sums must lie between 0 and the patients of their bin, got "
                f"{events.sum():g} events of {patients.sum():g} patients. Check the sending site."
            )
        return cls(patients, events, log_hazard, time_grid)


def risk_sums(log_hazard: Values, *, time: Values, event: Flags, time_grid: TimeGrid) -> RiskSums:
    """Return one site's patients as risk set sums, bins of one patient included.

    Patients censored on day 0 were never at risk and are left out.

    Args:
        log_hazard: Model outputs.
        time: Follow-up in days.
        event: True = event seen.
        time_grid: Shared bins.

    Returns:
        Mergeable sums; call `without_small_bins` before they leave the site.

    Raises:
        FederationError: A log hazard or time is not finite.

    Privacy: a bin with one patient tells that patient's hazard.

    Source: own.
    """
    require_finite("Log hazard", log_hazard)
    require_finite("Time", time)
    counted = event | (time > 0)
    place, size = time_grid.index(time[counted]), time_grid.count
    patients = np.bincount(place, minlength=size).astype(np.float64)
    events = np.bincount(place[event[counted]], minlength=size).astype(np.float64)
    total = np.full(size, -np.inf)
    np.logaddexp.at(total, place, log_hazard[counted].astype(np.float64))
    return RiskSums(patients, events, _mean(total, patients), time_grid)


def _mean(
    total: Float[np.ndarray, " bin"], patients: Float[np.ndarray, " bin"]
) -> Float[np.ndarray, " bin"]:
    """Return log(sum / number) of each bin; 0 without patients."""
    return np.where(patients > 0, total - np.log(np.where(patients > 0, patients, 1.0)), 0.0)


def _log(patients: Float[np.ndarray, " bin"]) -> Float[np.ndarray, " bin"]:
    return np.where(patients > 0, np.log(np.where(patients > 0, patients, 1.0)), -np.inf)


def _runs(patients: Float[np.ndarray, " bin"], least: int) -> list[slice]:
    """Return the shortest stretches of bins, from the first on, that `least` or more leave in."""
    runs: list[slice] = []
    waiting: list[int] = []
    for place in np.flatnonzero(patients).tolist():
        waiting.append(place)
        if patients[waiting].sum() >= least:
            runs.append(slice(waiting[0], place + 1))
            waiting = []
    if waiting and runs:
        runs[-1] = slice(runs[-1].start, waiting[-1] + 1)
    return runs
