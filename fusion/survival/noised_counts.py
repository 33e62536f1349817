"""Outcome counts that carry noise: figures from them, with intervals that include the noise."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float

from fusion.errors import FederationError
from fusion.seeding import generator
from fusion.survival.bins import RiskGrid, TimeGrid
from fusion.survival.concordance import Concordance, concordance_from, uno_weights
from fusion.survival.curves import CensoringCurve, Curve
from fusion.survival.estimate import Z95
from fusion.survival.grid_pairs import grid_pairs
from fusion.survival.logrank import LogRank, chi_square_tail
from fusion.survival.risk_groups import RiskGroup, group_names, parts_of
from fusion.survival.tables import sane_table
from fusion.survival.tallies import OutcomeCounts

REPLICATES = 100
"""Draws of fresh noise by which the spread of a curve is measured."""

DROWNED = "the noise exceeds the pairs of patients"
"""Why a figure of noised counts is None."""


@dataclass(frozen=True)
class NoisedCounts:
    """Patients by time bin, event and risk bin, with independent noise on each cell.

    Sums of cells stay unbiased: nothing is cut at 0 before it is added up. What must be sane
    (numbers at risk, curves) is made so afterwards, which costs no privacy. Where every site's
    counts are exact use `OutcomeCounts`.

    Attributes:
        counts: As in `OutcomeCounts`, of any sign.
        deviation: Standard deviation of the noise on each cell, > 0.
        time_grid: Bins of time.
        risk_grid: Bins of risk.

    Source: own.
    """

    counts: Float[np.ndarray, "row 2 risk"]
    deviation: float
    time_grid: TimeGrid
    risk_grid: RiskGrid

    @classmethod
    def from_array(
        cls, array: np.ndarray, *, deviation: float, time_grid: TimeGrid, risk_grid: RiskGrid
    ) -> "NoisedCounts":
        """Return counts as they came from a site.

        Raises:
            FederationError: The shape does not fit the grids, or a number is not finite.

        Source: own.
        """
        shape = (time_grid.count + 1, 2, risk_grid.count)
        if array.shape != shape or not np.isfinite(array).all() or not deviation >= 0:
            raise FederationError(
                f"Noised counts must be finite numbers of shape {shape}, got shape {array.shape}. "
                "Run the same version at every site."
            )
        return cls(array.astype(np.float64), deviation, time_grid, risk_grid)

    @property
    def patients(self) -> int:
        """Number of patients, to the nearest whole one; the noise may be of that size.

        Source: own.
        """
        return max(round(float(self.counts.sum())), 0)

    @property
    def events(self) -> int:
        """Number of events, likewise.

        Source: own.
        """
        return max(round(float(self.counts[:, 1].sum())), 0)

    @property
    def by_risk(self) -> Float[np.ndarray, " bin"]:
        """Patients of each risk bin, none below 0.

        Source: own.
        """
        return np.maximum(self.counts.sum(axis=(0, 1)), 0.0)

    @property
    def events_drowned(self) -> bool:
        """Whether the events are no more than twice the noise on their number.

        Source: own.
        """
        seen = self.counts[:, 1]
        return float(seen.sum()) <= 2.0 * self.deviation * float(seen.size) ** 0.5

    def table(self) -> Float[np.ndarray, "row 2"]:
        """Return patients by time bin and event, made sane.

        Source: own.
        """
        return sane_table(self.counts.sum(axis=2))

    def concordance(self) -> Concordance:
        """Return Harrell's concordance; see `OutcomeCounts.concordance` and `_ranked`.

        Source: own.
        """
        return self._ranked(np.ones(len(self.counts)))

    def uno(self, censoring: CensoringCurve, tau: float) -> Concordance:
        """Return Uno's concordance; see `OutcomeCounts.uno` and `_ranked`.

        Source: own.
        """
        times = self._flat().row_times()
        weights = uno_weights(
            times, event=np.ones(len(times), dtype=bool), censoring=censoring, tau=tau
        )
        found = self._ranked(weights)
        return replace(found, tau=float(tau), censoring_source=censoring.source)

    def censoring_curve(self, source: str) -> CensoringCurve:
        """Return the curve of the censoring from the sane table.

        Source: own.
        """
        return self._flat().censoring_curve(source)

    def groups(self, number: int = 2) -> tuple[RiskGroup, ...]:
        """Return Kaplan-Meier curves by risk, from tables made sane.

        A curve ends where fewer are at risk than twice the noise on that number. Its interval is
        1.96 standard deviations wide on either side, those of curves from tables that are drawn
        again: each cell as a Poisson variable, with fresh noise on top.

        Source: own.
        """
        parts = parts_of(self.by_risk, number)
        names = group_names(len(parts))
        return tuple(self._group(name, part) for name, part in zip(names, parts, strict=True))

    def logrank(self, number: int = 2) -> LogRank:
        """Return the log-rank test of two groups, the noise's variance added to the test's own.

        Source: own.
        """
        parts = parts_of(self.by_risk, number)
        if len(parts) != 2:
            return LogRank(None, 0, None, "the risks do not divide the patients into two groups")
        raw = np.stack([self.counts[:, :, part].sum(axis=2) for part in parts])
        sizes = np.array([[len(part)] for part in parts])

        def gap(tables: np.ndarray) -> np.ndarray:
            sane = np.stack([sane_table(table) for table in tables])
            return np.array(_gap(sane, gone=0.0 if self.time_grid.exact else 0.5))

        (seen, spread), noise = gap(raw), self._spread(gap, raw, sizes[:, :, None])
        if not spread > 0:
            return LogRank(None, 1, None, "the groups are never at risk together")
        statistic = float(seen**2 / (spread + noise[0] ** 2))
        return LogRank(statistic, 1, chi_square_tail(statistic, degrees=1))

    def _ranked(self, weights: Float[np.ndarray, " row"]) -> Concordance:
        """Return a concordance from the cells as they are, of any sign.

        Both numbers of pairs are sums of products of counts. Noise moves the mean of those within
        one row alone (two events of a bin), by a known amount, which is taken off. With u what a
        cell's count moves the ratio by, the squared error is sum n u^2 (sampling, over cells above
        0) + deviation^2 sum u^2 (noise). u holds noise itself, so the second is rather too large.
        The ratio is cut to [0, 1].
        """
        pairs = grid_pairs(self.counts, weights, exact=self.time_grid.exact)
        extra = 0.0 if self.time_grid.exact else 0.5 * self.deviation**2 * float(weights.sum())
        extra *= self.risk_grid.count
        comparable, concordant = pairs.comparable - extra, pairs.concordant - extra / 2.0
        floor = 2.0 * self.deviation * float(np.linalg.norm(pairs.comparable_of))
        if comparable <= floor:
            found = concordance_from(0.0, comparable=0.0, standard_error=None)
            return replace(found, estimate=replace(found.estimate, reason=DROWNED))
        value = min(max(concordant / comparable, 0.0), 1.0)
        moved = (pairs.concordant_of - value * pairs.comparable_of) / comparable
        error = np.sqrt(
            np.maximum(self.counts, 0.0).ravel() @ moved.ravel() ** 2
            + self.deviation**2 * (moved**2).sum()
        )
        return concordance_from(
            value * comparable, comparable=comparable, standard_error=float(error)
        )

    def _group(self, name: str, part: np.ndarray) -> RiskGroup:
        raw, size = self.counts[:, :, part].sum(axis=2), float(len(part))
        found = self._flat(raw).groups(1)
        if not found:
            none = np.zeros(1)
            return RiskGroup(name, part, 0, 0, Curve(none, none + 1, none, none + 1, none, none))
        curve = found[0].curve
        rows = 2.0 * len(raw) * size
        kept = max(int((curve.at_risk > 2.0 * self.deviation * rows**0.5).sum()), 1)
        short = Curve(*(getattr(curve, field)[:kept] for field in CURVE))

        def survival(table: np.ndarray) -> np.ndarray:
            again = self._flat(table).groups(1)
            if not again:  # noise has left nobody
                return np.zeros_like(short.times)
            return np.interp(short.times, again[0].curve.times, again[0].curve.survival)

        half = Z95 * self._spread(survival, raw, np.full(raw.shape, size), again=sane_table(raw))
        low, high = short.survival - half, short.survival + half
        wide = replace(short, low=np.maximum(low, 0.0), high=np.minimum(high, 1.0))
        return RiskGroup(name, part, found[0].patients, found[0].events, wide)

    def _spread(
        self,
        figure: Callable[[np.ndarray], np.ndarray],
        table: np.ndarray,
        cells: np.ndarray,
        *,
        again: np.ndarray | None = None,
    ) -> np.ndarray:
        """Return how far a figure of a table moves with fresh noise on top of what it has.

        Args:
            figure: Of a table.
            table: Sums of cells.
            cells: How many are behind each of its numbers.
            again: Patients that are drawn again too; None = the patients stay.
        """
        rng, scale = generator(0, "noised-counts"), self.deviation * np.sqrt(cells)
        drawn = []
        for _ in range(REPLICATES):
            others = table if again is None else table - again + rng.poisson(again)
            drawn.append(figure(others + scale * rng.standard_normal(table.shape)))
        return np.std(drawn, axis=0)

    def _flat(self, table: np.ndarray | None = None) -> OutcomeCounts:
        """Return a sane table as counts of one risk."""
        known = self.counts.sum(axis=2) if table is None else table
        return OutcomeCounts(sane_table(known)[:, :, None], self.time_grid, RiskGrid(0.0, 1.0, 1))


CURVE = ("times", "survival", "low", "high", "at_risk", "events")

Counts = OutcomeCounts | NoisedCounts
"""Outcome counts of one site or of several, with noise or without."""


def add_counts(parts: Sequence[Counts]) -> Counts:
    """Return the counts of all sites; noised if those of one are, the noises' variances added.

    Args:
        parts: One a site, at least one, on the same grids.

    Source: own.
    """
    exact = [part for part in parts if isinstance(part, OutcomeCounts)]
    noised = [part for part in parts if isinstance(part, NoisedCounts)]
    if not noised:
        return sum(exact[1:], start=exact[0])
    deviation = float(np.linalg.norm([part.deviation for part in noised]))
    total = np.asarray(np.sum([part.counts for part in parts], axis=0), dtype=np.float64)
    return NoisedCounts(total, deviation, noised[0].time_grid, noised[0].risk_grid)


def _gap(tables: Float[np.ndarray, "2 row 2"], gone: float) -> tuple[float, float]:
    """Return observed less expected events of the first group, and its hypergeometric variance.

    Of a row's censored the part `gone` is not at risk, as in `OutcomeCounts.logrank`.
    """
    exposed = np.cumsum(tables.sum(axis=2)[:, ::-1], axis=1)[:, ::-1] - gone * tables[:, :, 0]
    total, dead = exposed.sum(axis=0), tables[:, :, 1].sum(axis=0)
    used = (dead > 0) & (total > 1)
    share = exposed[0, used] / total[used]
    dead, total = dead[used], total[used]
    gap = float((tables[0, used, 1] - dead * share).sum())
    spread = dead * np.maximum(total - dead, 0.0) / (total - 1.0) * share * (1.0 - share)
    return gap, float(spread.sum())
