"""Counts by time bin, event and risk bin: add the sites' and get the pooled figures."""

from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float, Float64, Int, Int64, Shaped

from fusion.errors import FederationError
from fusion.survival.bins import RiskGrid, TimeGrid
from fusion.survival.concordance import Concordance, Ranking, concordance_of, uno_weights
from fusion.survival.curves import CensoringCurve, curve_from_table
from fusion.survival.estimate import Flags, Values, require_finite
from fusion.survival.logrank import LogRank, logrank_from_table
from fusion.survival.risk_groups import RiskGroup, group_names, parts_of


@dataclass(frozen=True)
class OutcomeCounts:
    """Patients by time bin, event and risk bin, on grids all sites share.

    Attributes:
        counts: Row 0 holds those censored on day 0, who inform no comparison; row 1 + k is the
            grid's time bin k. Second axis: 0 = censored, 1 = event.
        time_grid: Bins of time.
        risk_grid: Bins of risk.

    Source: own.
    """

    counts: Int64[np.ndarray, "row 2 risk"] | Float64[np.ndarray, "row 2 risk"]
    time_grid: TimeGrid
    risk_grid: RiskGrid

    def __add__(self, other: "OutcomeCounts") -> "OutcomeCounts":
        """Return the counts of both; their grids must be equal."""
        if (self.time_grid, self.risk_grid) != (other.time_grid, other.risk_grid):
            raise FederationError(
                f"Counts must share their grids, got {self.time_grid}, {self.risk_grid} and "
                f"{other.time_grid}, {other.risk_grid}. Send all sites the same grids."
            )
        return OutcomeCounts(self.counts + other.counts, self.time_grid, self.risk_grid)

    @property
    def patients(self) -> int:
        """Number of patients.

        Source: own.
        """
        return round(float(self.counts.sum()))

    @property
    def events(self) -> int:
        """Number of events.

        Source: own.
        """
        return round(float(self.counts[:, 1].sum()))

    @property
    def by_risk(self) -> Shaped[np.ndarray, " bin"]:
        """Patients of each risk bin.

        Source: own.
        """
        return self.counts.sum(axis=(0, 1))

    @property
    def events_drowned(self) -> bool:
        """Whether noise leaves nothing to be read of the events: never, these are exact.

        Source: own.
        """
        return False

    def table(self) -> Shaped[np.ndarray, "row 2"]:
        """Return patients by time bin and event.

        Source: own.
        """
        return self.counts.sum(axis=2)

    def to_array(self) -> Shaped[np.ndarray, "row 2 risk"]:
        """Return the counts alone, for the wire.

        Source: own.
        """
        return self.counts

    @classmethod
    def from_array(
        cls, array: Int64[np.ndarray, "row 2 risk"], *, time_grid: TimeGrid, risk_grid: RiskGrid
    ) -> "OutcomeCounts":
        """Return counts as they came from a site.

        Raises:
            FederationError: The shape does not fit the grids, or a count is negative.

        Source: own.
        """
        shape = (time_grid.count + 1, 2, risk_grid.count)
        if array.shape != shape or (array < 0).any():
            raise FederationError(
                f"Outcome counts must be of shape {shape} and >= 0, got shape {array.shape}. "
                "Run the same version at every site."
            )
        return cls(array, time_grid, risk_grid)

    def concordance(self) -> Concordance:
        """Return Harrell's concordance of the counted patients.

        Risks in one bin are tied. In a time bin wider than a day the order is unknown: two events
        are a pair half right, an event and a censoring half a pair. It nears the pooled figure
        as bins shrink, and is exact once bins hold equal times and equal risks.

        Source: own (`fusion.survival.concordance` with cells as weighted patients).
        """
        time, event, risk, weight = self._cells()
        pairs = event.astype(np.float64)
        return concordance_of(Ranking(risk, time, event, weight, pairs, not self.time_grid.exact))

    def uno(self, censoring: CensoringCurve, tau: float) -> Concordance:
        """Return Uno's concordance of the counted patients, with times at the middle of bins.

        Args:
            censoring: Curve of the censoring, such as `censoring_curve` of these counts.
            tau: Days; pairs whose earlier time is below it enter.

        Returns:
            The concordance.

        Source: own (`fusion.survival.concordance` with cells as weighted patients).
        """
        time, event, risk, weight = self._cells()
        pairs = uno_weights(time, event=event, censoring=censoring, tau=tau)
        ranking = Ranking(risk, time, event, weight, pairs, not self.time_grid.exact)
        found = concordance_of(ranking)
        return replace(found, tau=float(tau), censoring_source=censoring.source)

    def censoring_curve(self, source: str) -> CensoringCurve:
        """Return the curve of the censoring, falling evenly inside bins.

        Args:
            source: Whose censoring this is, for the result.

        Returns:
            G up to the start of the open bin, flat after it; half of a bin's events count as
            under observation, none where a bin is a day or less.

        Source: own (actuarial life table of the censoring).
        """
        censored, events = self.counts.sum(axis=2).T.astype(np.float64)
        gone = 1.0 if self.time_grid.exact else 0.5
        exposed = np.cumsum((censored + events)[::-1])[::-1] - gone * events
        hazard = np.divide(censored, exposed, out=np.zeros_like(censored), where=exposed > 0)
        survival = np.cumprod(1.0 - np.minimum(hazard, 1.0))[:-1]
        return CensoringCurve(self._ends(), survival, source, linear=not self.time_grid.exact)

    def groups(self, number: int = 2) -> tuple[RiskGroup, ...]:
        """Return Kaplan-Meier curves of `number` groups of about equally many patients, by risk.

        Half of a bin's censored count as at risk, as leaving evenly; where a bin is a day or
        less all do, as in the pooled curve.

        Args:
            number: Groups wanted; 2 splits at the median risk. Fewer come when risks are tied.

        Returns:
            Groups from the lowest risk up.

        Privacy: Curves on a public grid; a group of few patients still tells their bins.

        Source: Cutler and Ederer 1958, J Chronic Dis 8:699 (actuarial estimate).
        """
        parts = parts_of(self.by_risk, number)
        names = group_names(len(parts))
        return tuple(self._group(name, part) for name, part in zip(names, parts, strict=True))

    def logrank(self, number: int = 2) -> LogRank:
        """Return the log-rank test between the groups of `groups`.

        Args:
            number: Groups wanted.

        Returns:
            The test, with a reason instead when risks do not divide the patients.

        Source: Mantel 1966, on the actuarial table.
        """
        tables = [self.counts[:, :, part].sum(axis=2) for part in parts_of(self.by_risk, number)]
        if len(tables) < 2:
            return LogRank(None, 0, None, "the risks do not divide the patients into groups")
        exposed = np.stack([self._exposed(table) for table in tables])
        events = np.stack([table[:, 1] for table in tables]).astype(np.float64)
        return logrank_from_table(exposed, events=events)

    def _group(self, name: str, part: Int[np.ndarray, " bin"]) -> RiskGroup:
        """Return the group of some risk bins; its curve ends when nobody is at risk."""
        table = self.counts[:, :, part].sum(axis=2)
        remaining = np.cumsum(table.sum(axis=1)[::-1])[::-1].astype(np.float64)
        later = np.concatenate([remaining[:1], remaining[2:]])
        at_risk = remaining[:-1] if self.time_grid.exact else later
        end = min(int((at_risk > 0).sum()) + 1, len(at_risk))
        curve = curve_from_table(
            self._ends()[:end],
            at_risk=at_risk[:end],
            exposed=self._exposed(table)[:end],
            events=table[:end, 1].astype(np.float64),
        )
        return RiskGroup(
            name, part, round(float(table.sum())), round(float(table[:, 1].sum())), curve
        )

    def _exposed(self, table: Shaped[np.ndarray, "row 2"]) -> Float[np.ndarray, " row"]:
        """Return those at risk at each row's start, less half of its censored in wide bins."""
        gone = 0.0 if self.time_grid.exact else 0.5
        return np.cumsum(table.sum(axis=1)[::-1])[::-1] - gone * table[:, 0]

    def _ends(self) -> Float[np.ndarray, " row"]:
        """Return the time in days by which each row but the open one is over."""
        edges = self.time_grid.edges
        return self.row_times()[:-1] if self.time_grid.exact else edges[:-1]

    def row_times(self) -> Float[np.ndarray, " row"]:
        """Return the time in days that stands for each row: a bin's middle, an exact bin's day.

        Source: own.
        """
        days = self.time_grid.middles.copy()
        if self.time_grid.exact:
            days[1:] = self.time_grid.edges[1:-1]
        return np.concatenate([[0.0], days])

    def _cells(self) -> tuple[Values, Flags, Values, Values]:
        """Return time, event, risk and number of each cell that holds patients."""
        row, event, risk = np.nonzero(self.counts)
        weight = self.counts[row, event, risk].astype(np.float64)
        return self.row_times()[row], event == 1, risk.astype(np.float64), weight


