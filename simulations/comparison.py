"""Models and settings on the same site folders, with the same splits, over several seeds."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from client.settings import Settings, site_folders
from client.site import forget_sites, open_site
from simulations.fold_folders import People
from simulations.folds import Fold
from simulations.joined_site import Part
from simulations.labelled import with_label
from simulations.study import Options, Outcome, Plan, check_plan, compare_folds, held, keep_settings

PROTOCOL = "sites"
"""Name of the division that the sites make themselves."""


def compare_sites(sites: Path, seeds: Sequence[int], plan: Plan, options: Options) -> Outcome:
    """Run models in settings on site folders, once a seed, and return the tables.

    The seed draws the split, as in a single run; a column `split` that a site has fixed stays. A
    seed counts as a repeat with one fold.

    Args:
        sites: Folder of site folders.
        seeds: Of the runs.
        plan: Models, settings, and the folder to write.
        options: Processes and the baseline.

    Raises:
        ConfigError: A setting does not fit, or the folder holds results of other settings.
        SiteError: A site cannot be read.

    Privacy: patient data is copied on one machine, into `plan.out`.

    Source: own.
    """
    check_plan(plan, options.against)
    opened = {seed: _open(sites, seed, plan) for seed in seeds}
    cohorts = [part.cohort for part in opened[seeds[0]]]
    hospital = np.concatenate([np.full(len(one.patients), one.name) for one in cohorts])
    folds = [
        Fold(PROTOCOL, seed, 1, seed, hospital, np.concatenate([p.split for p in found])).settled()
        for seed, found in opened.items()
    ]
    told = {"command": "compare", "data": [cohort.fingerprint for cohort in cohorts]}
    with held(plan.out):
        keep_settings(plan, told)
        people = People(cohorts, hospital, plan.base.objective.label)
        return compare_folds(people, folds, plan, options)


def _open(sites: Path, seed: int, plan: Plan) -> list[Part]:
    """Return each site's patients and their split; where classes are predicted, who has one."""
    config = replace(plan.base, seed=seed)
    try:
        found = [open_site(Settings(folder, config, 0)) for folder in site_folders(sites)]
        return [with_label(Part(one.cohort, one.split), config.objective) for one in found]
    finally:
        forget_sites()
