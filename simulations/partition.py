"""One cohort folder into several site folders, by hospital or dealt in a stated way."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import pandas as pd

from fusion.errors import ConfigError, SiteError
from fusion.readers.findings import Findings, listed
from fusion.readers.outcomes import read_outcomes
from fusion.readers.site import ClinicalTable
from fusion.registry import nearest
from fusion.seeding import generator
from simulations.assignments import ALPHA, ASSIGNMENTS, Deal, Followed, assign
from simulations.cohort import CohortFolder, read_cohort_folder
from simulations.folders import whole_folder
from simulations.label_file import label_lines, read_label_file
from simulations.site_folder import SiteSummary, sole_patient_column, write_site
from simulations.splits import with_splits

POOLED = "pooled-small"
"""Name of the site that the small hospitals are pooled into."""

SMALL = ("pool", "drop")
"""What can become of hospitals with too few patients."""


@dataclass(frozen=True)
class Division:
    """How a cohort is divided.

    Attributes:
        by: `hospital` (the column `site`), a kind in `assignments.ASSIGNMENTS`, or another clinical
            column; a column of a kind's name is not reached.
        min_patients: Hospitals with fewer patients are small; all patients count, with or without
            slides. Where patients are dealt, each site gets so many at least.
        small: `pool` the small hospitals into one site, or `drop` them; where patients are dealt
            no site is small.
        sites: Number of sites to deal to; None = the hospitals are what they are.
        alpha: Concentration of a Dirichlet deal; None = 0.5.
        seed: Decides who is dealt where, and which sites lack a modality.
        without_slides: Sites, drawn at random, whose slides are left out.
        without_omics: Sites, drawn among the others, whose omics are left out.
        splits: csv with patient, split and perhaps site, which take the place of those columns.
        labels: TOML with the [labels] sections that every site.toml gets.
    """

    by: str = "hospital"
    min_patients: int = 20
    small: str = "pool"
    sites: int | None = None
    alpha: float | None = None
    seed: int = 1
    without_slides: int = 0
    without_omics: int = 0
    splits: Path | None = None
    labels: Path | None = None


@dataclass(frozen=True)
class Partition:
    """What a partition wrote and left out.

    Attributes:
        sites: The site folders written.
        dropped: Hospitals left out, with their number of patients.
    """

    sites: tuple[SiteSummary, ...]
    dropped: Mapping[str, int]


def partition(
    cohort: Path, *, out: Path, division: Division | None = None, encoder: str = "unknown"
) -> Partition:
    """Write the site folders of a cohort; all of them, or nothing.

    Clinical rows are copied as they are; genes are split into rna, cnv and mutation; bags are
    hard-linked where the file system allows, else copied. The folders are made beside `out` and
    renamed at the end.

    Args:
        cohort: Folder with clinical.csv, genomics.parquet and patch_features/.
        out: Folder to write; must be absent or empty.
        division: Who goes where; hospitals as they are if None.
        encoder: Name of the patch encoder, written into each site.toml.

    Returns:
        What each site holds, and which hospitals were left out.

    Raises:
        ConfigError: A setting does not fit, `out` is not empty, or no hospital is large enough.
        OutputError: `out` cannot be written.
        SiteError: The cohort cannot be read, or a patient belongs to two hospitals.

    Privacy: patient data is copied on one machine.

    Source: own.
    """
    division = division or Division()
    _check(division)
    source = read_cohort_folder(cohort)
    if division.splits is not None:
        source = replace(source, clinical=with_splits(source.clinical, division.splits))
    hospitals = _hospitals(source.clinical, cohort, division)
    groups, dropped = _groups(hospitals, division)
    parts = _parts(source, groups, division)
    more = label_lines(read_label_file(division.labels)) if division.labels else []
    with whole_folder(out) as folder:
        sites = tuple(
            write_site(
                folder / name,
                parts[name],
                hospitals=hospitals[hospitals.isin(members)],
                encoder=encoder,
                more=more,
            )
            for name, members in groups.items()
        )
    return Partition(sites, dropped)


def _check(division: Division) -> None:
    """Raise unless the settings go together."""
    by, dealt = division.by, division.by in ASSIGNMENTS
    if division.small not in SMALL:
        raise ConfigError(
            f"--small must be pool or drop, got '{division.small}'. "
            f"{nearest(division.small, SMALL)}"
        )
    if division.min_patients < 1:
        raise ConfigError(f"--min-patients must be >= 1, got {division.min_patients}. Raise it.")
    if min(division.without_slides, division.without_omics) < 0:
        raise ConfigError("--without-slides and --without-omics must be >= 0. Count sites.")
    if dealt and division.sites is None:
        raise ConfigError(f"--sites must be given with --by {by}, got none. Name a number.")
    if not dealt and division.sites is not None:
        raise ConfigError(
            f"--sites must go with --by {', '.join(ASSIGNMENTS)}, got --by {by}. Leave it out."
        )
    takers = [kind for kind in ASSIGNMENTS if ASSIGNMENTS[kind].takes_alpha]
    if division.alpha is not None and by not in takers:
        raise ConfigError(
            f"--alpha must go with --by {', '.join(takers)}, got --by {by}. Leave it out."
        )


def _hospitals(clinical: pd.DataFrame, cohort: Path, division: Division) -> pd.Series:
    """Return each patient's hospital, as it is or as it is dealt."""
    if division.sites is None:
        return _found_hospitals(clinical, division.by)
    sole_patient_column(clinical)
    alpha = ALPHA if division.alpha is None else division.alpha
    deal = Deal(division.sites, alpha, max(division.min_patients, 2), division.seed)
    return assign(division.by, _followed(cohort), deal)


