"""The audit on scales that read time: cumulative hazard and survival at stated days."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
from jaxtyping import Float

from fusion.config import RunConfig, names, numbers
from fusion.masking import SURVIVAL
from fusion.objectives.base import AbstractObjective
from fusion.survival.baseline import Baseline

Hazards = Callable[[Float[np.ndarray, " row"]], Float[np.ndarray, "row scale"]]
"""Log-hazards to cumulative hazards, one column a scale at its own horizon."""

WARNING = (
    "This scale creates interaction: it holds exp(log-hazard), and the exponential of a sum is a "
    "product. A model that adds its modalities up has no interaction on the log-hazard and has "
    "some here. Read it as how the modalities combine in this number for a patient, never as "
    "whether the model combines them."
)
"""Goes with every figure on these scales."""


@dataclass(frozen=True)
class Scale:
    """One way to read the model's output, at one time.

    Attributes:
        name: One of `fusion.masking.SCALES`.
        horizon: Days.

    Source: own.
    """

    name: str
    horizon: float

    @property
    def release(self) -> str:
        """What the audit on this scale is called on the wire."""
        return f"audit:{self.name}@{self.horizon!r}"


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

    def read(self, log_hazard: Float[np.ndarray, " row"]) -> Float[np.ndarray, "row scale"]:
        """Return the outputs on each scale, in order."""
        accumulated = self.hazards(log_hazard)
        survival = np.array([scale.name == SURVIVAL for scale in self.scales])
        return np.where(survival, np.exp(-accumulated), accumulated)


NO_SCALES = TimeScales((), lambda log_hazard: np.zeros((len(log_hazard), 0)))
"""The log-hazard alone."""


def chosen_scales(config: RunConfig) -> tuple[Scale, ...]:
    """Return the scales that the settings name, each at every horizon, in the settings' order.

    Source: own.
    """
    horizons = numbers(config.evaluation.horizons, "evaluation.horizons")
    return tuple(
        Scale(name, horizon)
        for name in dict.fromkeys(names(config.audit.scales))
        for horizon in horizons
    )


def time_scales(
    scales: tuple[Scale, ...], objective: AbstractObjective, baseline: Baseline | None
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
    times = np.array([scale.horizon for scale in scales])
    return TimeScales(scales, partial(objective.cumulative_hazard, times=times, baseline=baseline))
