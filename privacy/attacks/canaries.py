"""Gradient canaries: patients that nobody is, each in a direction of its own, and what they tell.

A canary's gradient is longer than the clip and orthogonal to every other one, so the response in
its direction is a noisy sum with, or without, one record of the greatest length there is: the
worst patient that the promise is made for. A patient's gradient has no part in these directions.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float, Float64
from torch import Tensor, nn

from privacy.accountant import epsilon_of
from privacy.engine import NoisyGradient, Patients, draw_patients
from privacy.events import PrivacyEvent
from privacy.plan import PrivacyPlan
from privacy.randomness import Randomness

GAIN = 10.0
"""How many clips long the gradient of each of a canary's patches is."""

CHUNK = 256
"""Canaries whose gradients are in memory at once."""

MOST_MU = 3.0
"""Of a sampled step; a larger one is counted as this."""

Z975 = 1.959963984540054
"""Two bounds at 97.5 % each hold together at 95 %."""


class Canaries(nn.Module):
    """Losses whose gradients are orthogonal: canary i pulls weight i alone.

    A canary has several patches that all pull the same way, as a patient's slides might: clipped
    apart they would add up to several clips.

    Args:
        number: How many.
        max_grad_norm: The clip, which every patch exceeds `GAIN` times.

    Source: own.
    """

    def __init__(self, number: int, max_grad_norm: float) -> None:
        super().__init__()
        self.weights = nn.Embedding(number, 1)  # a layer that both engines know
        self.gain = GAIN * max_grad_norm

    def forward(self, patients: Patients) -> Float[Tensor, " patient"]:
        """Return the loss of each row of `patients`, as `chunks_of` makes them."""
        return self.gain * self.weights(patients["canary"])[..., 0].sum(-1)

    def responses(self, plan: PrivacyPlan) -> Float64[np.ndarray, " canary"]:
        """Return the last step's noisy sum along each canary, in clips."""
        gradient = self.weights.weight.grad
        if gradient is None:
            raise RuntimeError("a step must have been taken")
        return gradient[:, 0].double().numpy() * (plan.expected_batch / plan.max_grad_norm)


def chunks_of(rows: Sequence[int], patches: int) -> Iterator[Patients]:
    """Yield canaries as an engine reads patients, some at a time.

    Source: own.
    """
    for start in range(0, len(rows), CHUNK):
        part = torch.tensor(list(rows[start : start + CHUNK]), dtype=torch.int64)
        yield {"canary": part[:, None].expand(-1, patches).contiguous()}


def patches_for(plan: PrivacyPlan) -> int:
    """Return so many patches a canary that clipping them apart stands out of the plan's noise.

    Source: own.
    """
    return 8 + math.ceil(plan.noise_multiplier)


@dataclass(frozen=True, eq=False)
class CanaryRun:
    """What was seen along each canary in each step of a run.

    Attributes:
        inserted: Whether the canary took part in the run at all: a fair coin each.
        drawn: Whether it took part in a step.
        responses: The noisy sum along it, in clips.

    Source: own.
    """

    inserted: Bool[np.ndarray, " canary"]
    drawn: Bool[np.ndarray, "step canary"]
    responses: Float64[np.ndarray, "step canary"]


def run_canaries(
    plan: PrivacyPlan,
    *,
    number: int,
    seed: int,
    engine: str = "factored",
    randomness: Randomness | None = None,
) -> CanaryRun:
    """Return what a whole run of the engine shows of canaries, every step published.

    Args:
        plan: Of the run.
        number: Canaries; about half of them are inserted.
        seed: Of the coins alone; noise and samples are the engine's own.
        engine: A name of `privacy.engine.ENGINES`.
        randomness: Of noise and samples; tests put in their own.

    Source: own; one run as in Steinke, Nasr and Jagielski, NeurIPS 2023.
    """
    module, patches = Canaries(number, plan.max_grad_norm), patches_for(plan)
    noisy = NoisyGradient(module, plan, engine=engine, randomness=randomness)
    inserted = np.random.default_rng(seed).random(number) < 0.5
    rows = np.flatnonzero(inserted).tolist()
    drawn = np.zeros((plan.steps, number), bool)
    responses = np.zeros((plan.steps, number))
    for step in range(plan.steps):
        taken = draw_patients(rows, plan, randomness)
        noisy.step(chunks_of(taken, patches))
        drawn[step, taken] = True
        responses[step] = module.responses(plan)
    return CanaryRun(inserted, drawn, responses)


