"""Comparable and rightly ordered pairs of a histogram, by running sums; cells may have any sign."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float


@dataclass(frozen=True)
class GridPairs:
    """Weights of pairs, and what each cell's count adds to them.

    Attributes:
        concordant: Weight of the rightly ordered pairs, ties in risk as one half.
        comparable: Weight of all comparable pairs.
        concordant_of: Of the pairs that one patient of each cell is in.
        comparable_of: Likewise.

    Source: own.
    """

    concordant: float
    comparable: float
    concordant_of: Float[np.ndarray, "row 2 risk"]
    comparable_of: Float[np.ndarray, "row 2 risk"]


def grid_pairs(
    counts: Float[np.ndarray, "row 2 risk"], weights: Float[np.ndarray, " row"], *, exact: bool
) -> GridPairs:
    """Return the pairs of a histogram; the rules are those of `fusion.survival.pairs`.

    An event is the earlier of a pair with everybody in later rows, and with the censored of its
    own row: all of them where a row's times are equal, else half, the order being unknown. Two
    events of one row are then one pair, half right.

    Args:
        counts: Row of time by (censored, event) by risk bin.
        weights: Of the pairs in which a row's event is the earlier.
        exact: Whether times in a row are equal, not merely close.

    Returns:
        In one pass over the cells, where comparing cells two by two takes their square.

    Source: own.
    """
    censored, events = counts[:, 0], counts[:, 1]
    half = 1.0 if exact else 0.5
    everyone = censored + events
    later = np.cumsum(everyone[::-1], axis=0)[::-1] - everyone + half * censored
    weight, each = weights[:, None], events.sum(axis=1, keepdims=True)
    # as the earlier one
    early_right = weight * _below(later)
    early = np.broadcast_to(weight * later.sum(axis=1, keepdims=True), counts[:, 0].shape)
    if not exact:
        others = weight * (each - 1.0)
        early, early_right = early + others, early_right + others / 2.0
    # as the later one
    own_right = weight * _below(events[:, ::-1])[:, ::-1]
    own = np.broadcast_to(weight * each, own_right.shape)
    late_right, late = (np.cumsum(part, axis=0) - part for part in (own_right, own))
    right = np.stack([late_right + half * own_right, late_right + early_right], axis=1)
    known = np.stack([late + half * own, late + early], axis=1)
    concordant, comparable = (float((counts * part).sum()) / 2.0 for part in (right, known))
    return GridPairs(concordant, comparable, right, known)


def _below(cells: Float[np.ndarray, "row risk"]) -> Float[np.ndarray, "row risk"]:
    """Return for each bin the sum over lower bins, and half of its own."""
    return np.cumsum(cells, axis=1) - cells / 2.0
