"""The vector of quantities each patient adds to the sums, and which products of them are summed.

Only products that a standard error needs are kept: squares inside a block of shares, all pairs
inside a block whose figure is a ratio. More would let a reader of the sums solve for patients.
"""

from functools import cache
from itertools import combinations

import numpy as np
from jaxtyping import Float

from fusion.interaction.shares import (
    SMALLEST,
    dividends,
    interaction_matrix,
    local_shares,
    moebius_shares,
    normalised,
    num_modalities,
    published_shares,
    signed_parts,
)

RATIOS = ("ratio", "global", "variance")
"""Blocks whose figure is a function of several sums, so that their products are needed too."""


@cache
def blocks(number: int) -> dict[str, slice]:
    """Return where each block of quantities lies in a patient's vector.

    Args:
        number: Number of modalities.

    Returns:
        Block name to columns: `local`, `published`, `moebius` (interaction, then modalities),
        `signs` (local share of synergy and of redundancy, then 1 if the patient's interaction is
        above 0, below 0, or nothing is above 1e-12), `pairs` (local share of each pair), `ratio`
        (absolute entries), `global` (signed entries i <= j), `dividends` and `sizes` (signed and
        absolute, coalitions 1...), `variance` (additive, interaction, and their three products).

    Source: own.
    """
    pairs, coalitions = number * (number - 1) // 2, (1 << number) - 1
    widths = {
        "local": 1 + number, "published": 1 + number, "moebius": 1 + number,
        "signs": 5, "pairs": pairs, "ratio": 2 + number, "global": pairs + number,
        "dividends": coalitions, "sizes": coalitions, "variance": 5,
    }  # fmt: skip
    ends = np.cumsum(list(widths.values())).tolist()
    return {
        name: slice(end - width, end)
        for (name, width), end in zip(widths.items(), ends, strict=True)
    }


@cache
def products(number: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the pairs of columns whose products are summed, as two index arrays.

    Args:
        number: Number of modalities.

    Returns:
        First and second column of each product, first <= second.

    Source: own.
    """
    places = blocks(number)
    width = max(place.stop for place in places.values())
    wanted = np.eye(width, dtype=bool)
    for name in RATIOS:
        wanted[places[name], places[name]] = True
    rows, columns = np.nonzero(np.triu(wanted))
    return rows, columns


def pair_names(modalities: tuple[str, ...]) -> tuple[str, ...]:
    """Return `a+b` for each pair of modalities, in the order of the `pairs` block.

    Source: own.
    """
    return tuple("+".join(pair) for pair in combinations(modalities, 2))


def coalition_names(modalities: tuple[str, ...]) -> tuple[str, ...]:
    """Return the names of the non-empty coalitions in bitmask order, such as `slides+omics`.

    Source: own.
    """
    return tuple(
        "+".join(name for bit, name in enumerate(modalities) if coalition >> bit & 1)
        for coalition in range(1, 1 << len(modalities))
    )


def additive_part(
    values: Float[np.ndarray, "patient coalition"],
) -> Float[np.ndarray, " patient"]:
    """Return v(empty) + sum_i m(i), the best the model does with each modality on its own.

    Args:
        values: Model outputs, patient x 2^M.

    Returns:
        In the unit of the values; the full output minus this is the interaction.

    Source: own.
    """
    number = num_modalities(values)
    return values[:, 1 << np.arange(number)].sum(axis=1) - (number - 1) * values[:, 0]


def quantities(
    values: Float[np.ndarray, "patient coalition"], reference: float
) -> Float[np.ndarray, "patient quantity"]:
    """Return every patient's vector of quantities, in the order of `blocks`.

    Args:
        values: Model outputs, patient x 2^M.
        reference: Subtracted from the additive part so that fourth-order products stay accurate.

    Returns:
        Patient x quantity.

    Source: own.
    """
    matrix = interaction_matrix(values)
    i, j = np.triu_indices(matrix.shape[1])
    parts = signed_parts(values)
    harsanyi = dividends(values)[:, 1:]
    return np.column_stack([
        local_shares(values),
        published_shares(values),
        moebius_shares(values),
        _signs(values, parts),
        _pairs(matrix, parts),
        parts,
        matrix[:, i, j],
        harsanyi,
        np.abs(harsanyi),
        _moments(values, reference),
    ])  # fmt: skip


def moved(
    step: float,
) -> tuple[Float[np.ndarray, "quantity quantity"], Float[np.ndarray, " quantity"]]:
    """Return how a patient's `variance` block changes when its additive part grows by `step`.

    Args:
        step: Old reference minus new one.

    Returns:
        A matrix and a vector: additive A, interaction I, A A, A I, I I become matrix @ block +
        vector.

    Source: own.
    """
    turn = np.eye(5)
    turn[2, 0], turn[3, 1] = 2 * step, step
    return turn, np.array([step, 0.0, step**2, 0.0, 0.0])


def _signs(values: np.ndarray, parts: np.ndarray) -> np.ndarray:
    interaction = values[:, -1] - additive_part(values)
    flags = [interaction >= SMALLEST, interaction <= -SMALLEST, ~(parts >= SMALLEST).any(axis=1)]
    return np.column_stack([normalised(parts)[:, :2], np.column_stack(flags).astype(np.float64)])


def _pairs(matrix: np.ndarray, parts: np.ndarray) -> np.ndarray:
    """Return each pair's part of the local share: both entries of the pair over all entries."""
    i, j = np.triu_indices(matrix.shape[1], k=1)
    pairs = 2 * np.abs(matrix[:, i, j])
    return normalised(np.column_stack([pairs, parts[:, 2:]]))[:, : len(i)]


def _moments(values: np.ndarray, reference: float) -> np.ndarray:
    additive = additive_part(values)
    interaction, shifted = values[:, -1] - additive, additive - reference
    return np.column_stack(
        [shifted, interaction, shifted**2, shifted * interaction, interaction**2]
    )
