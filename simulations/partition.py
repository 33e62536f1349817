"""One cohort folder into one site folder a hospital."""

import json
import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from fusion.errors import ConfigError, SiteError
from fusion.readers.columns import SLIDE_COLUMNS
from fusion.readers.findings import listed
from fusion.readers.site import bag_file
from fusion.readers.tables import ID_COLUMNS
from fusion.registry import nearest
from simulations.cohort import CohortFolder, read_cohort_folder

POOLED = "pooled-small"
"""Name of the site that the small hospitals are pooled into."""

SMALL = ("pool", "drop")
"""What can become of hospitals with too few patients."""


@dataclass(frozen=True)
class SiteSummary:
    """What one site folder holds.

    Attributes:
        name: The site.
        hospitals: Hospitals in it.
        patients: All patients, with or without slides or omics.
        slides: Slides with a bag.
        slides_missing: Slides without one, listed under `missing` in site.toml.
        patients_with_slides: Patients with at least one bag.
        patients_with_omics: Patients with a row in at least one omics table.
    """

    name: str
    hospitals: tuple[str, ...]
    patients: int
    slides: int
    slides_missing: int
    patients_with_slides: int
    patients_with_omics: int


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
    cohort: Path,
    *,
    out: Path,
    by: str = "hospital",
    min_patients: int = 20,
    small: str = "pool",
    encoder: str = "unknown",
) -> Partition:
    """Write one site folder for each hospital of a cohort; all of them, or nothing.

    Clinical rows are copied as they are; genes are split into rna, cnv and mutation; bags are
    hard-linked where the file system allows, else copied. The folders are made beside `out` and
    renamed at the end.

    Args:
        cohort: Folder with clinical.csv, genomics.parquet and patch_features/.
        out: Folder to write; must be absent or empty.
        by: `hospital` (the column `site`), or another clinical column.
        min_patients: Hospitals with fewer patients are small; all patients count, with or without
            slides.
        small: `pool` the small hospitals into one site, or `drop` them.
        encoder: Name of the patch encoder, written into each site.toml.

    Returns:
        What each site holds, and which hospitals were left out.

    Raises:
        ConfigError: A setting does not fit, `out` is not empty or cannot be written, or no hospital
            is large enough.
        SiteError: The cohort cannot be read, or a patient belongs to two hospitals.

    Privacy: patient data is copied on one machine.

    Source: own.
    """
    if small not in SMALL:
        raise ConfigError(f"--small must be pool or drop, got '{small}'. {nearest(small, SMALL)}")
    if min_patients < 1:
        raise ConfigError(f"--min-patients must be >= 1, got {min_patients}. Raise it.")
    _check_empty(out)
    source = read_cohort_folder(cohort)
    hospitals = _hospitals(source.clinical, by)
    groups, dropped = _groups(hospitals, min_patients, pool=small == "pool")
    partial = out.absolute().with_name(f".{out.name}.partial-{os.getpid()}")
    try:
        sites = tuple(
            _write_site(partial / name, source, hospitals[hospitals.isin(members)], encoder)
            for name, members in groups.items()
        )
        partial.replace(out)
    except OSError as error:
        raise ConfigError(
            f"--out must be a folder that can be written, got '{out}' ({error}). Choose another."
        ) from None
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return Partition(sites, dropped)


def _check_empty(out: Path) -> None:
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise ConfigError(f"--out must be an absent or empty folder, got '{out}'. Choose another.")


def _patient_column(clinical: pd.DataFrame) -> str:
    found = [name for name in ID_COLUMNS if name in clinical.columns]
    if len(found) != 1:
        raise SiteError(
            f"Clinical table must have one column of {', '.join(ID_COLUMNS)}, got "
            f"{listed(found) or 'none'}. Keep one of them.",
            public="The patient's column is not certain.",
        )
    return found[0]


