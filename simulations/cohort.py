"""A cohort folder as many groups keep it: two tables and one bag a slide."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from fusion.errors import SiteError
from fusion.readers.catalogue import read_catalogue
from fusion.readers.findings import listed
from fusion.readers.formats.registry import SlideFile
from fusion.readers.site import FeatureFolder, bag_file
from fusion.readers.tables import patient_column, read_table

KINDS: Mapping[str, str] = {
    "_rnaseq": "rna", "_cnv": "cnv", "_mut": "mutation", "_path": "pathology",
}  # fmt: skip
"""Ending of a genomics column, and the table it goes to; `pathology` holds a patient's features of
the slides where there is one vector a patient and no bag."""


@dataclass(frozen=True)
class CohortFolder:
    """Several hospitals' patients in one folder.

    Attributes:
        clinical: One row a slide, as text.
        omics: Table name to patients' rows; the first column, `case_id`, is the patient.
        bags: Files of features by the name an h5 file of the slide would have.
        width: Numbers a patch; 0 = no bags.
    """

    clinical: pd.DataFrame
    omics: Mapping[str, pd.DataFrame]
    bags: Mapping[str, Path]
    width: int


def read_cohort_folder(folder: Path) -> CohortFolder:
    """Return what a folder with clinical.csv, genomics.parquet and patch_features/ holds.

    Args:
        folder: The cohort; genomics.parquet (or .csv) and patch_features may be absent. The
            features may be in any format of one file a slide.

    Returns:
        The tables as they are; columns go to rna, cnv, mutation or pathology by their ending
        `_rnaseq`, `_cnv`, `_mut` or `_path`, which falls away; others go to the table `other`.

    Raises:
        SiteError: The folder or clinical.csv is missing, a table is unreadable, or no bag can be
            read.

    Privacy: patient data; stays on the machine.

    Source: own (the layout is that of the Mahmood laboratory's public repositories).
    """
    if not folder.is_dir():
        raise SiteError(f"Cohort folder must exist, got '{folder}'. Check --cohort.")
    clinical = read_table(folder / "clinical.csv", what="Clinical table", text=True)
    files = [folder / name for name in ("genomics.parquet", "genomics.csv")]
    found = next((path for path in files if path.is_file()), None)
    features = folder / "patch_features"
    held = any(features.glob("*"))
    catalogue = read_catalogue(FeatureFolder(features, "", None)) if held else None
    slides = catalogue.slides.items() if catalogue else ()
    return CohortFolder(
        clinical=clinical,
        omics=split_omics(read_table(found, what="Genomics table", text=False)) if found else {},
        bags={bag_file(name): slide.path for name, slide in slides if isinstance(slide, SlideFile)},
        width=catalogue.width if catalogue else 0,
    )


def split_omics(table: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """Return one table for each kind of omics in a table of all genes.

    Args:
        table: One row a patient, columns such as TP53_rnaseq.

    Raises:
        SiteError: A patient has several rows.

    Source: own.
    """
    column = patient_column(table)
    ids = table[column].str.strip().rename("case_id")
    if ids.duplicated().any():
        raise SiteError(
            "Genomics table must have one row a patient, got more for "
            f"{listed(ids[ids.duplicated()].unique())}. Keep one row of each.",
            public="The genomics table has patients twice.",
        )
    parts: dict[str, dict[str, pd.Series]] = {name: {} for name in (*KINDS.values(), "other")}
    for name in table.columns.drop(column):
        ending = next((mark for mark in KINDS if str(name).endswith(mark)), "")
        parts[KINDS.get(ending, "other")][str(name).removesuffix(ending)] = table[name]
    return {
        name: pd.concat([ids, pd.DataFrame(columns)], axis=1)
        for name, columns in parts.items()
        if columns
    }
