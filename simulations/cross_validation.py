"""Repeated cross-validation of one cohort: random folds, whole hospitals, or folds from a file."""

import hashlib
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from pathlib import Path

import numpy as np

from fusion.config import ObjectiveConfig, RunConfig, names
from fusion.errors import ConfigError
from fusion.readers.cohort import Cohort, read_cohort
from fusion.registry import nearest
from fusion.seeding import generator
from simulations.fold_folders import People
from simulations.folds import (
    Fold,
    carve_validation,
    hospital_folds,
    random_folds,
    small_pooled,
)
from simulations.joined_site import Part
from simulations.labelled import with_label
from simulations.partition import SMALL, Division, partition
from simulations.splits import read_assigned, row_for_each
from simulations.study import Options, Outcome, Plan, check_plan, compare_folds, held, keep_settings

PROTOCOLS = ("random", "hospital")
"""Who tests: patients drawn at random, or hospitals whole."""

FROM_FILE = "file"
"""Protocol of folds that are read from a file."""


@dataclass(frozen=True)
class Design:
    """Who is divided, and how.

    Attributes:
        cohort: Folder with clinical.csv, genomics.parquet and patch_features/.
        protocol: Of `PROTOCOLS`, comma-separated; a file of folds takes their place.
        folds: In each repeat.
        repeats: Number of divisions; the seed of repeat r is the run's seed + r - 1.
        min_patients: Hospitals with fewer are small.
        small: `pool` the small hospitals into one site, or `drop` them.
        patients: `all`, or those with `slides` alone.
        by: Clinical column of the hospital; `hospital` = the column `site`.
        folds_file: csv with patient, fold (empty = never tests) and perhaps repeat.
        labels: TOML with [labels] sections, for runs that predict classes.
    """

    cohort: Path
    protocol: str = "random"
    folds: int = 5
    repeats: int = 1
    min_patients: int = 20
    small: str = "pool"
    patients: str = "all"
    by: str = "hospital"
    folds_file: Path | None = None
    labels: Path | None = None


def cross_validate(design: Design, plan: Plan, options: Options) -> Outcome:
    """Run models in settings on every fold of a cohort, and return the tables.

    Args:
        design: The cohort and its folds.
        plan: Models, settings, and the folder to write.
        options: Processes and the baseline.

    Raises:
        ConfigError: A setting does not fit, or the folder holds results of other settings.
        SiteError: The cohort cannot be read.

    Privacy: patient data is copied on one machine, into `plan.out`.

    Source: own.
    """
    _check(design)
    check_plan(plan, options.against)
    with held(plan.out):
        folder = plan.out / "cohort"
        shutil.rmtree(folder, ignore_errors=True)
        try:
            whole = _read(design, folder)
            people = _people(design, whole, plan.base.objective)
            folds = list(_folds(design, people, whole, plan.base))
            keep_settings(plan, _told(design, whole.fingerprint, plan.base.seed))
            return compare_folds(people, folds, plan, options)
        finally:
            shutil.rmtree(folder, ignore_errors=True)


def _check(design: Design) -> None:
    words = (
        *(("--protocol", word, PROTOCOLS) for word in names(design.protocol) or ("",)),
        ("--small", design.small, SMALL),
        ("--patients", design.patients, ("all", "slides")),
    )
    for name, got, known in words:
        if got not in known:
            raise ConfigError(
                f"{name} must be {' or '.join(known)}, got '{got}'. {nearest(got, known)}"
            )
    for name, number, least in (
        ("--folds", design.folds, 2),
        ("--repeats", design.repeats, 1),
        ("--min-patients", design.min_patients, 2),
    ):
        if number < least:
            raise ConfigError(f"{name} must be >= {least}, got {number}. Raise it.")


def _told(design: Design, data: str, seed: int) -> dict[str, str | int]:
    """Return what shapes the folds; protocol and repeats may differ from call to call."""
    told: dict[str, str | int] = {"command": "cross-validate", "data": data, "seed": seed}
    for name in ("folds", "min_patients", "small", "patients", "by"):
        told[name] = getattr(design, name)
    if design.labels is not None:
        told["labels"] = hashlib.sha256(design.labels.read_bytes()).hexdigest()
    if design.folds_file is not None:
        told["folds_file"] = hashlib.sha256(design.folds_file.read_bytes()).hexdigest()
    return told


