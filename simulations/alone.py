"""What each site of a fold can do alone: train at all, and with how many components."""

from collections.abc import Mapping

import numpy as np
from jaxtyping import Bool

from fusion.lists import pairs
from fusion.modalities import SLIDES
from fusion.readers.components import FEWEST
from simulations.fold_folders import People
from simulations.folds import Fold


def able_alone(people: People, fold: Fold, components: str) -> Mapping[str, str]:
    """Return the sites that can train alone, each with its own `data.components`.

    A site needs an event among its training patients, or every class. Of n patients with a table at
    most n - 1 components vary, and fewer than three patients have none: a site takes as many as are
    asked for, or as it has.

    Args:
        people: All patients.
        fold: Their sites and splits.
        components: The setting, such as `rna=12,slides=16`.

    Returns:
        Site to setting.

    Privacy: counts of patients; stays on the machine.

    Source: own.
    """
    asked = pairs(components, "data.components")
    found = {}
    for site in fold.trainers():
        here = (fold.site == site) & (fold.split == "train")
        most = {name: int((here & _has(people, name)).sum()) - 1 for name in asked}
        if _learns(people, here) and all(one >= FEWEST - 1 for one in most.values()):
            numbers = {name: min(number, most[name]) for name, number in asked.items()}
            found[site] = ",".join(f"{name}={number}" for name, number in numbers.items())
    return found


def _learns(people: People, here: Bool[np.ndarray, " patient"]) -> bool:
    """Return whether some patients have what a model can learn from: an event, or all classes."""
    if people.label:
        return len(np.unique(people.strata[here])) == len(np.unique(people.strata))
    return bool((here & people.event).any())


def _has(people: People, name: str) -> Bool[np.ndarray, " patient"]:
    """Return who has slides, or a row in an omics table."""
    if name == SLIDES:
        return np.concatenate([cohort.has_slides for cohort in people.cohorts])
    return np.concatenate(
        [
            cohort.tables[name].present
            if name in cohort.tables
            else np.full(len(cohort.patients), False)
            for cohort in people.cohorts
        ]
    )
