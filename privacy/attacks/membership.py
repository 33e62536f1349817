"""Was a patient among those a model was trained on? The likelihood ratio attack, its figures."""

import math
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float64

from privacy.attacks.canaries import Z975

RATES = (0.01, 0.05)
"""False alarm rates at which the share of members found is told."""

FEWEST = 2
"""Shadow models with a patient, and without, below which the patient has no score."""


@dataclass(frozen=True)
class Share:
    """A share with its 95 % interval.

    Source: own.
    """

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Membership:
    """How well members are told from others.

    Attributes:
        auc: Probability that a member scores above another patient; .5 = not at all.
        found: At each false alarm rate of `RATES`, the share of members found.
        members: How many.
        others: How many patients the model was not trained on.

    Source: own.
    """

    auc: Share
    found: dict[float, Share]
    members: int
    others: int


def likelihood_ratios(
    target: Float64[np.ndarray, " patient"],
    shadows: Float64[np.ndarray, "model patient"],
    inside: Bool[np.ndarray, "model patient"],
) -> Float64[np.ndarray, " patient"]:
    """Return how much likelier each patient's confidence is if they were in; NaN = not known.

    Confidences of a patient under models with and without them are two normal variables of one
    variance: log ratio = (mu_in - mu_out)(c - (mu_in + mu_out) / 2) / sigma^2, all three of that
    patient. One variance, as a few dozen models give no two.

    Args:
        target: Minus the loss of each patient under the attacked model.
        shadows: The same under models trained on known halves.
        inside: Whether a patient was in a shadow model's half.

    Source: Carlini et al., Membership inference attacks from first principles, S&P 2022.
    """
    count = np.stack([inside.sum(0), (~inside).sum(0)])
    safe = np.maximum(count, 1)
    mean = np.stack([(shadows * inside).sum(0), (shadows * ~inside).sum(0)]) / safe
    rest = np.where(inside, shadows - mean[0], shadows - mean[1])
    variance = (rest**2).sum(0) / np.maximum(len(shadows) - 2, 1)
    known = (count >= FEWEST).all(0) & (variance > 0)
    ratio = (mean[0] - mean[1]) * (target - mean.mean(0)) / np.where(known, variance, 1.0)
    return np.where(known, ratio, np.nan)


def membership(
    scores: Float64[np.ndarray, " patient"], member: Bool[np.ndarray, " patient"]
) -> Membership | None:
    """Return how well scores tell members; None without two members and two others.

    Args:
        scores: Higher = more likely a member; NaN = left out.
        member: Who is one.

    Source: interval of the area by DeLong, DeLong and Clarke-Pearson, Biometrics 1988; of a share
        by Clopper and Pearson 1934, the threshold taken as given.
    """
    known = ~np.isnan(scores)
    inside, outside = scores[known & member], scores[known & ~member]
    if min(len(inside), len(outside)) < FEWEST:
        return None
    found = {rate: _found(inside, outside, rate) for rate in RATES}
    return Membership(_area(inside, outside), found, len(inside), len(outside))


def clopper_pearson(hits: int, number: int) -> Share:
    """Return a share of independent trials with its 95 % interval.

    Source: Clopper and Pearson 1934.
    """
    from scipy.stats import beta  # half a second, and only here

    low = float(beta.ppf(0.025, hits, number - hits + 1)) if hits else 0.0
    high = float(beta.ppf(0.975, hits + 1, number - hits)) if hits < number else 1.0
    return Share(hits / number, low, high)


def _area(inside: Float64[np.ndarray, " member"], outside: Float64[np.ndarray, " other"]) -> Share:
    above = (inside[:, None] > outside[None, :]) + 0.5 * (inside[:, None] == outside[None, :])
    value = float(above.mean())
    variance = above.mean(1).var(ddof=1) / len(inside) + above.mean(0).var(ddof=1) / len(outside)
    reach = Z975 * math.sqrt(float(variance))
    return Share(value, max(0.0, value - reach), min(1.0, value + reach))


def _found(
    inside: Float64[np.ndarray, " member"], outside: Float64[np.ndarray, " other"], rate: float
) -> Share:
    """Return the share of members above the threshold that so many others exceed at most."""
    allowed = math.floor(rate * len(outside))
    threshold = np.sort(outside)[len(outside) - 1 - allowed]
    return clopper_pearson(int((inside > threshold).sum()), len(inside))
