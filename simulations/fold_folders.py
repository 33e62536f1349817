"""The site folders of a fold: written once, shared by every model and setting."""

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Shaped

from fusion.readers.cohort import Cohort
from simulations.folds import Fold
from simulations.joined_site import Part, write_joined
from simulations.references import POOLED

SETTINGS = ("federated", "pooled", "local")
"""Who trains: all sites together, all patients as one site, or each site alone."""

TEST = "-test"
"""Ending of a test site's name."""

EVERYONE = "everyone"
"""Folder of one site with all patients of a fold, for the reference models."""


@dataclass(frozen=True, eq=False)
class People:
    """All patients of a comparison, cohort by cohort.

    Attributes:
        cohorts: Where they are read from.
        hospital: Of each patient.
        label: Clinical column with the class that is predicted; empty = survival.

    Privacy: holds patient data; stays on the machine.

    Source: own.
    """

    cohorts: Sequence[Cohort]
    hospital: Shaped[np.ndarray, " patient"]
    label: str = ""

    @property
    def strata(self) -> Shaped[np.ndarray, " patient"]:
        """What folds spread evenly: the class, or whether the event was seen."""
        if not self.label:
            return self.event
        words = [one.clinical[self.label].to_numpy(str) for one in self.cohorts]
        return np.concatenate(words)

    @property
    def event(self) -> Bool[np.ndarray, " patient"]:
        """True = event seen."""
        return np.concatenate([cohort.event for cohort in self.cohorts])

    @property
    def names(self) -> list[str]:
        """Every patient's identifier."""
        return [patient for cohort in self.cohorts for patient in cohort.patients]

    def parts(self, chosen: np.ndarray, split: np.ndarray) -> list[Part]:
        """Return the chosen patients of each cohort, in their split.

        Args:
            chosen: True for the patients wanted.
            split: Of all patients.

        Source: own.
        """
        ends = np.cumsum([len(cohort.patients) for cohort in self.cohorts])[:-1]
        chunks = zip(self.cohorts, np.split(chosen, ends), np.split(split, ends), strict=True)
        return [
            Part(cohort, words).pick(np.flatnonzero(mask), words[mask])
            for cohort, mask, words in chunks
            if mask.any()
        ]


def write_fold(people: People, fold: Fold, folder: Path) -> None:
    """Write a fold's site folders: `train/SITE`, `train/pooled`, `test/SITE-test`, `everyone`.

    Every setting trains on some of `train` and is judged on all of `test`, the same folders each
    time: links to them are its `view`. Its `blind` has the trainers alone. Bags are links.

    Args:
        people: All patients.
        fold: Their sites and splits.
        folder: Folder to write; left as it is if it exists.

    Raises:
        FederationError: The sites' encoders differ, or they share no genes.

    Privacy: patient data is copied on one machine.

    Source: own.
    """
    if folder.exists():
        return
    partial = folder.with_name(f".{folder.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    everybody = np.full(len(fold.site), True)
    for name in fold.trainers():
        chosen = ~fold.tests & (fold.site == name)
        write_joined(partial / "train" / name, people.parts(chosen, fold.split), name=name)
    for name in np.unique(fold.site[fold.tests]):
        chosen, title = fold.tests & (fold.site == name), f"{name}{TEST}"
        parts = people.parts(chosen, fold.split)
        write_joined(partial / "test" / title, parts, name=title, role="evaluate-only")
    pooled = people.parts(~fold.tests, fold.split)
    write_joined(partial / POOLED, pooled, name=POOLED)
    write_joined(partial / EVERYONE, people.parts(everybody, fold.split), name=EVERYONE)
    for setting in SETTINGS[:2]:
        _view(partial, setting, fold.trainers())
    for name in fold.trainers():
        _view(partial, f"local-{name}", [name])
    partial.replace(folder)


def view_of(setting: str, site: str) -> str:
    """Return the folder, within a fold's, of the sites that a run in this setting sees.

    Args:
        setting: One of `SETTINGS`.
        site: The site that trains alone, in the setting `local`.

    Source: own.
    """
    return f"local-{site}" if setting == "local" else setting


def _view(folder: Path, name: str, trainers: Sequence[str]) -> None:
    """Write a folder of links to some trainers and all test sites, and one without the latter."""
    chosen = [POOLED] if name == "pooled" else [f"train/{trainer}" for trainer in trainers]
    tests = [f"test/{path.name}" for path in (folder / "test").iterdir()]
    for kind, places in (("view", [*chosen, *tests]), ("blind", chosen)):
        view = folder / f"{kind}-{name}"
        view.mkdir()
        for place in places:
            (view / Path(place).name).symlink_to(Path("..") / place)
