"""What a federation is measured against: its sites as one, and the same work without messages."""

import json
import os
import shutil
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from client.settings import Settings
from client.site import Site, forget_sites, open_site
from fusion.config import RunConfig, names
from fusion.errors import ConfigError, FederationError
from fusion.readers.cohort import Cohort
from fusion.readers.formats.h5 import write_h5
from fusion.readers.formats.registry import SlideFile
from fusion.readers.formats.slide import Slide
from fusion.readers.site import bag_file

POOLED = "pooled"
"""Name of the site that holds all patients."""

MARK = "/"
"""Between the site and the patient in a pooled identifier; no site has it in its name."""

COLUMNS = ("patient", "slide", "time_days", "event", "split")


def pool_sites(folders: Sequence[Path], *, config: RunConfig, out: Path) -> Path:
    """Write one site folder with the patients of several, each in the split of its own site.

    A run on it alone trains and tests on the same patients as the federation of `folders` with the
    same settings; held-out sites are all test. Patients are named `site/patient`; a clinical column
    that is called like one of ours falls away. Where no site has validation patients, run it with
    split.validation = 0, or the reader carves some from training.

    Args:
        folders: The site folders.
        config: The federation's settings: seed, split and data decide what is written.
        out: Folder to write; must be absent or empty.

    Returns:
        `out`, with the genes that all sites share and the bags as links.

    Raises:
        ConfigError: `out` is not empty or cannot be written.
        SiteError: A site cannot be read.
        FederationError: The sites' encoders differ, or they share no genes.

    Privacy: patient data is copied on one machine.

    Source: own.
    """
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise ConfigError(f"out must be an absent or empty folder, got '{out}'. Choose another.")
    partial = out.absolute().with_name(f".{out.name}.partial-{os.getpid()}")
    try:
        _write(partial, [open_site(Settings(folder, config, 0)) for folder in folders], config)
        partial.replace(out)
    except OSError as error:
        raise ConfigError(
            f"out must be a folder that can be written, got '{out}' ({error}). Choose another."
        ) from None
    finally:
        shutil.rmtree(partial, ignore_errors=True)
        forget_sites()
    return out


def shared_genes(cohorts: Sequence[Cohort], omics: str) -> dict[str, tuple[str, ...]]:
    """Return the omics tables of all sites that have any, and the genes they share, sorted.

    Args:
        cohorts: The sites.
        omics: Tables to look at, comma-separated, or `all`.

    Raises:
        FederationError: A table has no gene that all sites share.

    Source: own.
    """
    wanted = names(omics)
    held = [{t for t in one.tables if omics == "all" or t in wanted} for one in cohorts]
    held = [tables for tables in held if tables]
    found = {}
    for table in sorted(set.intersection(*held)) if held else ():
        genes = [set(one.tables[table].genes) for one in cohorts if table in one.tables]
        found[table] = tuple(sorted(set.intersection(*genes)))
        if not found[table]:
            raise FederationError(
                f"Sites must share genes, got none in common in table '{table}' of {len(genes)} "
                "sites. Use the same gene names everywhere."
            )
    return found


def _write(folder: Path, sites: Sequence[Site], config: RunConfig) -> None:
    cohorts = [site.cohort for site in sites]
    tables = {
        table: _pooled_table(cohorts, table, genes)
        for table, genes in shared_genes(cohorts, config.data.omics).items()
    }
    folder.mkdir(parents=True)
    clinical = pd.concat([_clinical(place, site) for place, site in enumerate(sites)])
    clinical.fillna("").to_csv(folder / "clinical.csv", index=False, lineterminator="\n")
    for table, rows in tables.items():
        rows.to_parquet(folder / f"{table}.parquet", index=False)
    features = ""
    if any(cohort.has_slides.any() for cohort in cohorts):
        features = _features(_encoder(cohorts), _place_slides(folder / "patch_features", cohorts))
    text = _description(features, list(tables))
    (folder / "site.toml").write_text(text, encoding="utf-8")


def _clinical(place: int, site: Site) -> pd.DataFrame:
    """Return one row a slide, or one for a patient without slides."""
    cohort = site.cohort
    outcomes = zip(
        cohort.patients, cohort.slides, cohort.time, cohort.event, site.split, strict=True
    )
    rows = [
        (_named(cohort, patient), bag, time, int(event), split)
        for patient, slides, time, event, split in outcomes
        for bag in ([_bag(place, slide) for slide in slides] or [""])
    ]
    other = cohort.clinical.drop(columns=list(COLUMNS), errors="ignore")
    other.index = pd.Index([_named(cohort, patient) for patient in cohort.patients])
    return pd.DataFrame(rows, columns=list(COLUMNS)).join(other, on="patient")


def _pooled_table(cohorts: Sequence[Cohort], table: str, genes: Sequence[str]) -> pd.DataFrame:
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
    linked = len({slide.format for _, slide in placed}) == 1
    for target, slide in placed:
        if linked and isinstance(slide, SlideFile):
            _link(target, slide.path)
        else:
            with slide.open(None) as bag:
                write_h5(target.with_name(bag_file(target.name)), bag)
    first = placed[0][1]
    return first.format if linked and isinstance(first, SlideFile) else "hipt"


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
    name = json.dumps(encoder[0], ensure_ascii=False)
    return f"""
[features]
folder = "patch_features"
format = "{kind}"
encoder = {name}
width = {encoder[1]}
"""


def _description(features: str, tables: Sequence[str]) -> str:
    """Return the pooled site's site.toml; its columns are named, so that none has to be guessed."""
    omics = "\n".join(f'{table} = "{table}.parquet"' for table in tables)
    return f"""name = "{POOLED}"
role = "train"

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