def _followed(cohort: Path) -> Followed:
    findings = Findings()
    outcomes = read_outcomes(ClinicalTable(cohort / "clinical.csv"), findings)
    findings.raise_first()
    if outcomes is None or outcomes.time is None or outcomes.event is None:
        raise SiteError(f"Cohort must have outcomes, got none in '{cohort}'. Add them.")
    return Followed(outcomes.patients, outcomes.time, outcomes.event)


def _found_hospitals(clinical: pd.DataFrame, by: str) -> pd.Series:
    column = "site" if by == "hospital" else by
    if column not in clinical.columns:
        raise ConfigError(
            f"--by must be hospital, a clinical column, or one of {', '.join(ASSIGNMENTS)}, got "
            f"'{by}'. {nearest(column, [*clinical.columns, *ASSIGNMENTS])}"
        )
    patients = clinical[sole_patient_column(clinical)]
    several = clinical.groupby(patients)[column].nunique().gt(1)
    if several.any():
        raise SiteError(
            f"Patient must belong to one hospital, got several at "
            f"{listed(several.index[several])} in `{column}`. Correct the clinical table.",
            public="Patients who belong to several hospitals.",
        )
    hospitals = clinical.groupby(patients)[column].first()
    wrong = hospitals[(hospitals == "") | hospitals.str.contains(r"[/\\,]|^\.", regex=True)]
    if len(wrong):
        raise SiteError(
            f"Hospital must be a name that can be a folder's, got {listed(map(repr, wrong))} "
            f"in `{column}`. Rename it.",
            public="A hospital whose name cannot be a folder's.",
        )
    return hospitals


def _groups(
    hospitals: pd.Series, division: Division
) -> tuple[dict[str, tuple[str, ...]], dict[str, int]]:
    """Return the hospitals of each site, and those left out with their patients."""
    sizes = hospitals.value_counts().sort_index()
    least = max(division.min_patients, 2)
    small = {str(name): int(size) for name, size in sizes.items() if size < least}
    groups: dict[str, tuple[str, ...]] = {
        str(name): (str(name),) for name in sizes.index if name not in small
    }
    if division.small == "pool" and sum(small.values()) > 1:
        if POOLED in groups:
            raise ConfigError(
                f"Hospital must not be called '{POOLED}' where small ones are pooled, got one. "
                "Rename it, or use --small drop."
            )
        groups[POOLED], small = tuple(small), {}
    if not groups:
        raise ConfigError(
            f"--min-patients must leave a hospital, got {division.min_patients} where the largest "
            f"has {sizes.max()}. Lower it."
        )
    return groups, small


def _parts(
    source: CohortFolder, names: Iterable[str], division: Division
) -> dict[str, CohortFolder]:
    """Return what of the cohort each site may have; no site loses both modalities."""
    order = list(generator(division.seed, "partition", "missing").permutation(sorted(names)))
    slides, omics = division.without_slides, division.without_omics
    if slides + omics > len(order):
        raise ConfigError(
            "--without-slides and --without-omics must leave each site one of the two, got "
            f"{slides} + {omics} of {len(order)} sites. Lower them."
        )
    without = {name: replace(source, bags={}, width=0) for name in order[:slides]}
    without |= {name: replace(source, omics={}) for name in order[slides : slides + omics]}
    return {name: without.get(name, source) for name in order}
