"""What a private run should have been instead: advice where noise leaves a deep network little."""

from collections.abc import Iterable, Mapping
from typing import Any

from fusion.config import RunConfig
from fusion.models.entries import MODELS

FEW_PATIENTS = 100
"""Training patients of a site below which noise hides most of a deep network's gradient."""

LITTLE_EPSILON = 3.0
"""Epsilon of a run up to which it does."""

INSTEAD = "small_head"
"""The model with so few weights that noise leaves something to learn from."""


def advise(
    sites: Iterable[Mapping[str, Any]], config: RunConfig, *, epsilon: str = "run_epsilon"
) -> list[str]:
    """Return a sentence where a deep network is trained on few patients with a small epsilon.

    Args:
        sites: What each site told of its budget; public sizes stand for numbers of patients.
        config: The run's settings.
        epsilon: Which of the told figures is compared: what the run cost, or before that the most
            that the site allows.

    Source: own; the thresholds are those of benchmarks/privacy/README.md.
    """
    if not (config.privacy.private and MODELS[config.model.name].deep):
        return []
    weak = [
        str(site["name"])
        for site in sites
        if site[epsilon] is not None
        and site[epsilon] <= LITTLE_EPSILON
        and site["public_size"] < FEW_PATIENTS
    ]
    if not weak:
        return []
    return [
        f"Model '{config.model.name}' learns a deep network from fewer than {FEW_PATIENTS} "
        f"patients with epsilon at most {LITTLE_EPSILON:g} at {', '.join(weak)}: most of what it "
        f"learns there is noise. Set model.name = {INSTEAD}, a weighted sum of fixed embeddings."
    ]
