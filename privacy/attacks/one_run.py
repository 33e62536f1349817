"""What one run proves of epsilon, with no assumption on noise or scores: guesses of fair coins."""

import math
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float64

SHARES = (0.02, 0.05, 0.1, 0.2, 0.3, 0.5, 0.75, 1.0)
"""Shares of the coins that are guessed; the best bound is taken, each at its part of 5 %."""

ALPHA = 0.05

MOST = 60.0
"""Epsilon beyond which nothing is told apart."""

SMALLEST_DELTA = 1e-5


@dataclass(frozen=True)
class OneRun:
    """What the guesses of one run came to.

    Attributes:
        lower: Epsilon is at least this, with 95 % confidence.
        delta: At which; far below one in the number of coins, or it would explain every guess.
        coins: How many fair coins were thrown.
        guesses: How many of them were guessed, for the best bound.
        correct: How many of these were right.

    Source: own.
    """

    lower: float
    delta: float
    coins: int
    guesses: int
    correct: int


def audit_delta(coins: int) -> float:
    """Return the delta to audit at: at most 1e-5, and at most a hundredth of one in the coins.

    Source: own.
    """
    return min(SMALLEST_DELTA, 0.01 / max(coins, 1))


def one_run(
    scores: Float64[np.ndarray, " coin"], inserted: Bool[np.ndarray, " coin"], *, delta: float
) -> OneRun:
    """Return the best lower bound on epsilon from who was guessed to be in one run.

    The highest scores are guessed to be in, as many of the lowest to be out, the others are left
    open. Bounds of several numbers of guesses are each taken at an equal part of 5 %.

    Args:
        scores: Higher = more likely in; whatever the run shows may enter, the coins may not.
        inserted: What the coins said: independent and fair.
        delta: Of the promise that is tested; see `audit_delta`.

    Source: Steinke, Nasr and Jagielski, Privacy auditing with one (1) training run, NeurIPS 2023.
    """
    order, coins = np.argsort(scores, kind="stable"), len(scores)
    numbers = sorted({max(1, round(share * coins / 2)) for share in SHARES})
    found = []
    for number in (n for n in numbers if 2 * n <= coins):
        correct = int(inserted[order[-number:]].sum() + (~inserted[order[:number]]).sum())
        guessed = Guesses(correct, 2 * number, coins)
        lower = guessed.bound(delta=delta, alpha=ALPHA / len(SHARES))
        found.append(OneRun(lower, delta, coins, guessed.number, correct))
    return max(found, key=lambda one: one.lower, default=OneRun(0.0, delta, coins, 0, 0))


@dataclass(frozen=True)
class Guesses:
    """So many right of so many guesses, of so many coins.

    Source: own.
    """

    correct: int
    number: int
    coins: int

    def chance(self, epsilon: float, delta: float) -> float:
        """Return at most how likely it is to be right so often under (epsilon, delta).

        P[B >= v] + 2 m delta max_i P[v - i <= B < v] / i, B binomial of r guesses, each right
        with probability e^epsilon / (1 + e^epsilon).

        Source: Steinke, Nasr and Jagielski 2023, theorem 5.2.
        """
        from scipy.stats import binom  # half a second, and only here

        share = 1 / (1 + math.exp(-epsilon))
        tail = binom.sf(np.arange(self.correct, -1, -1) - 1, self.number, share)
        gaps = (tail[1:] - tail[0]) / np.arange(1, self.correct + 1)
        most = float(gaps.max(initial=0.0))
        return float(tail[0]) + 2 * self.coins * delta * most

    def bound(self, *, delta: float, alpha: float) -> float:
        """Return the largest epsilon that these guesses reject at level alpha; 0 if none."""
        if self.chance(0.0, delta) > alpha:
            return 0.0
        low, high = 0.0, MOST
        while high - low > 1e-4:
            middle = (low + high) / 2
            low, high = (middle, high) if self.chance(middle, delta) <= alpha else (low, middle)
        return low


def canary_scores(
    responses: Float64[np.ndarray, "step canary"], *, noise_multiplier: float, sampling_rate: float
) -> Float64[np.ndarray, " canary"]:
    """Return for each canary how much likelier its responses are with it than without.

    sum_t log((1 - q) + q exp((r_t - 1/2) / z^2)): a step without it is N(0, z^2), one with it
    N(1, z^2), and it is drawn with probability q.

    Args:
        responses: Noisy sums along each canary, in clips.
        noise_multiplier: z.
        sampling_rate: q.

    Source: own (Neyman and Pearson).
    """
    likelier = (responses - 0.5) / noise_multiplier**2
    if sampling_rate == 1.0:
        return likelier.sum(axis=0)
    stay, drawn = math.log1p(-sampling_rate), math.log(sampling_rate)
    return np.logaddexp(stay, drawn + likelier).sum(axis=0)
