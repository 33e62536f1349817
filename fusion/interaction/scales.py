"""The audit on other scales: cumulative hazard and survival at stated days, or a probability."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
from jaxtyping import Float

from fusion.config import RunConfig, names, numbers
from fusion.masking import PROBABILITY, SURVIVAL
from fusion.objectives.base import AbstractSurvivalObjective
from fusion.survival.baseline import Baseline

Hazards = Callable[[Float[np.ndarray, "row *class"]], Float[np.ndarray, "row scale"]]
"""Log-hazards to cumulative hazards, one column a scale at its own horizon."""

WARNING = (
    "This scale creates interaction: it holds exp(log-hazard), and the exponential of a sum is a "
    "product. A model that adds its modalities up has no interaction on the log-hazard and has "
    "some here. Read it as how the modalities combine in this number for a patient, never as "
    "whether the model combines them."
)
"""Goes with every figure on scales that read time."""

CURVED = (
    "This scale creates interaction: a probability is no sum, it bends where it nears 0 or 1. A "
    "model that adds its modalities up has no interaction on the logit and has some here. Read it "
    "as how the modalities combine in this number for a patient, never as whether the model "
    "combines them."
)
"""Goes with every figure on the scale of probabilities."""


@dataclass(frozen=True)
class Scale:
    """One way to read the model's output, at one time.

    Attributes:
        name: One of `fusion.masking.SCALES`.
        horizon: Days; None = the scale reads no time.

    Source: own.
    """

    name: str
    horizon: float | None

    @property
    def release(self) -> str:
        """What the audit on this scale is called on the wire."""
        return f"audit:{self.name}" + ("" if self.horizon is None else f"@{self.horizon!r}")

    @property
    def warning(self) -> str:
        """What goes with every figure on this scale."""
        return CURVED if self.horizon is None else WARNING


@dataclass(frozen=True, eq=False)
class TimeScales:
    """Scales that the log-hazard is read on beside itself.

    exp() makes them interact: of an additive log-hazard, exp(a + b) is a product.

    Attributes:
        scales: Which.
        hazards: How a log-hazard becomes a cumulative hazard at each scale's horizon.

    Source: own; that hazards and survival functions interact where the log-hazard does not is
    shown by SurvSHAP-IQ, arXiv 2602.16505.
    """

    scales: tuple[Scale, ...]
    hazards: Hazards

    def read(self, log_hazard: Float[np.ndarray, "row *class"]) -> Float[np.ndarray, "row scale"]:
        """Return the outputs on each scale, in order."""
        accumulated = self.hazards(log_hazard)
        survival = np.array([scale.name == SURVIVAL for scale in self.scales])
        return np.where(survival, np.exp(-accumulated), accumulated)


NO_SCALES = TimeScales((), lambda log_hazard: np.zeros((len(log_hazard), 0)))
"""The log-hazard alone, or the logits."""


def chosen_scales(config: RunConfig) -> tuple[Scale, ...]:
    """Return the scales that the settings name, each at every horizon, in the settings' order.

    The probability of a class has no horizon.

    Source: own.
    """
    if PROBABILITY in names(config.audit.scales):
        return (Scale(PROBABILITY, None),)
    horizons = numbers(config.evaluation.horizons, "evaluation.horizons")
    return tuple(
        Scale(name, horizon)
        for name in dict.fromkeys(names(config.audit.scales))
        for horizon in horizons
    )


def time_scales(
    scales: tuple[Scale, ...], objective: AbstractSurvivalObjective, baseline: Baseline | None
) -> TimeScales:
    """Return how a model of some objective is read on these scales.

    Args:
        scales: Wanted.
        objective: Knows the baseline, or is told it.
        baseline: The federation's Breslow estimate, for objectives without one of their own;
            without it they raise ConfigError when they are read.

    Returns:
        For `coalition_outputs`.

    Source: own.
    """
    if not scales:
        return NO_SCALES
    times = np.array([scale.horizon for scale in scales], np.float64)
    return TimeScales(scales, partial(objective.cumulative_hazard, times=times, baseline=baseline))
