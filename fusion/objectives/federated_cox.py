"""Cox's partial likelihood with risk sets across sites, from sums that the other sites sent."""

from typing import ClassVar

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from fusion.objectives.base import AbstractSurvivalObjective
from fusion.objectives.cox import CoxObjective, Ties, cox_loss
from fusion.survival.baseline import Baseline
from fusion.survival.bins import TimeGrid
from fusion.survival.risk_sets import RiskSums
from fusion.types import Events, LogHazards, Times


def federated_cox_loss(
    log_hazard: LogHazards, *, time: Times, event: Events, others: RiskSums, ties: Ties = "efron"
) -> Float[Tensor, ""]:
    """Return one site's part of the pooled negative log partial likelihood.

    sum_i [log(R(t_i) + O(t_i)) - eta_i] over the site's own events i: R sums exp(eta) over its own
    patients at risk, O over the others'. The gradient has a second part: the site's patients are
    also at risk when patients of other sites die, so it is that of the *pooled* likelihood by the
    site's own log hazards, others' held fixed. Without it a site could lower its loss by raising
    all its risks, and the sum of the sites' gradients would not be the pooled one.

    Divided by the events that the site's share of all patients stands for, parts weighted by
    patients add up to the pooled loss an event, and their gradients to its gradient. Exact where
    a time bin holds one time and the others' sums belong to the present model.

    Args:
        log_hazard: Model outputs of the site's patients.
        time: Follow-up in days.
        event: True = event seen.
        others: Sums of the other sites' training patients, one or more.
        ties: Of the site's own events; events of others that share a bin are met in the mean.

    Returns:
        The loss; 0, connected to the graph, without patients here or an event anywhere.

    Source: own; partial likelihood: Cox 1972.
    """
    number, known = len(log_hazard), int(event.sum()) + float(others.events.sum())
    if number == 0 or known == 0:
        return log_hazard.sum() * 0.0
    elsewhere = _like(others.at_risk(time.double().cpu().numpy()), log_hazard)
    own = cox_loss(log_hazard, time=time, event=event, ties=ties, elsewhere=elsewhere)
    seen = _others_events(log_hazard, time, others)
    expected = known * (number / (number + float(others.patients.sum())))
    return (own * int(event.sum()) + seen - seen.detach()) / expected


def _others_events(log_hazard: LogHazards, time: Times, others: RiskSums) -> Float[Tensor, ""]:
    """Return sum_k d_k log(R_k + O_k) over the bins k in which others died, d_k times."""
    bins = np.flatnonzero(others.events)
    share = torch.log(_observed(time, others.time_grid)[:, bins]).to(log_hazard.dtype)
    there = _like(others.at_risk_at_events()[bins], log_hazard)
    at_risk = torch.logsumexp(torch.cat([log_hazard[:, None] + share, there[None]]), 0)
    return (_like(others.events[bins], log_hazard) * at_risk).sum()


def _like(values: Float[np.ndarray, " value"], log_hazard: LogHazards) -> Float[Tensor, " value"]:
    return torch.tensor(values, dtype=log_hazard.dtype, device=log_hazard.device)


def _observed(time: Times, grid: TimeGrid) -> Float[Tensor, "patient bin"]:
    """Return the share of each bin that each patient was at risk in; one half of the open one."""
    start = torch.tensor(grid.edges[:-1], dtype=time.dtype, device=time.device)
    share = ((time[:, None] - start) / grid.step).clamp(0.0, 1.0)
    last = time >= grid.edges[-2]
    share[:, -1] = torch.where(last, 0.5, 0.0)
    return share


class FederatedCoxObjective(AbstractSurvivalObjective):
    """Cox's partial likelihood over the risk sets of all sites.

    Args:
        ties: `efron` or `breslow`.
        others: What the other sites sent; None = nothing, and then it is Cox's likelihood of the
            site's own patients, bit for bit.

    Source: own; partial likelihood: Cox, JRSS B 1972.
    """

    couples_patients: ClassVar[bool] = True

    def __init__(self, ties: Ties = "efron", others: RiskSums | None = None) -> None:
        super().__init__()
        self.within, self.others = CoxObjective(ties), others

    def beside(self, others: RiskSums) -> "FederatedCoxObjective":
        """Return the objective of a site whose patients are at risk together with `others`."""
        return FederatedCoxObjective(self.within.ties, others)

    def loss(self, log_hazard: LogHazards, *, time: Times, event: Events) -> Float[Tensor, ""]:
        """Return `federated_cox_loss` beside the others, `cox_loss` without any."""
        if self.others is None:
            return self.within.loss(log_hazard, time=time, event=event)
        return federated_cox_loss(
            log_hazard, time=time, event=event, others=self.others, ties=self.within.ties
        )

    def cumulative_hazard(
        self,
        log_hazard: Float[np.ndarray, " patient"],
        *,
        times: Float[np.ndarray, " time"],
        baseline: Baseline | None,
    ) -> Float[np.ndarray, "patient time"]:
        """Return Cox's cumulative hazard under the federation's Breslow baseline.

        Raises:
            ConfigError: No baseline was given.
        """
        return self.within.cumulative_hazard(log_hazard, times=times, baseline=baseline)
