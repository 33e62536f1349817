"""The least noise that keeps a whole run within its epsilon, and the plan of such a run."""

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial

from scipy.optimize import brentq

from privacy.accountant import check_delta, epsilon_of
from privacy.errors import PrivacyError
from privacy.events import PrivacyEvent
from privacy.plan import PrivacyPlan

LARGEST = 1e6
"""Noise multiplier beyond which nothing is learned."""

PRECISION = 1e-3
"""Relative precision of a noise multiplier, always on the side of more noise."""


def noise_multiplier_for(
    epsilon: float,
    *,
    delta: float,
    steps: int,
    sampling_rate: float = 1.0,
    beside: Sequence[PrivacyEvent] = (),
) -> float:
    """Return the least noise multiplier with which all steps and releases cost at most epsilon.

    Args:
        epsilon: Most that the run may cost, > 0.
        delta: Of the promise.
        steps: Noisy steps of the whole run.
        sampling_rate: Probability of each patient to take part in a step.
        beside: Releases of the run, and what was spent before.

    Returns:
        A multiplier at most 0.1 % above the least.

    Raises:
        PrivacyError: A number is out of its range, or what stands beside costs epsilon already.

    Source: own (root of the accountant: sought on a rough grid, settled on the exact one).
    """
    check_delta(delta)
    if steps < 1:
        raise PrivacyError(f"steps must be >= 1, got {steps}. Count those of the whole run.")
    if not (math.isfinite(epsilon) and epsilon > 0):
        raise PrivacyError(
            f"epsilon must be a number > 0, got {epsilon}. For a run without a promise, train "
            "without differential privacy."
        )

    def cost(multiplier: float, *, rough: bool = False) -> float:
        step = PrivacyEvent("gaussian", multiplier, sampling_rate, steps)
        return epsilon_of([step, *beside], delta=delta, rough=rough)

    low, high = _bracket(partial(cost, rough=True), epsilon, beside, delta)
    found = _root(partial(cost, rough=True), epsilon, low, high)
    low, high = _around(cost, epsilon, found)
    return high if high <= low * (1 + PRECISION) else _root(cost, epsilon, low, high)


def plan_within(epsilon: float, like: PrivacyPlan) -> PrivacyPlan:
    """Return a plan with the least noise that costs at most epsilon, its releases included.

    Args:
        epsilon: Most that the run may cost, > 0.
        like: The plan; its noise is replaced.

    Raises:
        PrivacyError: A number is out of its range, or the releases cost epsilon already.

    Source: own.
    """
    multiplier = noise_multiplier_for(
        epsilon,
        delta=like.delta,
        steps=like.steps,
        sampling_rate=like.sampling_rate,
        beside=like.releases,
    )
    return replace(like, noise_multiplier=multiplier)


def _root(cost: Callable[[float], float], epsilon: float, low: float, high: float) -> float:
    """Return a multiplier that does not cost too much, between one that does and one that not."""

    def excess(place: float) -> float:
        return cost(math.exp(place)) - epsilon

    found = math.exp(brentq(excess, math.log(low), math.log(high), xtol=PRECISION / 4))
    while cost(found) > epsilon:
        found *= 1 + PRECISION / 4
    return found


def _around(cost: Callable[[float], float], epsilon: float, guess: float) -> tuple[float, float]:
    """Return a multiplier that costs too much and one that does not, close to a guess."""
    high, width = guess, PRECISION / 2
    while cost(high) > epsilon:
        high *= 1 + width
    low = high / (1 + width)
    while cost(low) <= epsilon:
        high, width = low, 4 * width
        low = high / (1 + width)
    return low, high


def _bracket(
    cost: Callable[[float], float],
    epsilon: float,
    beside: Sequence[PrivacyEvent],
    delta: float,
) -> tuple[float, float]:
    """Return a multiplier that costs too much and one that does not."""
    told = epsilon_of(beside, delta=delta)
    high = 1.0
    while told < epsilon < cost(high) and high < LARGEST:
        high *= 2
    if told >= epsilon or high >= LARGEST:
        raise PrivacyError(
            f"epsilon must exceed what is spent beside training, got {epsilon:g} with "
            f"{told:.4g} spent. Raise it, or release less."
        )
    low = high / 2
    while cost(low) <= epsilon:
        low, high = low / 2, low
    return low, high
