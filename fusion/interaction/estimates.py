"""Figures with standard errors from means and covariances, and what a figure is without one."""

import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from fusion.interaction.shares import SMALLEST
from fusion.survival.estimate import Z95

Entry = dict[str, Any]
"""A JSON-safe figure: value, low, high, standard_error, reason, and named figures beside it."""


UNKNOWN = 10.0
"""Half an interval in sizes of its figure, above which factors of exp() would tell nothing."""


def delta_method(
    function: Callable[[Tensor], Tensor],
    *,
    mean: Float[np.ndarray, " entry"],
    covariance: Float[np.ndarray, "entry entry"],
    count: float,
) -> tuple[Float[np.ndarray, " figure"], Float[np.ndarray, " figure"]]:
    """Return functions of a mean and their standard errors, sqrt(J C J^T / n).

    First-order: not for a figure whose gradient vanishes or jumps at the mean.

    Args:
        function: Figures of the mean, made of differentiable torch operations.
        mean: Mean over patients.
        covariance: Covariance between patients; NaN when there is only one.
        count: Number of patients.

    Returns:
        Figures and standard errors, both in the figures' unit; errors NaN for one patient.

    Source: van der Vaart 1998, "Asymptotic Statistics", chapter 3.
    """
    point = torch.from_numpy(np.ascontiguousarray(mean))
    values = function(point).numpy()
    jacobian = torch.func.jacrev(function)(point).numpy()
    spread = np.einsum("fi,ij,fj->f", jacobian, covariance, jacobian) / count
    return values, np.sqrt(np.maximum(spread, 0.0))


def figure(value: float, error: float, *, scale: str = "linear", quantile: float = Z95) -> Entry:
    """Return a figure with its 95% interval.

    The interval is value +- 1.96 SE on the named scale, so that `logit` keeps a share in (0, 1)
    and `log` a positive figure above 0. `inverse` is for a share of variance: with heavy tails a
    sample without its extremes has a small share and a small error both (SE ~ value^2), which
    1 / value evens out; its upper end is cut at 1, or at the linear end if that is higher. At the
    end of its range (0 or 1), where those scales do not reach, the interval is linear and cut to
    the range.

    Args:
        value: The figure.
        error: Its standard error; NaN if there is none.
        scale: `linear`, `log`, `logit` or `inverse`.
        quantile: Taken instead of 1.96.

    Returns:
        value, low, high, standard_error, reason.

    Source: own (delta method).
    """
    if math.isnan(error):
        return absent("one patient gives no standard error") | {"value": value}
    low, high = _interval(value, quantile * error, scale=scale)
    ends = {"low": low, "high": high, "standard_error": error}
    return {"value": value} | ends | {"reason": None}


def absent(reason: str) -> Entry:
    """Return a figure that cannot be had, and why.

    Source: own.
    """
    names = ("value", "low", "high", "standard_error")
    return dict.fromkeys(names, None) | {"reason": reason}


def number(value: float) -> float | None:
    """Return a plain float, or None in place of NaN and infinity.

    Source: own.
    """
    return float(value) if math.isfinite(value) else None


def named(names: tuple[str, ...], values: np.ndarray, errors: np.ndarray) -> Entry:
    """Return each value under its name and the errors under `standard_errors`.

    Args:
        names: One a value.
        values: Figures.
        errors: Their standard errors; NaN becomes None.

    Returns:
        A JSON-safe mapping.

    Source: own.
    """
    known = {name: number(value) for name, value in zip(names, values, strict=True)}
    spread = {name: number(error) for name, error in zip(names, errors, strict=True)}
    return known | {"standard_errors": spread}


def cochran(
    figures: Mapping[str, tuple[float | None, float | None]], *, scale: str = "linear"
) -> Entry:
    """Return how much sites differ beyond chance: Cochran's Q, I^2 and the mean under it.

    Q = sum w_k (x_k - x)^2 with w_k = 1 / SE_k^2 and x their weighted mean, chi-square with K - 1
    degrees when all sites agree; I^2 = max(0, (Q - K + 1) / Q). `random_effects` is the mean of
    the sites' figures when they differ truly (DerSimonian and Laird). Not for sites of a few
    patients, whose standard errors are themselves guesses: leave them out before.

    Args:
        figures: A site's figure and its standard error; sites without either,
            or with an error that is mere rounding, are left out.
        scale: On which the interval of `random_effects` is symmetric, see `figure`.

    Returns:
        cochran_q, degrees, p_value, i_squared, sites (how many entered), random_effects, reason.

    Source: Higgins and Thompson 2002, Stat Med 21:1539; DerSimonian and Laird 1986.
    """
    used = [(x, s) for x, s in figures.values() if x is not None and s is not None and s > SMALLEST]
    blank = dict.fromkeys(("cochran_q", "degrees", "p_value", "i_squared", "random_effects"), None)
    if len(used) < 2:
        reason = (
            f"{len(used)} of {len(figures)} sites have a figure with a standard error; 2 needed"
        )
        return blank | {"sites": len(used), "reason": reason}
    values, errors = np.array(used, dtype=np.float64).T
    weight = errors**-2
    q = float(weight @ (values - weight @ values / weight.sum()) ** 2)
    degrees = len(used) - 1
    between = max(0.0, (q - degrees) / (weight.sum() - weight @ weight / weight.sum()))
    weight = 1 / (errors**2 + between)
    effect = float(weight @ values / weight.sum())
    mean = figure(effect, float(weight.sum() ** -0.5), scale=scale)
    return {
        "cochran_q": q,
        "degrees": degrees,
        "p_value": _chi_square_tail(q, degrees),
        "i_squared": max(0.0, (q - degrees) / q) if q > 0 else 0.0,
        "random_effects": mean,
        "sites": len(used),
        "reason": None,
    }


def _chi_square_tail(value: float, degrees: int) -> float:
    half = torch.tensor([degrees / 2, value / 2], dtype=torch.float64)
    return float(torch.special.gammaincc(half[0], half[1]))


def _interval(value: float, half: float, *, scale: str) -> tuple[float, float]:
    """Return value +- half on a scale; linear and cut to the range at its ends."""
    top = 1.0 if scale == "logit" else math.inf
    # The share of variance of an additive model is squared rounding: its inverse tells nothing.
    bottom = SMALLEST**2 if scale == "inverse" else 0.0
    if scale == "linear":
        return value - half, value + half
    if not bottom < value < top or (scale == "log" and half > UNKNOWN * value):
        return min(max(value - half, 0.0), top), max(min(value + half, top), 0.0)
    if scale == "inverse":
        step = half / value
        high = value / (1 - step) if step < 1 else math.inf
        return value / (1 + step), min(high, max(1.0, value + half))
    if scale == "log":
        return value * _exp(-half / value), value * _exp(half / value)
    step, odds = half / (value * (1 - value)), (1 - value) / value
    return 1 / (1 + odds * _exp(step)), 1 / (1 + odds * _exp(-step))


def _exp(power: float) -> float:
    return math.exp(min(power, 700.0))
