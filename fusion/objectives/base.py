"""What every objective promises: a loss, survival curves, and whether it couples patients."""

from abc import ABC, abstractmethod
from typing import ClassVar

import numpy as np
from jaxtyping import Float
from torch import Tensor, nn

from fusion.survival.baseline import Baseline
from fusion.types import Events, LogHazards, Times


class AbstractObjective(nn.Module, ABC):
    """An objective over one log hazard a patient.

    `couples_patients` is True when one patient's term depends on other patients: clipping per
    patient then bounds nothing, and record-level differential privacy is refused.

    Source: own.
    """

    couples_patients: ClassVar[bool]

    @abstractmethod
    def loss(self, log_hazard: LogHazards, *, time: Times, event: Events) -> Float[Tensor, ""]:
        """Return the mean loss of one site's patients; 0 with a graph where nothing is learned."""

    @abstractmethod
    def cumulative_hazard(
        self,
        log_hazard: Float[np.ndarray, " patient"],
        *,
        times: Float[np.ndarray, " time"],
        baseline: Baseline | None,
    ) -> Float[np.ndarray, "patient time"]:
        """Return minus the log of each patient's probability of being event-free at `times` (days).

        `baseline` is the federation's Breslow estimate; objectives with a baseline of their own
        do not read it.
        """

    def survival(
        self,
        log_hazard: Float[np.ndarray, " patient"],
        *,
        times: Float[np.ndarray, " time"],
        baseline: Baseline | None,
    ) -> Float[np.ndarray, "patient time"]:
        """Return each patient's probability of being event-free at `times` (days)."""
        return np.exp(-self.cumulative_hazard(log_hazard, times=times, baseline=baseline))
