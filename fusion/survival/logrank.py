"""The log-rank test of equal survival, from patients or from a table of groups by times."""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float, Int

from fusion.survival.curves import life_table
from fusion.survival.estimate import Flags, Values


@dataclass(frozen=True)
class LogRank:
    """A test of equal survival between groups.

    Attributes:
        statistic: Chi-square statistic, None if it cannot be had.
        degrees: Its degrees of freedom.
        p_value: Its p-value, None if it cannot be had.
        reason: Why it cannot be had.

    Source: own.
    """

    statistic: float | None
    degrees: int
    p_value: float | None
    reason: str | None = None

    def as_dict(self) -> dict[str, Any]:
        """Return the four fields under their names, ready for JSON.

        Source: own.
        """
        return {
            "statistic": self.statistic,
            "degrees": self.degrees,
            "p_value": self.p_value,
            "reason": self.reason,
        }


def logrank(
    time: Values,
    *,
    event: Flags,
    group: Int[np.ndarray, " patient"],
    weight: Values | None = None,
) -> LogRank:
    """Return the log-rank test of equal survival between the groups.

    Args:
        time: Follow-up in days, >= 0.
        event: True = event seen.
        group: Number of each patient's group; two or more different ones.
        weight: Number of identical patients each row stands for; one each if None.

    Returns:
        The test; without a statistic, with a reason, when the groups cannot be compared.

    Raises:
        FederationError: A time is not finite.

    Privacy: A statistic over all patients; tells little unless groups are tiny.

    Source: Mantel 1966; Peto and Peto 1972, J R Stat Soc A 135:185.
    """
    known = np.ones(len(time)) if weight is None else weight
    groups = np.unique(group)
    tallied = [life_table(time, event=event, weight=known * (group == one)) for one in groups]
    events = np.array([rows[1] for rows in tallied]).reshape(len(groups), -1)
    leaving = np.array([rows[2] for rows in tallied]).reshape(len(groups), -1)
    return logrank_from_table(np.cumsum(leaving[:, ::-1], axis=1)[:, ::-1], events=events)


def logrank_from_table(
    exposed: Float[np.ndarray, "group time"], *, events: Float[np.ndarray, "group time"]
) -> LogRank:
    """Return the log-rank test of a table of groups by times.

    Args:
        exposed: Patients at risk of each group at each time.
        events: Events of each group at each time.

    Returns:
        The test; without a statistic, with a reason, when the groups cannot be compared.

    Source: Mantel 1966 (hypergeometric covariance, tied events together).
    """
    degrees = len(exposed) - 1
    total, dead = exposed.sum(axis=0), events.sum(axis=0)
    used = (dead > 0) & (total > 1)
    if degrees < 1 or not used.any():
        reason = "fewer than two groups" if degrees < 1 else "no event to compare the groups by"
        return LogRank(None, max(degrees, 0), None, reason)
    exposed, total, dead = exposed[:, used], total[used], dead[used]
    share = exposed / total
    gap = (events[:, used] - dead * share).sum(axis=1)[:degrees]
    spread = dead * np.maximum(total - dead, 0.0) / (total - 1.0)
    covariance = np.diag((spread * share).sum(axis=1)) - (spread * share) @ share.T
    covariance = covariance[:degrees, :degrees]
    if np.linalg.matrix_rank(covariance) < degrees:
        return LogRank(None, degrees, None, "the groups are never at risk together")
    statistic = float(gap @ np.linalg.solve(covariance, gap))
    return LogRank(statistic, degrees, chi_square_tail(statistic, degrees=degrees))


def chi_square_tail(statistic: float, *, degrees: int) -> float:
    """Return the probability that a chi-square variable exceeds `statistic`.

    Args:
        statistic: A value >= 0.
        degrees: Degrees of freedom, >= 1.

    Returns:
        A probability.

    Source: Abramowitz and Stegun 26.4.4-26.4.5 (finite sums).
    """
    half = max(statistic, 0.0) / 2.0
    tail, order = (math.exp(-half), 1.0) if degrees % 2 == 0 else (math.erfc(math.sqrt(half)), 0.5)
    while order < degrees / 2.0 and half > 0:
        tail += math.exp(order * math.log(half) - half - math.lgamma(order + 1.0))
        order += 1.0
    return min(1.0, tail)
