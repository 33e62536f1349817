"""Inputs of patients as rows of bounded length, so that noise can hide one in their sums."""

from collections.abc import Callable
from typing import TypeAlias

import numpy as np
from jaxtyping import Float

SPREAD = (2.0, 6.0)
"""What a row's inputs and squares are divided by the root of, times their number: z-scores have
mean squares 1 and mean fourth powers 3, so either half has a mean square of 1 / 2."""

REACH = 2.0
"""Length, in that of a row of z-scores, to which rows are cut; the mean row has sqrt(2)."""

Variances: TypeAlias = tuple[float, float, float]
"""Of the noise on numbers, sums and sums of squares."""

EXACT: Variances = (0.0, 0.0, 0.0)
"""No noise."""


def bounded_inputs(
    values: Float[np.ndarray, "patient feature"],
    squares: Float[np.ndarray, "patient feature"] | None = None,
) -> Float[np.ndarray, "patient number"]:
    """Return each patient's row: 1, the inputs, their squares, scaled to a common length.

    Not known values count as 0. The scale is public, that of z-scores; inputs of another size are
    cut harder, and their statistics are biased: prefer public ones (`data.scaling`).

    Args:
        values: NaN = not known; a patient without any has a row of zeros.
        squares: Their squares; None = of `values`. A mean patch comes with the mean of squares.

    Privacy: one row a patient; stays at the site.

    Source: own.
    """
    known = ~np.isnan(values)
    filled, number = np.where(known, values, 0.0), max(values.shape[1], 1)
    first, second = (np.sqrt(spread * number) for spread in SPREAD)
    squared = filled**2 if squares is None else np.where(known, squares, 0.0)
    return np.column_stack([known.any(axis=1), filled / first, squared / second])


def input_bound(
    rows: Float[np.ndarray, "patient number"], sensitivity: Callable[[int], float]
) -> float:
    """Return the length that rows are cut to, in the norm of a noise.

    Args:
        rows: Of `bounded_inputs`; their width alone is read.
        sensitivity: Length of a vector of so many numbers of size 1: its root in the L2 norm.

    Source: own.
    """
    width = rows.shape[1]
    return REACH * sensitivity(width) / np.sqrt(width)


def unscaled(sums: Float[np.ndarray, " number"]) -> Float[np.ndarray, "3 feature"]:
    """Return sums of `bounded_inputs` as rows of number, sum and sum of squares.

    Source: own.
    """
    first, second = np.split(sums[1:], 2)
    scales = [np.sqrt(spread * max(len(first), 1)) for spread in SPREAD]
    return np.stack([np.full_like(first, sums[0]), first * scales[0], second * scales[1]])


def noise_variances(number: int, deviation: float) -> Variances:
    """Return the variances of the noise on the rows of `unscaled`.

    Args:
        number: Features.
        deviation: Standard deviation of the noise on each number before `unscaled`.

    Source: own.
    """
    first, second = (deviation**2 * spread * max(number, 1) for spread in SPREAD)
    return deviation**2, first, second


def summed(one: Variances, two: Variances) -> Variances:
    """Return the variances of the noise on the sums of two sites.

    Source: own.
    """
    return one[0] + two[0], one[1] + two[1], one[2] + two[2]


def told_through(
    noise: Variances,
    known: Float[np.ndarray, " feature"],
    mean: Float[np.ndarray, " feature"],
    square: Float[np.ndarray, " feature"],
) -> tuple[Float[np.ndarray, " feature"], Float[np.ndarray, " feature"]]:
    """Return means and deviations where they exceed twice their noise, else 0 and 1.

    Those are what z-scores have: noise is not taken for a statistic.

    Args:
        noise: On the sums.
        known: Patients, noised.
        mean: Sum over `known`.
        square: Sum of squares over `known`.

    Source: own (delta method for the variance of each).
    """
    of_mean = (noise[1] + mean**2 * noise[0]) / known**2
    of_square = (noise[2] + square**2 * noise[0]) / known**2
    variance = square - mean**2
    shown = variance > 2.0 * np.sqrt(of_square + 4.0 * mean**2 * of_mean)
    centre = np.where(np.abs(mean) > 2.0 * np.sqrt(of_mean), mean, 0.0)
    return centre, np.where(shown, np.sqrt(np.maximum(variance, 0.0)), 1.0)
