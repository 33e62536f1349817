"""Discrete-time logistic hazard, proportional: shared bin biases, one output a patient."""

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.functional import logsigmoid

from fusion.objectives.base import AbstractSeparableObjective
from fusion.objectives.intervals import Intervals
from fusion.survival.baseline import Baseline
from fusion.types import Events, LogHazards, Times


class DiscreteTimeObjective(AbstractSeparableObjective):
    """Probability sigmoid(b_k + eta) of the event in interval k, given survival so far.

    -log L_i = -event_i log h_ik - sum_{j<k} log(1 - h_ij) - (1 - event_i) log(1 - h_ik). Every
    patient's term stands alone. eta is a log odds ratio of the discrete hazard.

    Args:
        intervals: Shared intervals.
        rates: Hazards a year the biases start from; 0.2 everywhere if None.

    Source: Gensheimer & Narasimhan, PeerJ 2019; proportional odds after Cox 1972.
    """

    def __init__(
        self, intervals: Intervals, rates: Float[np.ndarray, " interval"] | None = None
    ) -> None:
        super().__init__()
        self.intervals = intervals
        start = np.full(len(intervals), 0.2) if rates is None else rates
        dying = -np.expm1(-start * np.diff(intervals.edges) / 365.25)
        odds = np.clip(dying, 1e-6, 1 - 1e-6)
        self.baseline = nn.Parameter(torch.tensor(np.log(odds / (1 - odds)), dtype=torch.float32))

    def losses(
        self, log_hazard: LogHazards, *, time: Times, event: Events
    ) -> Float[Tensor, " patient"]:
        """Return each patient's negative log likelihood."""
        logit = self.baseline[None, :] + log_hazard[:, None]
        index = self.intervals.index(time)[:, None]
        passed = torch.arange(len(self.intervals), device=index.device)[None, :] < index
        survived = torch.where(passed, logsigmoid(-logit), 0.0).sum(1)
        here = torch.gather(logit, 1, index)[:, 0]
        return -(survived + logsigmoid(torch.where(event, here, -here)))

    @torch.no_grad()
    def confidence(
        self, halves: Float[Tensor, "patient 2"], *, time: Times, event: Events
    ) -> tuple[float, float] | None:
        """Return each half's mean probability of the interval that saw the event.

        Over the patients with an event: h_k prod_{j<k} (1 - h_j), h_j = sigmoid(b_j / 2 + half).
        Both halves get half of b_j, so that they still add up. None without an event.
        """
        if not bool(event.any()):
            return None
        logit = self.baseline / 2 + halves[event].T[:, :, None]
        index = self.intervals.index(time[event]).expand(2, -1)[:, :, None]
        passed = torch.arange(len(self.intervals), device=index.device) < index
        survived = torch.where(passed, logsigmoid(-logit), 0.0).sum(2)
        here = logsigmoid(logit.gather(2, index))[:, :, 0]
        first, second = (survived + here).exp().mean(1).tolist()
        return first, second

    def cumulative_hazard(
        self,
        log_hazard: Float[np.ndarray, " patient"],
        *,
        times: Float[np.ndarray, " time"],
        baseline: Baseline | None,  # noqa: ARG002 -- it has one of its own
    ) -> Float[np.ndarray, "patient time"]:
        """Return -sum_k log(1 - h_k) up to each time, linear inside an interval."""
        bias = self.baseline.detach().double().cpu().numpy()
        logit = bias[None, :] + log_hazard[:, None]
        steps = np.cumsum(np.logaddexp(0.0, logit), axis=1)
        edges = np.asarray(self.intervals.edges)
        knots = np.concatenate([np.zeros((len(log_hazard), 1)), steps], axis=1)
        place = np.clip(np.searchsorted(edges, times, side="right") - 1, 0, len(edges) - 2)
        share = np.clip((times - edges[place]) / np.diff(edges)[place], 0.0, 1.0)
        return knots[:, place] * (1 - share) + knots[:, place + 1] * share