def _read(design: Design, folder: Path) -> Cohort:
    """Return the whole cohort as one site: every hospital is small here."""
    division = Division(by=design.by, min_patients=10**9, labels=design.labels)
    partition(design.cohort, out=folder, division=division)
    return read_cohort(next(folder.iterdir()))


def _people(design: Design, everybody: Cohort, objective: ObjectiveConfig) -> People:
    """Return the patients who take part."""
    unsplit = np.full(len(everybody.patients), "train")
    whole = with_label(Part(everybody, unsplit), objective).cohort
    column = "site" if design.by == "hospital" else design.by
    hospital = whole.clinical[column].to_numpy(str)
    kept = whole.has_slides if design.patients == "slides" else np.full(len(hospital), True)
    if design.small == "drop":
        found, counts = np.unique(hospital[kept], return_counts=True)
        kept = kept & np.isin(hospital, found[counts >= design.min_patients])
    rows = np.flatnonzero(kept)
    if not len(rows):
        raise ConfigError(
            f"--min-patients and --patients must leave somebody, got nobody of {len(hospital)}. "
            "Lower --min-patients."
        )
    part = Part(whole, hospital).pick(rows, hospital[rows])
    return People([part.cohort], hospital[rows], objective.label)


def _folds(design: Design, people: People, whole: Cohort, base: RunConfig) -> Iterator[Fold]:
    """Yield the folds with validation patients carved from each site's training patients."""
    site = small_pooled(people.hospital, min_patients=design.min_patients)
    for protocol, repeat, tested in _tested(design, people, whole, base.seed):
        seed = base.seed + repeat - 1
        for number in range(1, int(tested.max()) + 1):
            split = np.where(tested == number, "test", "train")
            share = base.split.validation * len(split) / max((split != "test").sum(), 1)
            _check_share(share, base.split.validation)
            fold = Fold(protocol, repeat, number, seed, site, split)
            yield carve_validation(site, people.strata, fold, share=share)


def _tested(
    design: Design, people: People, whole: Cohort, seed: int
) -> Iterator[tuple[str, int, np.ndarray]]:
    """Yield protocol, repeat, and the fold that tests each patient (0 = none) of each repeat."""
    if design.folds_file is not None:
        yield from _from_file(design.folds_file, people, whole)
        return
    for protocol, repeat in product(names(design.protocol), range(1, design.repeats + 1)):
        rng = generator(seed + repeat - 1, protocol, "folds")
        if protocol == "random":
            found = random_folds(people.strata, folds=design.folds, rng=rng)
        else:
            found = hospital_folds(people.hospital, people.strata, folds=design.folds, rng=rng)
        yield protocol, repeat, found


def _check_share(share: float, asked: float) -> None:
    if share >= 1:
        raise ConfigError(
            f"split.validation must leave patients to train on, got {asked:g} of all patients "
            "beside the test patients. Lower it."
        )


def _from_file(file: Path, people: People, whole: Cohort) -> Iterator[tuple[str, int, np.ndarray]]:
    """Yield the repeats of a file of folds; folds are numbered in the order of their names."""
    table = read_assigned(file, "fold")
    repeats = table["repeat"].to_numpy(str) if "repeat" in table else np.full(len(table), "1")
    for number, name in enumerate(_in_order(repeats), start=1):
        rows = row_for_each(table[repeats == name], people.names, known=whole.patients)
        of = rows["fold"].to_numpy(str)
        places = {"": 0} | {word: place for place, word in enumerate(_in_order(of), start=1)}
        yield FROM_FILE, number, np.array([places[word] for word in of])


def _in_order(words: np.ndarray) -> list[str]:
    """Return the words there are, 2 before 10, without the empty one."""
    return sorted({str(word) for word in words if word}, key=lambda word: (len(word), word))
