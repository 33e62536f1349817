"""Names of objectives, and how one is built from settings and the federation's counts."""

from typing import TypeAlias

import numpy as np
from jaxtyping import Float

from fusion.config import ObjectiveConfig
from fusion.objectives.base import AbstractObjective
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


def build_objective(
    config: ObjectiveConfig, intervals: Intervals, rates: Rates | None = None
) -> AbstractObjective:
    """Return the objective that `config` names.

    Args:
        config: The objective's settings.
        intervals: The federation's shared intervals.
        rates: The federation's hazards a year in them, where a shared baseline starts.

    Returns:
        A module; its parameters, if any, are trained and averaged with the model's.

    Raises:
        ConfigError: No objective has that name; the nearest is named.

    Source: own.
    """
    kind = OBJECTIVES[config.name]
    ties: Ties = "breslow" if config.ties == "breslow" else "efron"
    if kind is CoxObjective:
        return CoxObjective(ties)
    if kind is FederatedCoxObjective:
        return FederatedCoxObjective(ties)
    return kind(intervals, rates)  # type: ignore[call-arg]
