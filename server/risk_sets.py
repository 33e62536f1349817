"""Risk sets across sites: what each site is handed of the others."""

from collections.abc import Mapping, Sequence

import numpy as np
from flwr.app import RecordDict

from fusion.objectives.build import OBJECTIVES
from fusion.objectives.federated_cox import FederatedCoxObjective
from fusion.survival.bins import TimeGrid
from fusion.survival.risk_sets import RiskSums
from fusion.training.risk_sets import RISK_SET
from server.inbox import Answer, Check, to_record


def others_of(
    site: str, risk_sets: Mapping[str, np.ndarray], time_grid: TimeGrid
) -> dict[str, np.ndarray]:
    """Return the sum over all sites but one.

    A sum of the others, not the total less the site's own: nothing cancels, and a site that did
    not answer the last round is handed exactly what it is not part of.

    Args:
        site: For whom.
        risk_sets: Each site's part.
        time_grid: Shared bins.

    Returns:
        `risk-set`; nothing if no other site has a training patient in it.

    Source: own.
    """
    parts = [
        RiskSums.from_array(risk_sets[name], time_grid)
        for name in sorted(risk_sets)
        if name != site
    ]
    if not sum(part.patients.sum() for part in parts):
        return {}
    return {RISK_SET: sum(parts[1:], start=parts[0]).to_array()}


def handed_out(
    content: RecordDict,
    sites: Sequence[str],
    risk_sets: Mapping[str, np.ndarray],
    time_grid: TimeGrid,
) -> dict[str, RecordDict]:
    """Return one request a site: what all get, and the others' risk sets.

    Source: own.
    """
    found = {}
    for site in sites:
        arrays = others_of(site, risk_sets, time_grid)
        extra = {"arrays": to_record(arrays)} if arrays else {}
        found[site] = RecordDict({**content, **extra})
    return found


def collected(answers: Sequence[Answer]) -> dict[str, np.ndarray]:
    """Return the risk set sums that came back, by site; empty for other objectives.

    Source: own.
    """
    return {a.site: a.sums[RISK_SET] for a in answers if RISK_SET in a.sums}


def with_risk_sets(check: Check, objective: str, time_grid: TimeGrid) -> Check:
    """Return `check`, which also refuses risk set sums that the objective needs and cannot read.

    Source: own.
    """
    if OBJECTIVES[objective] is not FederatedCoxObjective:
        return check

    def check_both(answer: Answer) -> None:
        check(answer)
        RiskSums.from_array(answer.sums[RISK_SET], time_grid)

    return check_both
