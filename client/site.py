"""One hospital's patients, read once a run and kept until another run comes."""

from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

import numpy as np
import torch

from client.settings import Settings
from client.site_secret import site_secret
from fusion.class_settings import CLASSIFICATION
from fusion.config import RunConfig, names
from fusion.device import choose_device, make_repeatable
from fusion.errors import SiteError
from fusion.models.entries import MODELS
from fusion.readers.bags import BagReader, Room
from fusion.readers.cohort import Cohort, read_cohort
from fusion.readers.folds import assign_alone, assign_split
from fusion.readers.labels import Label, read_label
from fusion.readers.site_toml import read_site_description
from fusion.training.data import PatientData
from fusion.training.plan import Network, Plan, build_network

SPLITS = ("train", "validation", "test")

SECRET = "split.key"
"""File in the site's state folder that a private run's splits follow from."""

NO_LABEL = "unlabelled"
"""Split of a patient without the label that the run predicts: takes no part, but is counted."""


@dataclass(frozen=True, eq=False)
class Site:
    """A checked cohort and the split of its patients.

    Attributes:
        cohort: What the folder holds.
        split: `train`, `validation` or `test` for each patient, or `NO_LABEL`.
        bags: Reader of their patches, with its memory.
        device: Where the site computes.
        label: Of a run that predicts classes; else None.

    Privacy: holds patient data; nothing here leaves the site.

    Source: own.
    """

    cohort: Cohort
    split: np.ndarray
    bags: BagReader
    device: torch.device
    label: Label | None = None

    def rows(self, split: str) -> list[int]:
        """Return the patients of one split; nobody if it holds one patient alone.

        Every sum over a lone patient would be that patient's own value.
        """
        rows = self.everyone(split)
        return rows if len(rows) > 1 else []

    def everyone(self, split: str) -> list[int]:
        """Return the patients of one split, a lone one too: for sums that are noised."""
        return [int(row) for row in np.flatnonzero(self.split == split)]


def open_site(settings: Settings) -> Site:
    """Return the site's patients and their split.

    Raises:
        SiteError: The folder cannot be used as it is.

    Source: own.
    """
    memory, folder = _memory(settings.run, settings.run_id), settings.folder
    if folder not in memory.sites:
        key = split_key(settings.run, settings.kept, simulated=settings.simulated)
        memory.sites[folder] = read_site(folder, settings.run, memory.room, key=key)
    return memory.sites[folder]


def check_described(settings: Settings, before: str) -> None:
    """Raise unless the site's folder is the one it described at the start of the run.

    Args:
        settings: Of this message.
        before: The hash of the folder then.

    Raises:
        SiteError: The folder is another one, or cannot be used any more.

    Source: own.
    """
    if open_site(settings).cohort.fingerprint != before:
        raise SiteError(
            f"A site's folder must stay as it is during a run, got other content in "
            f"'{settings.folder}' than at its start. Start a new run.",
            public="The site's folder changed during the run.",
        )


def open_patients(settings: Settings, plan_text: str) -> PatientData:
    """Return the site's patients as tensors, scaled as the plan says.

    Args:
        settings: Of this message.
        plan_text: The plan that the coordinator sent.

    Returns:
        The same object while the run and the plan last.

    Source: own.
    """
    site, key = open_site(settings), (settings.folder, plan_text)
    patients = _memory(settings.run, settings.run_id).patients
    if key not in patients:
        plan = read_plan(plan_text)
        patients[key] = PatientData(
            site.cohort,
            plan,
            bags=site.bags,
            max_patches=settings.run.data.max_patches,
            device=site.device,
            ordered=MODELS[settings.run.model.name].ordered,
        )
        if site.label:
            patients[key].tell_label(site.label.places(plan.classes))
    return patients[key]


@lru_cache(maxsize=2)
def open_network(run: RunConfig, plan_text: str, device: torch.device) -> Network:
    """Return the run's network where a site computes; whoever asks puts its own weights in first.

    Source: own.
    """
    return build_network(read_plan(plan_text), run).to(device)


class _Memory:
    """What a run has read at the sites of this process."""

    def __init__(self) -> None:
        self.room = Room()
        self.sites: dict[Path, Site] = {}
        self.patients: dict[tuple[Path, str], PatientData] = {}


@lru_cache(maxsize=1)
def _memory(run: RunConfig, run_id: int) -> _Memory:  # noqa: ARG001 -- a new run reads anew
    return _Memory()


def split_key(run: RunConfig, state: Path, *, simulated: bool = False) -> bytes:
    """Return what a private run's splits are keyed with.

    At a hospital a secret of its own, made once: it alone can tell who is in which split. In a
    simulation, where all is one machine, nothing, so that runs of one seed split alike.

    Args:
        run: The run's settings; a plain run needs no key.
        state: The site's state folder.
        simulated: Whether coordinator and site are one machine, by the site's own node config.

    Raises:
        SiteError: The state folder cannot be written, or the secret is damaged.

    Source: own.
    """
    if not run.privacy.private or simulated:
        return b""
    return site_secret(state, SECRET, "splits")


def read_site(folder: Path, run: RunConfig, room: Room | None = None, *, key: bytes = b"") -> Site:
    """Return a site's patients and their split in a run, read from its folder.

    Args:
        folder: The site's folder.
        run: The run's settings; they and the site's name decide the split.
        room: Memory for patches, shared with other sites; None = its own.
        key: What a private run's splits are keyed with, see `split_key`.

    Raises:
        SiteError: The folder cannot be used as it is.

    Source: own.
    """
    cohort = read_cohort(folder)
    if cohort.name in names(run.split.hold_out):
        cohort = replace(cohort, role="evaluate-only")
    label, parts, seed = _label(cohort, run), run.split, run.seed
    if run.privacy.private:
        split = assign_alone(
            cohort, validation=parts.validation, test=parts.test, seed=seed, key=key
        )
    else:
        strata = label.words if label else None
        split = assign_split(
            cohort, validation=parts.validation, test=parts.test, seed=seed, strata=strata
        )
    if label:
        split[label.words == ""] = NO_LABEL
    device = choose_device(read_site_description(folder).device)
    make_repeatable(device)
    return Site(cohort, split, cohort.bags(room or Room()), device, label)


def _label(cohort: Cohort, run: RunConfig) -> Label | None:
    """Return the label that a run predicts, if it predicts one."""
    if run.objective.name != CLASSIFICATION:
        return None
    return read_label(cohort, run.objective.label, names(run.objective.classes))


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
    for cached in (_memory, read_plan, open_network):
        cached.cache_clear()
