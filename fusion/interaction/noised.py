"""The part of an audit that noise can hide a patient in: fractions, whose length is at most 1."""

import numpy as np
from jaxtyping import Float

from fusion.interaction.quantities import blocks, quantities

NOISED = ("local", "published", "moebius", "signs", "pairs")
"""Blocks of `quantities.blocks` that are released with noise: fractions >= 0 of one patient."""

NOT_NOISED = (
    "not among the sums with noise: without a cut nothing bounds what one patient adds, and pairs "
    "of patients have no bound at all"
)
"""Why other figures of a noised audit are None."""

HALVES = 2
"""Of `signs`: synergy and redundancy are fractions, the three flags after them are another part."""


def bounded_shares(
    values: Float[np.ndarray, "patient coalition"], modalities: int
) -> dict[str, Float[np.ndarray, "patient _"]]:
    """Return each patient's fractions, in parts that are at most 1 long in either norm.

    The entries of a part are >= 0 and sum to 1 at most (shares, synergy and redundancy, pairs), or
    one of them alone is 1 (flags): |x|_2 <= |x|_1 <= 1. They hold for a fixed background, not for
    one that follows from the same patients.

    Args:
        values: Log-hazards, patient x 2^M.
        modalities: M.

    Returns:
        Columns by part, which together are the `NOISED` blocks in order.

    Privacy: one row a patient; stays at the site.

    Source: own; `fusion.interaction.sensitivity.declared` has the same bounds.
    """
    table, places = quantities(values.astype(np.float64), 0.0), blocks(modalities)
    parts = {name: table[:, places[name]] for name in NOISED}
    signs = parts.pop("signs")
    whole = {name: parts[name] for name in NOISED[:3]}
    return whole | {
        "halves": signs[:, :HALVES],
        "flags": signs[:, HALVES:],
        "pairs": parts["pairs"],
    }


def noised_moments(
    total: Float[np.ndarray, " entry"], count: float, noise: float
) -> tuple[Float[np.ndarray, " entry"], Float[np.ndarray, "entry entry"]]:
    """Return the mean of fractions and a covariance that holds sampling and noise.

    Squares are not released; of numbers in [0, 1] they are no larger than the numbers, so
    mean (1 - mean) bounds the variance between patients. Noise of deviation s on sum and count
    moves the mean by s^2 (1 + mean^2) / n^2, which is put in as n times that. Intervals are
    hence rather too wide.

    Args:
        total: Noised sums over patients.
        count: Noised number of patients.
        noise: Standard deviation of the noise on each.

    Returns:
        The mean, cut to [0, 1], and a diagonal covariance (NaN for one patient or less).

    Source: own; Bhatia and Davis 2000 for the variance of bounded numbers.
    """
    mean = np.clip(total / max(count, 1.0), 0.0, 1.0)
    if count < 2:
        return mean, np.full((len(mean), len(mean)), np.nan)
    between = mean * (1.0 - mean) * count / (count - 1.0)
    return mean, np.diag(between + noise**2 * (1.0 + mean**2) / count)
