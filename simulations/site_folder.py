"""One hospital's part of a cohort, written as a site folder."""

import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from fusion.errors import SiteError
from fusion.readers.findings import listed
from fusion.readers.site import bag_file
from fusion.readers.tables import ID_COLUMNS, SLIDE_COLUMNS
from simulations.cohort import CohortFolder


@dataclass(frozen=True)
class SiteSummary:
    """What one site folder holds.

    Attributes:
        name: The site.
        hospitals: Hospitals in it; its own name if patients were dealt to it.
        patients: All patients, with or without slides or omics.
        slides: Slides with a bag.
        slides_missing: Slides without one; listed under `missing` where the site has others.
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


def write_site(
    folder: Path,
    source: CohortFolder,
    *,
    hospitals: pd.Series,
    encoder: str,
    more: Sequence[str] = (),
) -> SiteSummary:
    """Write the site of some patients: site.toml, clinical rows, omics tables, links to bags.

    Args:
        folder: A folder that does not exist.
        source: The cohort; without bags or omics the site has none either.
        hospitals: Hospital of each patient, indexed by patient.
        encoder: Name of the patch encoder.
        more: Further lines of site.toml.

    Raises:
        OSError: The folder cannot be written.

    Privacy: patient data is copied on one machine.

    Source: own.
    """
    folder.mkdir(parents=True)
    column, patients = sole_patient_column(source.clinical), hospitals.index
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
    lines += ["[omics]", *(f'{name} = "{name}.parquet"' for name in tables), "", *more]
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


def sole_patient_column(clinical: pd.DataFrame) -> str:
    """Return the one column that holds the patient.

    Raises:
        SiteError: No column, or more than one, has a known name.

    Source: own.
    """
    found = [name for name in ID_COLUMNS if name in clinical.columns]
    if len(found) != 1:
        raise SiteError(
            f"Clinical table must have one column of {', '.join(ID_COLUMNS)}, got "
            f"{listed(found) or 'none'}. Keep one of them.",
            public="The patient's column is not certain.",
        )
    return found[0]


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
