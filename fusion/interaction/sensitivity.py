"""How far one patient can move each sum of an audit, and the clipping that makes it bounded.

Under add/remove of one patient a sum over patients moves by that patient's own vector, so its
sensitivity is the largest length that a vector can have. This holds for a fixed background: one
that follows from the patients (their mean embedding, donors) moves everybody's values.
"""

import math

import numpy as np
from jaxtyping import Float

from fusion.errors import FederationError
from fusion.interaction.quantities import blocks

SIMPLEX = ("local", "published", "moebius", "pairs")
"""Blocks of fractions >= 0 of one patient that sum to at most 1."""

SCALED = ("ratio", "global", "dividends", "sizes")
"""Blocks in log-hazard, or whatever unit the values have; without clipping nothing bounds them."""


def declared(clip: float) -> dict[str, float]:
    """Return the L2 sensitivity of each part of an audit's sums.

    - Fractions x >= 0 with sum <= 1: |x|^2 = sum x^2 <= sum x <= 1, however many they are.
    - `signs`: an informative patient has fractions (length <= 1) and at most one flag, above or
      below 0; another has no fraction and at most two flags. Either way the length is <= sqrt(2).
    - `SCALED` blocks: C after clipping at C.
    - `variance` (A, I, A A, A I, I I) with A^2 + I^2 <= C^2: the last three have squared length
      A^4 + A^2 I^2 + I^4 <= (A^2 + I^2)^2 <= C^4, so the whole has at most sqrt(C^2 + C^4). A is
      measured from v(empty), which a fixed background makes the same for every patient.
    - Products of a block with itself: the square of the block's, since |x x^T| = |x|^2.
    - Pair counts: none. A patient is in a pair with every other one.

    Args:
        clip: C in the unit of the values; 0 = no clipping.

    Returns:
        A bound for each block of `quantities.blocks`, for `count`, `excluded` and `clipped`, and
        for `pairs of patients`; infinite where nothing bounds it. Several blocks released as one
        vector have the root of the sum of their squares.

    Source: own.
    """
    size = clip if clip > 0 else math.inf
    known = dict.fromkeys(("count", "excluded", "clipped", *SIMPLEX), 1.0)
    known |= {"signs": math.sqrt(2)} | dict.fromkeys(SCALED, size)
    return known | {"variance": math.hypot(size, size**2), "pairs of patients": math.inf}


def clipped(
    quantities: Float[np.ndarray, "patient quantity"], *, modalities: int, clip: float
) -> tuple[Float[np.ndarray, "patient quantity"], int]:
    """Return the quantities with every patient's contributions cut to a length.

    A patient with a block longer than `clip` counts as if the model's output moved less for them:
    all contributions, A and I are scaled by one factor, their products by its square. Shares are
    ratios and stay as they are.

    Args:
        quantities: Of `quantities.quantities`.
        modalities: How many.
        clip: Largest L2 length of a block, in the unit of the values; 0 = leave everything.

    Returns:
        The quantities, and how many patients were clipped.

    Raises:
        FederationError: `clip` is below 0.

    Privacy: The clipped sums move by at most `declared(clip)` when a patient comes or goes.

    Source: own.
    """
    if not clip >= 0:
        raise FederationError(f"Clip must be >= 0, got {clip}. Use 0 to leave values as they are.")
    if clip == 0 or not len(quantities):
        return quantities, 0
    places = blocks(modalities)
    first, second = _moments(places["variance"])
    parts = [*(places[name] for name in SCALED), first]
    longest = np.max([np.linalg.norm(quantities[:, part], axis=1) for part in parts], axis=0)
    factor = np.minimum(1.0, clip / np.maximum(longest, clip))[:, None]
    result = quantities.copy()
    for part in parts:
        result[:, part] *= factor
    result[:, second] *= factor**2
    return result, int((factor < 1).sum())


def _moments(place: slice) -> tuple[slice, slice]:
    """Return the columns of A and I, and those of their products."""
    return slice(place.start, place.start + 2), slice(place.start + 2, place.stop)
