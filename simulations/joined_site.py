"""One site folder written from the patients of one or several cohorts, each in a stated split."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd

from fusion.config import DataConfig
from fusion.errors import FederationError
from fusion.modalities import is_wanted, tables_named
from fusion.readers.cohort import Cohort
from fusion.readers.formats.h5 import write_h5
from fusion.readers.formats.registry import SlideFile
from fusion.readers.formats.slide import Slide
from fusion.readers.site import bag_file

MARK = "/"
"""Between the cohort and the patient in an identifier; no site has it in its name."""

COLUMNS = ("patient", "slide", "time_days", "event", "split")


@dataclass(frozen=True, eq=False)
class Part:
    """Patients of one cohort, and the split each is in.

    Attributes:
        cohort: The patients.
        split: `train`, `validation` or `test` for each.

    Privacy: holds patient data; stays on the machine.

    Source: own.
    """

    cohort: Cohort
    split: np.ndarray

    def pick(self, rows: np.ndarray, split: np.ndarray) -> "Part":
        """Return some of the patients, in another split.

        Args:
            rows: Positions of the patients.
            split: The split of each of them.

        Source: own.
        """
        whole = self.cohort
        tables = {
            name: replace(table, values=table.values[rows], present=table.present[rows])
            for name, table in whole.tables.items()
        }
        picked = replace(
            whole,
            patients=tuple(whole.patients[row] for row in rows),
            slides=tuple(whole.slides[row] for row in rows),
            clinical=whole.clinical.iloc[rows],
            tables={name: table for name, table in tables.items() if table.present.any()},
            time=whole.time[rows],
            event=whole.event[rows],
            fixed_split=None,
        )
        return Part(picked, split)


def shared_genes(cohorts: Sequence[Cohort], data: DataConfig) -> dict[str, tuple[str, ...]]:
    """Return the omics tables that a federation of the sites reads, and the genes they share.

    Args:
        cohorts: The sites.
        data: Which tables are wanted, together (all sites with any have them) or alone.

    Returns:
        Genes in order of name, for each table in order of name.

    Raises:
        FederationError: A table has no gene that all sites share.

    Source: own.
    """
    named = set(tables_named(data))
    held = [{t for t in one.tables if is_wanted(t, data)} for one in cohorts]
    together = [tables - named for tables in held if tables - named]
    alone = named & set().union(*held)
    found = {}
    for table in sorted(alone.union(set.intersection(*together) if together else ())):
        genes = [set(one.tables[table].genes) for one in cohorts if table in one.tables]
        found[table] = tuple(sorted(set.intersection(*genes)))
        if not found[table]:
            raise FederationError(
                f"Sites must share genes, got none in common in table '{table}' of {len(genes)} "
                "sites. Use the same gene names everywhere."
            )
    return found


def write_joined(
    folder: Path,
    parts: Sequence[Part],
    *,
    name: str,
    role: str = "train",
    data: DataConfig | None = None,
) -> None:
    """Write a site folder with the patients of all parts, each in its stated split.

    Patients are named `cohort/patient`; a clinical column that is called like one of ours falls
    away; bags are links.

    Args:
        folder: Folder to write; must be absent.
        parts: The patients; parts of one cohort may be several.
        name: The site's name.
        role: `train` or `evaluate-only`.
        data: Which tables to write; None = those of the default settings. Only genes that all
            parts share are written.

    Raises:
        FederationError: The parts' encoders differ, or they share no genes.

    Privacy: patient data is copied on one machine.

    Source: own.
    """
    cohorts = [part.cohort for part in parts]
    tables = {
        table: _joined_table(cohorts, table, genes)
        for table, genes in shared_genes(cohorts, data or DataConfig()).items()
    }
    folder.mkdir(parents=True)
    clinical = pd.concat([_clinical(place, part) for place, part in enumerate(parts)])
    clinical.fillna("").to_csv(folder / "clinical.csv", index=False, lineterminator="\n")
    for table, rows in tables.items():
        rows.to_parquet(folder / f"{table}.parquet", index=False)
    features = ""
    if any(cohort.has_slides.any() for cohort in cohorts):
        features = _features(_encoder(cohorts), _place_slides(folder / "patch_features", cohorts))
    text = _description(name, role, features, list(tables))
    (folder / "site.toml").write_text(text, encoding="utf-8")


def _clinical(place: int, part: Part) -> pd.DataFrame:
    """Return one row a slide, or one for a patient without slides."""
    cohort = part.cohort
    outcomes = zip(
        cohort.patients, cohort.slides, cohort.time, cohort.event, part.split, strict=True
    )
    rows = [
        (_named(cohort, patient), bag, time, int(event), split)
        for patient, slides, time, event, split in outcomes
        for bag in ([_bag(place, slide) for slide in slides] or [""])
    ]
    other = cohort.clinical.drop(columns=list(COLUMNS), errors="ignore")
    other.index = pd.Index([_named(cohort, patient) for patient in cohort.patients])
    return pd.DataFrame(rows, columns=list(COLUMNS)).join(other, on="patient")


def _joined_table(cohorts: Sequence[Cohort], table: str, genes: Sequence[str]) -> pd.DataFrame:
    """Return the rows of all patients who have the table."""
    parts = []
    for cohort in (one for one in cohorts if table in one.tables):
        held = cohort.tables[table]
        index = pd.Index([_named(cohort, patient) for patient in cohort.patients], name="patient")
        values = pd.DataFrame(held.values, index=index, columns=list(held.genes))
        parts.append(values.loc[held.present, list(genes)])
    return pd.concat(parts).reset_index()


def _place_slides(folder: Path, cohorts: Sequence[Cohort]) -> str:
    """Link every slide's file where all sites use one format, else write it as h5.

    Returns:
        The format of the folder.
    """
    folder.mkdir()
    placed = [
        (folder / _bag(place, slide), slide)
        for place, cohort in enumerate(cohorts)
        for slide in (slide for slides in cohort.slides for slide in slides)
    ]
    files = [slide for _, slide in placed if isinstance(slide, SlideFile)]
    kinds = {(slide.format, slide.path.suffix) for slide in files}
    linked = len(files) == len(placed) and len(kinds) == 1
    for target, slide in placed:
        if linked and isinstance(slide, SlideFile):
            _link(target, slide.path)
        else:
            with slide.open(None) as bag:
                write_h5(target.with_name(bag_file(target.name)), bag)
    return kinds.pop()[0] if linked else "hipt"


def _link(target: Path, path: Path) -> None:
    try:
        target.hardlink_to(path)
    except OSError:
        target.symlink_to(path.resolve())


def _encoder(cohorts: Sequence[Cohort]) -> tuple[str, int]:
    found = sorted({(one.encoder, one.feature_width) for one in cohorts if one.feature_width})
    if len(found) > 1:
        raise FederationError(
            f"All sites must use one slide feature encoder, got {found}. Extract features with the "
            "same encoder everywhere."
        )
    return found[0]


def _features(encoder: tuple[str, int], kind: str) -> str:
    return f"""
[features]
folder = "patch_features"
format = "{kind}"
encoder = {_quoted(encoder[0])}
width = {encoder[1]}
"""


def _description(name: str, role: str, features: str, tables: Sequence[str]) -> str:
    """Return the site.toml; its columns are named, so that none has to be guessed."""
    omics = "\n".join(f'{table} = "{table}.parquet"' for table in tables)
    return f"""name = {_quoted(name)}
role = "{role}"

[clinical]
file = "clinical.csv"
patient = "patient"
slide = "slide"
time = "time_days"
time_unit = "days"
event = "event"
event_value = "1"
censored_value = "0"
{features}
[omics]
{omics}
"""


def _named(cohort: Cohort, patient: str) -> str:
    return f"{cohort.name}{MARK}{patient}"


def _bag(place: int, slide: Slide) -> str:
    return f"{place:03d}-{slide.name}"


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)
