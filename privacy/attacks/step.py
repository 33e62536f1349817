"""The step test: thousands of noisy sums with and without a record, held against the plan."""

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from privacy.attacks.canaries import Canaries, chunks_of, patches_for
from privacy.engine import NoisyGradient, draw_patients
from privacy.errors import PrivacyError
from privacy.plan import PrivacyPlan
from privacy.randomness import Randomness

SUMS = 3000
"""Noisy sums with a record of the greatest length, and as many without."""

TOLERANCE = 5.0
"""Standard errors that a figure may be off; a sound engine exceeds them once in 300,000 tests."""

MOST_DRAWS = 300_000
"""Coins of a sampling test at most."""


@dataclass(frozen=True)
class StepFigure:
    """One thing that a step is claimed to do, and what it does.

    Source: own.
    """

    name: str
    found: float
    claimed: float
    standard_error: float

    @property
    def holds(self) -> bool:
        """Whether chance alone explains the difference."""
        return abs(self.found - self.claimed) <= TOLERANCE * self.standard_error

    def __str__(self) -> str:
        return f"{self.name} {self.found:.4g} where {self.claimed:.4g} is claimed"


def measure_step(
    plan: PrivacyPlan, *, engine: str = "factored", randomness: Randomness | None = None
) -> tuple[StepFigure, ...]:
    """Return what the engine's steps do, beside what the accountant takes them to do.

    Two steps are taken: one that draws nobody, and one over `SUMS` canaries, each of several
    patches and each far longer than the clip, in directions of their own. Every direction is a
    noisy sum. Looked at: how strong the noise is, how far a record moves its sum, their ratio mu,
    whether the second step's noise repeats the first's, and how many patients are drawn.

    Args:
        plan: What is claimed.
        engine: A name of `privacy.engine.ENGINES`.
        randomness: Tests put in their own.

    Source: own.
    """
    module = Canaries(SUMS, plan.max_grad_norm)
    noisy = NoisyGradient(module, plan, engine=engine, randomness=randomness)
    noisy.step([])
    without = module.responses(plan)
    noisy.step(chunks_of(range(SUMS), patches_for(plan)))
    with_record = module.responses(plan)
    z, moved = plan.noise_multiplier, float(with_record.mean() - without.mean())
    noise = math.sqrt((without.var(ddof=1) + with_record.var(ddof=1)) / 2)
    mu = moved / noise if noise else math.inf
    alike = float(np.corrcoef(without, with_record)[0, 1]) if noise else 1.0
    return (
        StepFigure("noise in clips", noise, z, z / math.sqrt(4 * SUMS)),
        StepFigure("clips that one patient moves", moved, 1.0, z * math.sqrt(2 / SUMS)),
        StepFigure("mu", mu, 1 / z, math.sqrt((2 + 1 / (4 * z**2)) / SUMS)),
        StepFigure("likeness of two steps' noise", alike, 0.0, 1 / math.sqrt(SUMS)),
        _sampling(plan, randomness),
    )


def check_step(plan: PrivacyPlan, engine: str = "factored") -> tuple[StepFigure, ...]:
    """Return the figures of a step test, once a process for each plan.

    Raises:
        PrivacyError: A figure is not the plan's; nothing may be trained.

    Source: own.
    """
    return _checked(plan, engine)


@lru_cache(maxsize=8)
def _checked(plan: PrivacyPlan, engine: str) -> tuple[StepFigure, ...]:
    figures = measure_step(plan, engine=engine)
    wrong = [str(figure) for figure in figures if not figure.holds]
    if wrong:
        raise PrivacyError(
            f"A private step must do what the site's ledger counts, got {'; '.join(wrong)} in "
            f"{SUMS:,} noisy sums. Nothing was trained; install an unchanged version."
        )
    return figures


def _sampling(plan: PrivacyPlan, randomness: Randomness | None) -> StepFigure:
    """Return the share of patients that steps draw, over so many that it is known well."""
    rate = plan.sampling_rate
    number = min(math.ceil(SUMS / rate), MOST_DRAWS)
    share = len(draw_patients(range(number), plan, randomness)) / number
    return StepFigure("share of patients drawn", share, rate, math.sqrt(rate * (1 - rate) / number))