def count(
    risk: Values, *, time: Values, event: Flags, time_grid: TimeGrid, risk_grid: RiskGrid
) -> OutcomeCounts:
    """Return the counts of one site's patients.

    Args:
        risk: Any ranking score, higher = earlier event.
        time: Follow-up in days, >= 0.
        event: True = event seen.
        time_grid: Shared bins of time.
        risk_grid: Shared bins of risk.

    Returns:
        Mergeable counts.

    Raises:
        FederationError: A risk or time is not finite.

    Privacy: A histogram; one patient moves one cell by one.

    Source: own.
    """
    cells = cell_of(risk, time=time, event=event, time_grid=time_grid, risk_grid=risk_grid)
    shape = (time_grid.count + 1, 2, risk_grid.count)
    counts = np.bincount(cells, minlength=int(np.prod(shape))).astype(np.int64).reshape(shape)
    return OutcomeCounts(counts, time_grid, risk_grid)


def cell_of(
    risk: Values, *, time: Values, event: Flags, time_grid: TimeGrid, risk_grid: RiskGrid
) -> Int[np.ndarray, " patient"]:
    """Return the cell that each patient is in, numbered row by row; arguments as for `count`.

    Raises:
        FederationError: A risk or time is not finite.

    Privacy: One cell a patient; stays at the site.

    Source: own.
    """
    require_finite("Risk", risk)
    require_finite("Time", time)
    row = np.where(time > 0, 1 + time_grid.index(time), 0)
    return (2 * row + event) * risk_grid.count + risk_grid.index(risk)
