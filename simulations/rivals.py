"""The reference models: what is fitted to convergence on pooled patients, beside the networks."""

from collections.abc import Sequence
from typing import Any

from fusion.config import RunConfig
from fusion.readers.cohort import Cohort
from simulations.elastic_net import ELASTIC_NET, judge_elastic_net
from simulations.ridge import RIDGES, judge_ridge

REFERENCES = (*RIDGES, ELASTIC_NET)
"""Names of the reference models."""


def judge_reference(model: str, cohorts: Sequence[Cohort], config: RunConfig) -> dict[str, Any]:
    """Return the figures of a reference model trained on all patients who do not test.

    Args:
        model: One of `REFERENCES`.
        cohorts: Sites whose splits are fixed; evaluate-only sites are all test.
        config: Settings of the runs it stands beside.

    Returns:
        Test figures as in result.json, `validation`, `penalty`, `parameters`, and patients.

    Raises:
        ConcordError: It cannot be fitted.

    Privacy: pools patient data; for one machine.

    Source: own.
    """
    if model == ELASTIC_NET:
        return judge_elastic_net(cohorts, config)
    return judge_ridge(model, cohorts, config)