def _hospitals(clinical: pd.DataFrame, by: str) -> pd.Series:
    """Return each patient's hospital."""
    column = "site" if by == "hospital" else by
    if column not in clinical.columns:
        raise ConfigError(
            f"--by must name a clinical column (hospital = `site`), got '{by}'. "
            f"{nearest(column, clinical.columns)}"
        )
    patients = clinical[_patient_column(clinical)]
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
    hospitals: pd.Series, min_patients: int, *, pool: bool
) -> tuple[dict[str, tuple[str, ...]], dict[str, int]]:
    """Return the hospitals of each site, and those left out with their patients."""
    sizes = hospitals.value_counts().sort_index()
    least = max(min_patients, 2)
    small = {str(name): int(size) for name, size in sizes.items() if size < least}
    groups: dict[str, tuple[str, ...]] = {
        str(name): (str(name),) for name in sizes.index if name not in small
    }
    if pool and sum(small.values()) > 1:
        groups[POOLED], small = tuple(small), {}
    if not groups:
        raise ConfigError(
            f"--min-patients must leave a hospital, got {min_patients} where the largest has "
            f"{sizes.max()}. Lower it."
        )
    return groups, small


def _write_site(
    folder: Path, source: CohortFolder, hospitals: pd.Series, encoder: str
) -> SiteSummary:
    """Write the site of the patients that index `hospitals`."""
    folder.mkdir(parents=True)
    column, patients = _patient_column(source.clinical), hospitals.index
    clinical = source.clinical[source.clinical[column].isin(patients)]
    clinical.to_csv(folder / "clinical.csv", index=False, lineterminator="\n")
    tables = _write_omics(folder, source.omics, patients)
    bags = _bags(clinical, column)
    held, missing = bags[bags.isin(source.bags)], bags[~bags.isin(source.bags)]
    lines = [f"name = {_quoted(folder.name)}", 'role = "train"', "", "[clinical]"]
    lines += ['file = "clinical.csv"', ""]
    if len(held):
        _link(folder / "patch_features", [source.bags[name] for name in held])
        lines += ["[features]", 'folder = "patch_features"', f"encoder = {_quoted(encoder)}"]
        lines += [f"width = {source.width}", f"missing = {_quoted(sorted(missing))}", ""]
    lines += ["[omics]", *(f'{name} = "{name}.parquet"' for name in tables), ""]
    (folder / "site.toml").write_text("\n".join(lines), encoding="utf-8")
    return SiteSummary(
        name=folder.name,
        hospitals=tuple(sorted(set(hospitals))),
        patients=len(patients),
        slides=len(held),
        slides_missing=len(missing),
        patients_with_slides=held.index.nunique(),
        patients_with_omics=len(set().union(*tables.values())),
    )


def _write_omics(
    folder: Path, omics: Mapping[str, pd.DataFrame], patients: pd.Index
) -> dict[str, set[str]]:
    """Write the patients' rows of each table that has any; return who is in each."""
    written = {}
    for name, table in omics.items():
        rows = table[table["case_id"].isin(patients)]
        if len(rows):
            rows.to_parquet(folder / f"{name}.parquet", index=False)
            written[name] = set(rows["case_id"])
    return written


def _bags(clinical: pd.DataFrame, patient: str) -> pd.Series:
    """Return the bag files that the rows name, by patient."""
    column = next((name for name in SLIDE_COLUMNS if name in clinical.columns), None)
    if column is None:
        return pd.Series([], dtype=object)
    slides = clinical.set_index(patient)[column]
    return slides[slides != ""].map(bag_file)


def _link(folder: Path, paths: list[Path]) -> None:
    folder.mkdir()
    for path in paths:
        try:
            (folder / path.name).hardlink_to(path)
        except OSError:
            shutil.copy2(path, folder / path.name)


def _quoted(value: str | list[str]) -> str:
    """Return a text or a list of texts as TOML writes it."""
    return json.dumps(value, ensure_ascii=False)