@dataclass(frozen=True)
class CanaryEpsilon:
    """What a run cost by what was measured of it, not by what was planned.

    Attributes:
        epsilon: The accountant's for the measured noise and sampling.
        lower: At least this, with 95 % confidence.
        delta: Of both.
        noise_multiplier: Deviation of the responses without a canary over what one moves them.
        sampling_rate: Share of the steps that an inserted canary took part in.

    Source: own.
    """

    epsilon: float
    lower: float
    delta: float
    noise_multiplier: float
    sampling_rate: float


def canary_epsilon(run: CanaryRun, *, delta: float) -> CanaryEpsilon:
    """Return epsilon as estimated from a run of canaries, with a 95 % lower bound.

    mu = (mean with - mean without) / SD of the responses, whose standard error is
    sqrt(1 / n1 + 1 / n0 + mu^2 / (2 (n1 + n0))), and the share of steps drawn, by Clopper and
    Pearson. Each is bounded from below at 97.5 %, and the accountant counts what they would cost.
    Not without assumptions: noise is taken to be normal and independent from step to step
    (`one_run` assumes neither, and is looser).

    Args:
        run: At least two canaries, one of them inserted.
        delta: Of the promise.

    Returns:
        Estimate and bound; 0 where hardly anybody was drawn, infinite where the responses do not
        vary, and of sampled steps not more than that of `MOST_MU`.

    Source: own; Gaussian auditing as in Nasr et al., Tight auditing, USENIX Security 2023;
        standard error of a standardised difference by Hedges and Olkin 1985.
    """
    moved, still = run.responses[run.drawn], run.responses[~run.drawn]
    steps, taken = len(run.drawn), len(moved)
    chances = steps * int(run.inserted.sum())
    if min(len(moved), len(still)) < 2:
        return CanaryEpsilon(0.0, 0.0, delta, math.inf, 0.0)
    spread = np.concatenate([moved - moved.mean(), still - still.mean()])
    deviation = float(np.sqrt((spread**2).sum() / (len(spread) - 2)))
    if deviation == 0.0:
        return CanaryEpsilon(math.inf, math.inf, delta, 0.0, taken / chances)
    mu = float(moved.mean() - still.mean()) / deviation
    error = math.sqrt(1 / len(moved) + 1 / len(still) + mu**2 / (2 * len(spread)))
    return CanaryEpsilon(
        _cost(mu, taken / chances, steps, delta),
        _cost(mu - Z975 * error, least_share(taken, chances), steps, delta),
        delta,
        1 / mu if mu > 0 else math.inf,
        taken / chances,
    )


def least_share(taken: int, chances: int) -> float:
    """Return Clopper and Pearson's lower bound of a share at 97.5 %; 1 if nothing was left out.

    A full batch draws nobody: that everybody takes part is no chance.

    Source: Clopper and Pearson 1934.
    """
    from scipy.stats import beta  # half a second, and only here

    if taken == chances:
        return 1.0
    return float(beta.ppf(0.025, taken, chances - taken + 1)) if taken else 0.0


def gaussian_epsilon(mu: float, *, delta: float) -> float:
    """Return the epsilon of N(0, 1) against N(mu, 1), exactly; 0 for mu <= 0.

    Solves delta = Phi(mu / 2 - epsilon / mu) - e^epsilon Phi(-mu / 2 - epsilon / mu).

    Source: Balle and Wang, Improving the Gaussian mechanism, ICML 2018, theorem 5.
    """
    from scipy.optimize import brentq  # half a second, and only here
    from scipy.special import log_ndtr

    def beyond(epsilon: float) -> float:
        ends = (mu / 2 - epsilon / mu, -mu / 2 - epsilon / mu)
        return float(np.exp(log_ndtr(ends[0])) - np.exp(epsilon + log_ndtr(ends[1]))) - delta

    if mu <= 0 or beyond(0.0) <= 0:
        return 0.0
    return float(brentq(beyond, 0.0, mu**2 / 2 + 40 * mu))


def _cost(mu: float, sampling_rate: float, steps: int, delta: float) -> float:
    if sampling_rate == 1.0:
        return gaussian_epsilon(mu * math.sqrt(steps), delta=delta)
    if mu <= 0 or sampling_rate <= 0:
        return 0.0
    # beyond, the accountant takes minutes to say that epsilon is in the hundreds
    event = PrivacyEvent("gaussian", 1 / min(mu, MOST_MU), sampling_rate, steps)
    return epsilon_of([event], delta=delta)
