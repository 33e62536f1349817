"""A site's folder as one checked object: patients, outcomes, omics, and where the bags lie."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Float, Shaped

from fusion.device import choose_device
from fusion.errors import SiteError
from fusion.readers.catalogue import Catalogue, read_catalogue
from fusion.readers.columns import outcome_columns
from fusion.readers.findings import Finding, Findings, counted
from fusion.readers.formats.slide import Slide
from fusion.readers.genomics import OmicsTable, read_omics
from fusion.readers.outcomes import Outcomes, read_identities, read_outcomes
from fusion.readers.roster import Roster
from fusion.readers.site import SiteDescription
from fusion.readers.site_toml import read_site_description
from fusion.readers.slides import SlideCheck, check_slides, find_slides


@dataclass(frozen=True)
class Cohort(Roster):
    """The patients of one site with their outcomes: what trains and is evaluated.

    Attributes:
        time: Follow-up in days.
        event: True = event seen.
        fixed_split: `train`, `validation` or `test` as the site fixed it; None = it did not.
    """

    time: Float[np.ndarray, " patient"]
    event: Bool[np.ndarray, " patient"]
    fixed_split: Shaped[np.ndarray, " patient"] | None


@dataclass(frozen=True)
class Inspection:
    """What looking through a site's folder gave.

    Attributes:
        cohort: None = a problem stopped it.
        findings: Every problem and warning.
        slides: What was read of the slides' features.
    """

    cohort: Cohort | None
    findings: tuple[Finding, ...]
    slides: SlideCheck


def read_cohort(folder: Path) -> Cohort:
    """Return the cohort in a site folder; the bags themselves are read later.

    Args:
        folder: A site folder with its `site.toml`.

    Returns:
        A cohort of at least two patients whose bags all exist as files.

    Raises:
        SiteError: The first problem of the folder, and how many follow it.

    Privacy: identifiers and outcomes; they stay in the process.

    Source: own.
    """
    findings = Findings()
    parts = _read_followed(read_site_description(folder), findings)
    findings.raise_first()
    return parts.cohort()


def read_roster(folder: Path) -> Roster:
    """Return the patients in a site folder without their outcomes, which need not be there.

    For applying a finished model to new patients, be it one. Columns of an outcome and of the
    split are not read, whatever they hold; all else is as strict as `read_cohort`.

    Args:
        folder: A site folder with its `site.toml`.

    Returns:
        At least one patient, whose bags all exist as files.

    Raises:
        SiteError: The first problem of the folder, and how many follow it.

    Privacy: identifiers; they stay in the process.

    Source: own.
    """
    findings, description = Findings(), read_site_description(folder)
    parts = _read_parts(description, read_identities(description.clinical, findings), findings)
    findings.raise_first()
    return parts.roster()


def check_cohort(folder: Path) -> list[Finding]:
    """Return everything wrong or remarkable in a site folder, after reading every bag.

    Args:
        folder: A site folder.

    Returns:
        Problems (`fatal`) and warnings; no problem = training can start.

    Privacy: messages may name patients and files; only `public` may leave the site.

    Source: own.
    """
    return list(inspect_cohort(folder).findings)


def inspect_cohort(folder: Path) -> Inspection:
    """Return the cohort of a site folder with everything that was found on the way.

    Args:
        folder: A site folder.

    Returns:
        The cohort if nothing stops it, all findings, and what was read of the slides.

    Privacy: messages may name patients and files; only `public` may leave the site.

    Source: own.
    """
    findings = Findings()
    description = findings.attempt(lambda: read_site_description(folder))
    if description is None:
        return Inspection(None, findings.found, SlideCheck())
    parts = _read_followed(description, findings)
    slides = SlideCheck()
    if parts.catalogue is not None:
        slides = check_slides(parts.known_slides(), parts.catalogue.width, findings)
    if findings.fatal:
        return Inspection(None, findings.found, slides)
    cohort = parts.cohort()
    _remark(cohort, findings)
    return Inspection(cohort, findings.found, slides)


@dataclass(frozen=True)
class _Parts:
    """What has been read of a folder; None where a problem stopped it."""

    description: SiteDescription
    outcomes: Outcomes | None
    tables: Mapping[str, OmicsTable | None]
    catalogue: Catalogue | None
    slides: tuple[tuple[Slide, ...], ...]

    def known_slides(self) -> list[Slide]:
        """Return the slides of the known patients, or all there are if none is known.

        Source: own.
        """
        if self.outcomes is None and self.catalogue is not None:
            return list(self.catalogue.slides.values())
        return [slide for slides in self.slides for slide in slides]

    def cohort(self) -> Cohort:
        """Return the cohort; every part must have been read.

        Source: own.
        """
        roster, outcomes = self.roster(), self.outcomes
        if outcomes is None or outcomes.time is None or outcomes.event is None:
            raise SiteError(f"Site '{roster.name}' must have outcomes. Run concord-site doctor.")
        return Cohort(
            **vars(roster),
            time=outcomes.time,
            event=outcomes.event,
            fixed_split=outcomes.fixed_split,
        )

    def roster(self) -> Roster:
        """Return the patients without their outcomes; every part must have been read.

        Source: own.
        """
        described, outcomes = self.description, self.outcomes
        if outcomes is None:
            raise SiteError(f"Site '{described.name}' must have patients. Run concord-site doctor.")
        features = described.features
        return Roster(
            name=described.name,
            role=described.role,
            encoder=features.encoder if features else "",
            feature_width=self.catalogue.width if self.catalogue else 0,
            patients=outcomes.patients,
            tables={name: table for name, table in self.tables.items() if table is not None},
            clinical=outcomes.clinical,
            slides=self.slides,
            notes=outcomes.notes + self._remarks(),
            fingerprint=_fingerprint(described, self.slides),
            labels=described.labels,
        )

    def _remarks(self) -> tuple[str, ...]:
        """Return what the features are taken to be, and a sentence for each thing not used."""
        outcomes, catalogue = self.outcomes, self.catalogue
        named = {name for names in outcomes.slides for name in names} if outcomes else set()
        notes = [] if catalogue is None else [catalogue.note()]
        notes += [
            f"{name}: {counted(table.others, 'row')} of patients not in the clinical table, unused."
            for name, table in self.tables.items()
            if table is not None and table.others
        ]
        if catalogue is None and named:
            notes.append(
                "The clinical table names slides, but site.toml has no [features]: unused."
            )
        if catalogue is not None:
            used = {slide for slides in self.slides for slide in slides}
            spare = [
                name for name, slide in catalogue.slides.items()
                if slide not in used and name not in named
            ]  # fmt: skip
            if spare:
                notes.append(f"{counted(len(spare), 'bag')} of no patient, unused.")
        return tuple(notes)


def _read_followed(description: SiteDescription, findings: Findings) -> _Parts:
    """Read a folder for training: outcomes must be there, of at least two patients."""
    outcomes = read_outcomes(description.clinical, findings)
    if outcomes and len(outcomes.patients) == 1:
        findings.problem(
            f"Site '{description.name}' must have at least 2 patients, got 1. "
            "Pool it with another site.",
            "A lone patient.",
        )
    return _read_parts(description, outcomes, findings)


def _read_parts(
    description: SiteDescription, outcomes: Outcomes | None, findings: Findings
) -> _Parts:
    findings.attempt(lambda: choose_device(description.device))
    patients = outcomes.patients if outcomes else ()
    tables = {
        name: read_omics(
            told,
            name=name,
            patients=patients,
            findings=findings,
            outcomes=outcome_columns(description.clinical),
        )
        for name, told in description.omics.items()
    }
    slides: tuple[tuple[Slide, ...], ...] = tuple(() for _ in patients)
    features, catalogue = description.features, None
    if features is not None:
        folder = features
        catalogue = findings.attempt(lambda: read_catalogue(folder))
    if outcomes and features and catalogue:
        slides = find_slides(features, catalogue, outcomes, findings)
    return _Parts(description, outcomes, tables, catalogue, slides)


def _remark(cohort: Cohort, findings: Findings) -> None:
    """Keep what is worth knowing of a cohort that can be used."""
    if not cohort.event.any():
        findings.warning(
            f"Site '{cohort.name}' has no event: its own model learns nothing, its counts still "
            "enter the pooled figures.",
            "No event.",
        )
    some = np.any([cohort.has_slides, *(table.present for table in cohort.tables.values())], axis=0)
    lacking = int((~some).sum())
    if lacking:
        findings.warning(
            f"{counted(lacking, 'patient')} without slides and without omics: kept, but the model "
            "knows nothing of them.",
            f"{counted(lacking, 'patient')} without any modality.",
        )


def _fingerprint(description: SiteDescription, slides: tuple[tuple[Slide, ...], ...]) -> str:
    """Return the SHA-256 of what the site says, its tables, and samples of its bags."""
    total = hashlib.sha256(f"{description.name} {description.role}".encode())
    clinical, tables = description.clinical, description.omics.values()
    named = (clinical.slides.file,) if clinical.slides else ()
    for path in (clinical.file, *named, *(table.file for table in tables)):
        total.update(hashlib.sha256(path.read_bytes()).digest())
    for leave_out in (clinical.leave_out, *(table.leave_out for table in tables)):
        total.update(repr(leave_out).encode() if leave_out else b"")
    total.update(repr(sorted(description.labels.items())).encode() if description.labels else b"")
    for slide in (slide for patient in slides for slide in patient):
        total.update(f"{slide.mark}\n".encode())
    return total.hexdigest()
