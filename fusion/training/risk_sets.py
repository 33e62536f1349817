"""A site's part of risk sets that sites share: told after a model is received, used in the next."""

from collections.abc import Mapping, Sequence

import numpy as np

from fusion.objectives.federated_cox import FederatedCoxObjective
from fusion.survival.bins import TimeGrid
from fusion.survival.risk_sets import RiskSums, risk_sums
from fusion.training.data import PatientData
from fusion.training.evaluation import scores
from fusion.training.plan import Network

RISK_SET = "risk-set"
"""Its name on the wire, in both directions."""


def tell_risk_set(
    network: Network,
    data: PatientData,
    rows: Sequence[int],
    time_grid: TimeGrid,
    *,
    least: int = 2,
) -> dict[str, np.ndarray]:
    """Return the site's risk set sums under a model, if its objective shares them.

    Args:
        network: The model as received, the same at all sites: their sums then belong together.
        data: The site's patients.
        rows: Its training patients.
        time_grid: Shared bins.
        least: Patients that whoever leaves a bin leaves among; below 2 counts as 2.

    Returns:
        `risk-set`; nothing for other objectives.

    Privacy: no sum over a lone patient is in it.

    Source: own.
    """
    if not isinstance(network.objective, FederatedCoxObjective):
        return {}
    sums = risk_sums(
        scores(network, data, rows),
        time=data.cohort.time[list(rows)],
        event=data.cohort.event[list(rows)],
        time_grid=time_grid,
    )
    return {RISK_SET: sums.without_small_bins(max(least, 2)).to_array()}


def beside(network: Network, arrays: Mapping[str, np.ndarray], time_grid: TimeGrid) -> Network:
    """Return a network of the same weights whose patients are at risk together with others'.

    Args:
        network: What is about to be trained.
        arrays: What the coordinator sent; without a `risk-set` the network stays as it is.
        time_grid: Shared bins.

    Raises:
        FederationError: The sums cannot be read.

    Source: own.
    """
    objective = network.objective
    if RISK_SET not in arrays or not isinstance(objective, FederatedCoxObjective):
        return network
    others = RiskSums.from_array(arrays[RISK_SET], time_grid)
    return Network(network.model, objective.beside(others))
