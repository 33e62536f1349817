"""Names of objectives, and how one is built from settings and the federation's counts."""

from collections.abc import Sequence
from typing import TypeAlias

import numpy as np
from jaxtyping import Float

from fusion.class_settings import CLASSIFICATION
from fusion.config import ObjectiveConfig
from fusion.objectives.base import AbstractObjective
from fusion.objectives.classification import ClassificationObjective
from fusion.objectives.cox import CoxObjective, Ties
from fusion.objectives.discrete_time import DiscreteTimeObjective
from fusion.objectives.federated_cox import FederatedCoxObjective
from fusion.objectives.intervals import Intervals
from fusion.objectives.piecewise_exponential import PiecewiseExponentialObjective
from fusion.registry import Registry

Rates: TypeAlias = Float[np.ndarray, " interval"]

OBJECTIVES: Registry[type[AbstractObjective]] = Registry("objective.name")
OBJECTIVES.add("cox", CoxObjective)
OBJECTIVES.add("federated-cox", FederatedCoxObjective)
OBJECTIVES.add("discrete-time", DiscreteTimeObjective)
OBJECTIVES.add("piecewise-exponential", PiecewiseExponentialObjective)
SURVIVAL_OBJECTIVES = tuple(OBJECTIVES)
"""Those that read time and event."""

OBJECTIVES.add(CLASSIFICATION, ClassificationObjective)


def build_objective(
    config: ObjectiveConfig,
    intervals: Intervals | None,
    rates: Rates | None = None,
    class_weights: Sequence[float] = (),
) -> AbstractObjective:
    """Return the objective that `config` names.

    Args:
        config: The objective's settings.
        intervals: The federation's shared intervals; None = the objective reads no time.
        rates: The federation's hazards a year in them, where a shared baseline starts.
        class_weights: Of the loss of each class's patients.

    Returns:
        A module; its parameters, if any, are trained and averaged with the model's.

    Raises:
        ConfigError: No objective has that name; the nearest is named.

    Source: own.
    """
    kind = OBJECTIVES[config.name]
    if kind is ClassificationObjective:
        return ClassificationObjective(class_weights)
    ties: Ties = "breslow" if config.ties == "breslow" else "efron"
    if kind is CoxObjective:
        return CoxObjective(ties)
    if kind is FederatedCoxObjective:
        return FederatedCoxObjective(ties)
    return kind(intervals, rates)  # type: ignore[call-arg]
