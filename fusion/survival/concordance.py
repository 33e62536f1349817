"""How well risks rank patients: Harrell's and Uno's concordance with their standard errors.

A pair (i, j) is comparable when t_i < t_j and i's event was seen; at equal times only when exactly
one of the two is an event, which then counts as earlier. Tied risks count one half.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from jaxtyping import Float

from fusion.survival.curves import CensoringCurve
from fusion.survival.estimate import Estimate, Flags, Values, proportion, require_finite

CELLS = 2_000_000
"""Pairs compared at once; bounds memory to about 50 MB."""


@dataclass(frozen=True)
class Concordance:
    """The share of comparable pairs that risks order rightly, and what it was counted from.

    Attributes:
        estimate: The share with its 95% interval.
        concordant: Weight of the rightly ordered pairs, ties in risk as one half.
        comparable: Weight of all comparable pairs; Harrell: their number.
        tau: Uno only: pairs whose earlier time (days) is below tau enter.
        censoring_source: Uno only: whose censoring the weights come from.

    Source: own.
    """

    estimate: Estimate
    concordant: float
    comparable: float
    tau: float | None = None
    censoring_source: str | None = None

    def as_dict(self) -> dict[str, Any]:
        """Return the estimate and `comparable_pairs` (Uno: `tau` and `censoring_source`).

        Source: own.
        """
        if self.tau is None:
            return self.estimate.as_dict() | {"comparable_pairs": self.comparable}
        known = {"tau": self.tau, "censoring_source": self.censoring_source}
        return self.estimate.as_dict() | known


@dataclass(frozen=True)
class Ranking:
    """Patients, or cells of alike patients, whose risks are to be compared pair by pair.

    Attributes:
        risk: Any ranking score, higher = earlier event.
        time: Follow-up in days.
        event: True = event seen.
        weight: Number of identical patients each row stands for.
        pair_weight: Weight of the pairs in which the row is the earlier; 0 = none.
        binned: True = equal times are one bin, so the order inside is unknown: two events then
            are one pair, half right, and an event and a censoring are half a pair.

    Source: own.
    """

    risk: Values
    time: Values
    event: Flags
    weight: Values
    pair_weight: Values
    binned: bool = False


@dataclass(frozen=True)
class _PairSums:
    """For each row, the weight of its pairs, and of the rightly ordered ones."""

    concordant: Values
    comparable: Values


def concordance(
    risk: Values, *, time: Values, event: Flags, weight: Values | None = None
) -> Concordance:
    """Return Harrell's concordance of `risk` with its infinitesimal-jackknife standard error.

    C = concordant / comparable is a ratio of two U-statistics; patient i moves it by
    u_i = (c_i - C a_i) / comparable, where c_i and a_i sum over i's pairs, and SE^2 = sum u_i^2.
    The 95% interval is symmetric on the logit scale; at 0 or 1 it is None with a reason.
    Depends on the censoring; when censoring is heavy and late, prefer `uno_concordance`.

    Args:
        risk: Any ranking score, higher = earlier event.
        time: Follow-up in days.
        event: True = event seen.
        weight: Number of identical patients each row stands for; one each if None.

    Returns:
        The concordance; its value is None with a reason when no pair is comparable.

    Raises:
        FederationError: A risk or time is not finite.

    Privacy: The result tells pairs of the patients given; over two or three patients it tells
        their order.

    Source: Harrell et al. 1996, Stat Med 15:361; variance: Therneau, survival vignette
        "Concordance" (infinitesimal jackknife).
    """
    known = np.ones(len(risk)) if weight is None else weight
    return concordance_of(Ranking(risk, time, event, known, event.astype(np.float64)))


def uno_concordance(
    risk: Values,
    *,
    time: Values,
    event: Flags,
    censoring: CensoringCurve,
    tau: float,
    weight: Values | None = None,
) -> Concordance:
    """Return Uno's concordance: pairs weighted by G(t_i-)^-2, earlier time below `tau`.

    Does not depend on the censoring when that is independent of risk. The standard error takes
    the censoring curve as known, which is slightly too wide when it is estimated here.

    Args:
        risk: Any ranking score, higher = earlier event.
        time: Follow-up in days.
        event: True = event seen.
        censoring: Curve G of the censoring, with its source.
        tau: Days; must lie where G is above 0.
        weight: Number of identical patients each row stands for; one each if None.

    Returns:
        The concordance with `tau` and `censoring_source`; pairs where G is 0 are left out.

    Raises:
        FederationError: A risk or time is not finite.

    Privacy: As `concordance`.

    Source: Uno et al. 2011, Stat Med 30:1105.
    """
    known = np.ones(len(risk)) if weight is None else weight
    pairs = uno_weights(time, event=event, censoring=censoring, tau=tau)
    found = concordance_of(Ranking(risk, time, event, known, pairs))
    return replace(found, tau=float(tau), censoring_source=censoring.source)


def uno_weights(time: Values, *, event: Flags, censoring: CensoringCurve, tau: float) -> Values:
    """Return G(t_i-)^-2 for events before `tau`, 0 for all others and where G is 0.

    Args:
        time: Follow-up in days.
        event: True = event seen.
        censoring: Curve G of the censoring.
        tau: Days.

    Returns:
        The weight of the pairs in which each patient is the earlier.

    Source: Uno et al. 2011, Stat Med 30:1105.
    """
    known = censoring.at(time)
    used = event & (time < tau) & (known > 0)
    return np.where(used, 1.0 / np.where(used, known, 1.0) ** 2, 0.0)


def concordance_from(
    concordant: float, *, comparable: float, standard_error: float | None
) -> Concordance:
    """Return the concordance that a site reported as three numbers.

    Args:
        concordant: Weight of the rightly ordered pairs.
        comparable: Weight of the comparable pairs.
        standard_error: That of the ratio, or None where the site had none.

    Returns:
        The concordance with its interval.

    Source: own.
    """
    if comparable <= 0:
        return Concordance(Estimate(None, reason="no pair of patients is comparable"), 0.0, 0.0)
    estimate = proportion(concordant / comparable, standard_error or 0.0)
    return Concordance(estimate, concordant, comparable)


def combine_within(concordances: Sequence[Concordance]) -> Estimate:
    """Return the mean of sites' concordances, weighted by their comparable pairs.

    No pair crosses sites, so telling hospitals apart earns nothing. The sites are independent:
    SE^2 = sum (w_k / sum w)^2 SE_k^2. A site whose pairs all agree has no standard error of its
    own and enters with 1/2, the largest that a figure in [0, 1] can have.

    Args:
        concordances: One a site; those without a comparable pair are left out.

    Returns:
        The mean with its standard error and 95% interval on the logit scale.

    Source: own (stratified concordance; weights as in Therneau, survival vignette "Concordance").
    """
    used = [one for one in concordances if one.comparable > 0]
    total = sum(one.comparable for one in used)
    if total <= 0:
        return Estimate(None, reason="no site has a comparable pair of patients")
    value = sum(one.concordant for one in used) / total
    spread = 0.0
    for one in used:
        error = one.estimate.standard_error
        spread += (one.comparable / total * (0.5 if error is None else error)) ** 2
    return proportion(value, float(np.sqrt(spread)))


def concordance_of(ranking: Ranking) -> Concordance:
    """Return concordant / comparable of a ranking, with its infinitesimal-jackknife error.

    Args:
        ranking: Patients or cells, and the weights of their pairs.

    Returns:
        The concordance; its value is None with a reason when no pair is comparable.

    Raises:
        FederationError: A risk or time is not finite.

    Privacy: As `concordance`.

    Source: Therneau, survival vignette "Concordance"; unknown order inside bins: own.
    """
    require_finite("Risk", ranking.risk)
    require_finite("Time", ranking.time)
    sums = _binned_sums(ranking) if ranking.binned else _pair_sums(ranking)
    weight = ranking.weight
    concordant = float(weight @ sums.concordant) / 2.0
    comparable = float(weight @ sums.comparable) / 2.0
    if comparable <= 0:
        return concordance_from(0.0, comparable=0.0, standard_error=None)
    influence = (sums.concordant - concordant / comparable * sums.comparable) / comparable
    error = float(np.sqrt(weight @ influence**2))
    return concordance_from(concordant, comparable=comparable, standard_error=error)


def _binned_sums(ranking: Ranking) -> _PairSums:
    """Return each row's pair sums when the order inside a bin of time is unknown.

    Inside a short bin two events come in either order alike, so half of such a pair is right;
    an event precedes a censoring half the time: the mean of censoring last and censoring first.
    """
    _, place = np.unique(ranking.time, return_inverse=True)
    last = _pair_sums(ranking)
    first = _pair_sums(replace(ranking, time=2.0 * place + ranking.event))
    events = np.bincount(place, ranking.weight * ranking.event)[place]
    partners = ranking.pair_weight * np.maximum(events - 1.0, 0.0)
    return _PairSums(
        (last.concordant + first.concordant + partners) / 2.0,
        (last.comparable + first.comparable) / 2.0 + partners,
    )


def _pair_sums(ranking: Ranking) -> _PairSums:
    """Return each row's pair sums by the exact rule.

    Sorted by time, events before censorings, the partners of an event are all rows from the end
    of its time's events on: a suffix, so only the risks need comparing, in chunks.
    """
    order = np.lexsort((~ranking.event, ranking.time))
    risk, weight = ranking.risk[order], ranking.weight[order]
    pair_weight = ranking.pair_weight[order]
    start = _first_partner(ranking.time[order], ranking.event[order])
    rows = np.flatnonzero(pair_weight > 0)
    after = np.append(np.cumsum(weight[::-1])[::-1], 0.0)
    comparable = pair_weight * after[start]
    given = (weight * pair_weight)[rows]
    comparable += np.cumsum(np.bincount(start[rows], given, len(risk) + 1))[:-1]
    concordant = np.zeros(len(risk))
    size = max(1, CELLS // max(1, len(risk)))
    for chunk in (rows[at : at + size] for at in range(0, len(rows), size)):
        first = int(start[chunk[0]])
        right = _ordered_rightly(risk, chunk=chunk, start=start, first=first)
        concordant[chunk] += pair_weight[chunk] * (right @ weight[first:])
        concordant[first:] += (weight * pair_weight)[chunk] @ right
    back = np.empty_like(order)
    back[order] = np.arange(len(order))
    return _PairSums(concordant[back], comparable[back])


def _first_partner(time: Values, event: Flags) -> np.ndarray:
    """Return for each sorted row the first row that is later, or as late and censored."""
    later = np.searchsorted(time, time, side="right")
    through = np.concatenate([[0], np.cumsum(event)])
    same = np.searchsorted(time, time, side="left")
    return np.where(event, same + through[later] - through[same], later)


def _ordered_rightly(
    risk: Values, *, chunk: np.ndarray, start: np.ndarray, first: int
) -> Float[np.ndarray, "row partner"]:
    """Return 1 where the earlier row's risk is higher, 1/2 at a tie, 0 where no pair is."""
    mine, theirs = risk[chunk][:, None], risk[first:][None, :]
    right = np.where(mine > theirs, 1.0, np.where(mine == theirs, 0.5, 0.0))
    right[np.arange(first, len(risk))[None, :] < start[chunk][:, None]] = 0.0
    return right
