"""Which patients can be compared, and how many such pairs a risk orders rightly.

A pair (i, j) is comparable when t_i < t_j and i's event was seen; at equal times only when exactly
one of the two is an event, which then counts as earlier. Tied risks count one half.
"""

from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float, Int

from fusion.survival.estimate import Flags, Values

CELLS = 2_000_000
"""Pairs compared at once; bounds memory to about 50 MB."""


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
class PairSums:
    """For each row, the weight of its pairs, and of the rightly ordered ones.

    Attributes:
        concordant: Weight of the pairs ordered rightly, ties in risk as one half.
        comparable: Weight of all comparable pairs.

    Source: own.
    """

    concordant: Values
    comparable: Values


def pair_sums(ranking: Ranking) -> PairSums:
    """Return each row's pair sums, in memory that does not grow with the number of pairs.

    Args:
        ranking: Patients or cells, finite throughout.

    Returns:
        Sums in the order of the rows; every pair appears in the sums of both its rows.

    Privacy: Sums over each patient's pairs; stays inside the site.

    Source: Harrell et al. 1996, Stat Med 15:361; unknown order inside bins: own.
    """
    return _binned_sums(ranking) if ranking.binned else _exact_sums(ranking)


def _binned_sums(ranking: Ranking) -> PairSums:
    """Return each row's pair sums when the order inside a bin of time is unknown.

    Inside a short bin two events come in either order alike, so half of such a pair is right;
    an event precedes a censoring half the time: the mean of censoring last and censoring first.
    """
    _, place = np.unique(ranking.time, return_inverse=True)
    last = _exact_sums(ranking)
    first = _exact_sums(replace(ranking, time=2.0 * place + ranking.event))
    events = np.bincount(place, ranking.weight * ranking.event)[place]
    partners = ranking.pair_weight * np.maximum(events - 1.0, 0.0)
    return PairSums(
        (last.concordant + first.concordant + partners) / 2.0,
        (last.comparable + first.comparable) / 2.0 + partners,
    )


def _exact_sums(ranking: Ranking) -> PairSums:
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
    return PairSums(concordant[back], comparable[back])


def _first_partner(time: Values, event: Flags) -> Int[np.ndarray, " patient"]:
    """Return for each sorted row the first row that is later, or as late and censored."""
    later = np.searchsorted(time, time, side="right")
    through = np.concatenate([[0], np.cumsum(event)])
    same = np.searchsorted(time, time, side="left")
    return np.where(event, same + through[later] - through[same], later)


def _ordered_rightly(
    risk: Values, *, chunk: Int[np.ndarray, " row"], start: Int[np.ndarray, " patient"], first: int
) -> Float[np.ndarray, "row partner"]:
    """Return 1 where the earlier row's risk is higher, 1/2 at a tie, 0 where no pair is."""
    mine, theirs = risk[chunk][:, None], risk[first:][None, :]
    right = np.where(mine > theirs, 1.0, np.where(mine == theirs, 0.5, 0.0))
    right[np.arange(first, len(risk))[None, :] < start[chunk][:, None]] = 0.0
    return right
