"""What the interaction buys in ranking: pairs ordered by the full output, and by parts of it."""

import numpy as np
from jaxtyping import Bool, Float

from fusion.interaction.quantities import additive_part
from fusion.interaction.shares import SMALLEST, num_modalities
from fusion.survival.pairs import Ranking, pair_sums

DIGITS = 12
"""Risks are rounded to so many digits before ranking: smaller differences are rounding."""


def scores_of(
    values: Float[np.ndarray, "patient coalition"],
) -> Float[np.ndarray, "score patient"]:
    """Return the risks that are compared: full output, additive part, each main effect.

    Args:
        values: Log-hazards, patient x 2^M.

    Returns:
        2 + M scores above v(empty), rounded so that ties are ties.

    Source: own.
    """
    single = 1 << np.arange(num_modalities(values))
    scores = np.column_stack([values[:, -1], additive_part(values), values[:, single]])
    return np.round(scores - values[:, :1], DIGITS).T


def ranked(
    values: Float[np.ndarray, "patient coalition"],
    *,
    time: Float[np.ndarray, " patient"],
    event: Bool[np.ndarray, " patient"],
) -> tuple[float, Float[np.ndarray, " score"], Float[np.ndarray, " comparison"]]:
    """Return a site's pairs and how each score orders them, ready to be summed over sites.

    With c_i and a_i the sums over patient i's pairs, C = concordant / comparable moves by
    u_i = (c_i - C a_i) / comparable, and SE^2 = sum u_i^2. The gain, C of the full output minus C
    of the additive part, moves by the difference of theirs.

    Args:
        values: Log-hazards, patient x 2^M.
        time: Follow-up in days.
        event: True = event seen.

    Returns:
        The comparable pairs; the pairs that each of `scores_of` orders rightly, ties as one half;
        (SE x pairs)^2 of each score's concordance and, last, of the gain. A score without spread
        has no error of its own and is given 1/2, the largest a figure in [0, 1] can have.

    Privacy: Sums over a site's pairs.

    Source: Harrell et al. 1996, Stat Med 15:361; Therneau, survival vignette "Concordance".
    """
    scores = scores_of(values)
    ones, early = np.ones(len(time)), event.astype(np.float64)
    sums = [pair_sums(Ranking(risk, time, event, ones, early)) for risk in scores]
    concordant = np.array([one.concordant for one in sums])
    mine = sums[0].comparable
    pairs = float(mine.sum()) / 2.0
    if pairs <= 0:
        return 0.0, np.zeros(len(scores)), np.zeros(len(scores) + 1)
    right = concordant.sum(axis=1) / 2.0
    moved = concordant - np.outer(right / pairs, mine)
    variance = (moved**2).sum(axis=1)
    variance = np.where(variance < (SMALLEST * pairs) ** 2, (0.5 * pairs) ** 2, variance)
    return pairs, right, np.append(variance, ((moved[0] - moved[1]) ** 2).sum())
