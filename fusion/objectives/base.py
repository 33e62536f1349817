"""What every objective promises: a loss, and whether it couples patients; for survival, curves."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import ClassVar

import numpy as np
from jaxtyping import Float
from torch import Tensor, nn

from fusion.survival.baseline import Baseline
from fusion.survival.concordance import concordance
from fusion.types import Events, LogHazards, Times


class AbstractObjective(nn.Module, ABC):
    """An objective over each patient's scores and targets.

    `couples_patients` is True when one patient's term depends on other patients: clipping per
    patient then bounds nothing, and record-level differential privacy is refused.

    Attributes:
        targets: What it learns from, as `PatientData` and the keywords of both functions name it.
        loss: Scores and targets to the mean loss of one site's patients.
        confidence: Scores of a model's two halves and targets to how sure each half is of them.

    Source: own.
    """

    couples_patients: ClassVar[bool]
    targets: ClassVar[tuple[str, ...]]
    loss: Callable[..., Float[Tensor, ""]]
    confidence: Callable[..., tuple[float, float] | None]


class AbstractSurvivalObjective(AbstractObjective):
    """An objective over one log hazard a patient.

    Source: own.
    """

    targets: ClassVar[tuple[str, ...]] = ("time", "event")

    @abstractmethod
    def loss(self, log_hazard: LogHazards, *, time: Times, event: Events) -> Float[Tensor, ""]:
        """Return the mean loss of one site's patients; 0 with a graph where nothing is learned."""

    def confidence(
        self, halves: Float[Tensor, "patient 2"], *, time: Times, event: Events
    ) -> tuple[float, float] | None:
        """Return how well each half of a model's log hazard knows some patients by itself.

        Harrell's concordance of each half, unless an objective can tell a probability. None =
        it cannot be told of these patients.

        Args:
            halves: Two parts that add up to the log hazard.
            time: Follow-up in days.
            event: True = event seen.
        """
        told = {"time": time.double().cpu().numpy(), "event": event.cpu().numpy()}
        risks = halves.double().cpu().numpy().T
        first, second = (concordance(risk, **told).estimate.value for risk in risks)
        return None if first is None or second is None else (first, second)

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


class AbstractSeparableObjective(AbstractSurvivalObjective):
    """A survival objective whose every patient has a loss of their own, whoever else is there.

    Record-level differential privacy needs this: what one patient adds can then be bounded.

    Source: own.
    """

    couples_patients: ClassVar[bool] = False
    baseline: nn.Parameter

    @abstractmethod
    def losses(
        self, log_hazard: LogHazards, *, time: Times, event: Events
    ) -> Float[Tensor, " patient"]:
        """Return each patient's loss."""

    def loss(self, log_hazard: LogHazards, *, time: Times, event: Events) -> Float[Tensor, ""]:
        """Return the mean of the losses; 0 with a graph for no patients."""
        if len(log_hazard) == 0:
            return log_hazard.sum() * 0.0 + self.baseline.sum() * 0.0
        return self.losses(log_hazard, time=time, event=event).mean()

    def forward(self, outcomes: Float[Tensor, "patient 3"]) -> Float[Tensor, " patient"]:
        """Return the losses of rows of log hazard, time in days, and event (1 or 0).

        One tensor goes in: engines that take gradients patient by patient know such modules.
        """
        log_hazard = outcomes[:, 0].to(self.baseline.dtype)
        return self.losses(log_hazard, time=outcomes[:, 1], event=outcomes[:, 2] > 0)
