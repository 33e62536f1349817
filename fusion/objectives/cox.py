"""Cox's partial likelihood with exact ties handling, stable in float32."""

from typing import ClassVar, Literal, TypeAlias

import numpy as np
import torch
from jaxtyping import Float, Int64
from torch import Tensor

from fusion.errors import ConfigError
from fusion.objectives.base import AbstractSurvivalObjective
from fusion.survival.baseline import Baseline
from fusion.types import Events, LogHazards, Times

Ties: TypeAlias = Literal["efron", "breslow"]


def cox_loss(
    log_hazard: LogHazards,
    *,
    time: Times,
    event: Events,
    ties: Ties = "efron",
    added_events: int = 0,
    elsewhere: LogHazards | None = None,
) -> Float[Tensor, ""]:
    """Return the negative log partial likelihood divided by the number of events.

    -sum_i [eta_i - log sum_{j: t_j >= t_i} exp(eta_j)] / events over the events i; with Efron
    ties the l-th of d tied events leaves out the share l/d of the tied events' hazard. It couples
    patients through the risk set: never use it with per-patient clipping. The sum of site losses
    is the stratified partial likelihood, not the pooled one.

    Args:
        log_hazard: Model outputs.
        time: Follow-up in days.
        event: True = event seen.
        ties: `efron` or `breslow`.
        added_events: Added to the number of events in the denominator (some publications use 1).
        elsewhere: For each patient the log hazard sum of other sites' patients at risk at that
            time; they join the risk set whole, whatever the ties.

    Returns:
        The loss; 0, connected to the graph, when there is no event.

    Source: Cox 1972; Efron, JASA 1977; Breslow 1974.
    """
    if not bool(event.any()):
        return log_hazard.sum() * 0.0
    order = torch.argsort(time, descending=True, stable=True)
    eta, dead = log_hazard[order], event[order]
    _, group, size = torch.unique_consecutive(time[order], return_inverse=True, return_counts=True)
    last = torch.cumsum(size, 0) - 1
    at_risk = torch.logcumsumexp(eta, 0)[last][group][dead]
    if elsewhere is not None:
        at_risk = torch.logaddexp(at_risk, elsewhere[order][dead])
    if ties == "efron":
        at_risk = at_risk + _efron_correction(eta[dead], group[dead], at_risk)
    return (at_risk - eta[dead]).sum() / (int(event.sum()) + added_events)


def _efron_correction(
    eta: Float[Tensor, " event"], group: Int64[Tensor, " event"], at_risk: Float[Tensor, " event"]
) -> Float[Tensor, " event"]:
    """Return log(1 - (l/d) D/R) of each event: l earlier among its d tied ones, D their hazard."""
    _, tied, size = torch.unique_consecutive(group, return_inverse=True, return_counts=True)
    first = torch.cumsum(size, 0) - size
    place = torch.arange(len(eta), device=eta.device) - first[tied]
    share = place.to(eta.dtype) / size[tied]
    peak = torch.full((len(size),), -torch.inf, dtype=eta.dtype, device=eta.device)
    peak = peak.scatter_reduce(0, tied, eta.detach(), "amax")
    mass = torch.zeros_like(peak).index_add(0, tied, torch.exp(eta - peak[tied]))
    tied_hazard = (torch.log(mass) + peak)[tied]
    return torch.log1p(-share * torch.exp(torch.clamp(tied_hazard - at_risk, max=0.0)))


class CoxObjective(AbstractSurvivalObjective):
    """Cox's partial likelihood over the site's full risk set.

    Args:
        ties: `efron` or `breslow`.

    Source: Cox, JRSS B 1972.
    """

    couples_patients: ClassVar[bool] = True

    def __init__(self, ties: Ties = "efron") -> None:
        super().__init__()
        self.ties = ties

    def loss(self, log_hazard: LogHazards, *, time: Times, event: Events) -> Float[Tensor, ""]:
        """Return `cox_loss` with this objective's ties."""
        return cox_loss(log_hazard, time=time, event=event, ties=self.ties)

    def cumulative_hazard(
        self,
        log_hazard: Float[np.ndarray, " patient"],
        *,
        times: Float[np.ndarray, " time"],
        baseline: Baseline | None,
    ) -> Float[np.ndarray, "patient time"]:
        """Return H0(t) exp(eta) under the federation's Breslow baseline.

        Raises:
            ConfigError: No baseline was given; Cox has none of its own.
        """
        if baseline is None:
            raise ConfigError(
                "A Cox model's survival must have a baseline, got none. Estimate Breslow's first."
            )
        return baseline.accumulated(log_hazard, times)
