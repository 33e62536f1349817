"""One hospital's patients, read once a run and kept while the process lives."""

from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

import numpy as np

from client.settings import Settings
from fusion.config import RunConfig, names
from fusion.readers.bags import BagReader
from fusion.readers.cohort import Cohort, read_cohort
from fusion.readers.folds import assign_split
from fusion.training.data import PatientData
from fusion.training.plan import Plan, SurvivalNetwork, build_network

SPLITS = ("train", "validation", "test")


@dataclass(frozen=True, eq=False)
class Site:
    """A checked cohort and the split of its patients.

    Attributes:
        cohort: What the folder holds.
        split: `train`, `validation` or `test` for each patient.
        bags: Reader of their patches, with its memory.

    Privacy: holds patient data; nothing here leaves the site.

    Source: own.
    """

    cohort: Cohort
    split: np.ndarray
    bags: BagReader

    def rows(self, split: str) -> list[int]:
        """Return the patients of one split; nobody if it holds one patient alone.

        Every sum over a lone patient would be that patient's own value.
        """
        rows = [int(row) for row in np.flatnonzero(self.split == split)]
        return rows if len(rows) > 1 else []


def open_site(settings: Settings) -> Site:
    """Return the site's patients and their split.

    Raises:
        SiteError: The folder cannot be used as it is.

    Source: own.
    """
    return _read_site(settings.folder, settings.run, settings.run_id)


def open_patients(settings: Settings, plan_text: str) -> PatientData:
    """Return the site's patients as tensors, scaled as the plan says.

    Args:
        settings: Of this message.
        plan_text: The plan that the coordinator sent.

    Returns:
        The same object while the run and the plan last.

    Source: own.
    """
    return _scale(settings.folder, settings.run, settings.run_id, plan_text)


@lru_cache(maxsize=2)
def open_network(run: RunConfig, plan_text: str) -> SurvivalNetwork:
    """Return the run's network; whoever asks for it puts its own weights in first.

    Source: own.
    """
    return build_network(read_plan(plan_text), run)


@lru_cache(maxsize=128)
def _read_site(folder: Path, run: RunConfig, run_id: int) -> Site:  # noqa: ARG001 -- a new run reads anew
    cohort = read_cohort(folder)
    if cohort.name in names(run.split.hold_out):
        cohort = replace(cohort, role="evaluate-only")
    split = assign_split(
        cohort, validation=run.split.validation, test=run.split.test, seed=run.seed
    )
    return Site(cohort, split, cohort.bags())


@lru_cache(maxsize=128)
def _scale(folder: Path, run: RunConfig, run_id: int, plan_text: str) -> PatientData:
    site = _read_site(folder, run, run_id)
    return PatientData(
        site.cohort, read_plan(plan_text), bags=site.bags, max_patches=run.data.max_patches
    )


@lru_cache(maxsize=8)
def read_plan(text: str) -> Plan:
    """Return the plan that a message carries.

    Source: own.
    """
    return Plan.from_text(text)


def forget_sites() -> None:
    """Let go of everything read; for a process that outlives its run.

    Source: own.
    """
    for cached in (_read_site, _scale, read_plan, open_network):
        cached.cache_clear()
