"""A look through one hospital's folder, told in plain words."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from client.rehearsal import rehearse
from fusion.config import DataConfig
from fusion.device import choose_device, describe_device
from fusion.errors import ConfigError
from fusion.readers.cohort import Cohort, inspect_cohort
from fusion.readers.findings import counted, listed
from fusion.readers.omics import omics_vector
from fusion.readers.scaling import BEYOND, clipped_shares
from fusion.readers.site_toml import read_site_description
from fusion.readers.slides import SlideCheck
from privacy.errors import PrivacyError

_YEAR = 365.25
_CLIP = DataConfig().clip


@dataclass(frozen=True)
class Examination:
    """What the doctor found; shown at the site, never sent.

    Attributes:
        lines: What is read, and what it is taken to mean.
        warnings: What is worth knowing.
        problems: What stops training, and how to mend it.
    """

    lines: tuple[str, ...]
    warnings: tuple[str, ...]
    problems: tuple[str, ...]

    @property
    def healthy(self) -> bool:
        """True = training could start.

        Source: own.
        """
        return not self.problems


def examine(folder: Path) -> Examination:
    """Return all that is read in a site folder, and all that is wrong with it, in plain words.

    Every table and every bag is read, so that one look shows every problem.

    Args:
        folder: A site folder.

    Privacy: sentences may name patients and files; they are for the screen at the site.

    Source: own.
    """
    inspection = inspect_cohort(folder)
    cohort, found = inspection.cohort, inspection.findings
    rehearsed, unfit = _rehearsed(folder)
    known = () if cohort is None else (*_told(cohort, inspection.slides), _device(folder))
    return Examination(
        lines=(*known, *rehearsed),
        warnings=(
            *(finding.message for finding in found if not finding.fatal),
            *(() if cohort is None else (*_short(cohort), *_unscaled(cohort), *_cut(cohort))),
        ),
        problems=(*(finding.message for finding in found if finding.fatal), *unfit),
    )


def _rehearsed(folder: Path) -> tuple[list[str], list[str]]:
    """Return what private steps do here, and what is wrong with them or with the policy."""
    try:
        told = rehearse(folder)
    except (ConfigError, PrivacyError) as error:
        return [], [str(error)]
    return ([] if told is None else [told]), []


def _device(folder: Path) -> str:
    return describe_device(choose_device(read_site_description(folder).device))


def _told(cohort: Cohort, slides: SlideCheck) -> list[str]:
    purpose = "trains and is evaluated" if cohort.role == "train" else "is only evaluated"
    lines = [f"Site '{cohort.name}' {purpose}."]
    lines += [_outcomes(cohort), *cohort.notes]
    lines += _slides(cohort, slides)
    lines += _omics(cohort)
    if cohort.clinical.shape[1]:
        lines.append(f"Other clinical columns: {', '.join(cohort.clinical.columns)}.")
    return lines


def _outcomes(cohort: Cohort) -> str:
    number, events = len(cohort.patients), int(cohort.event.sum())
    years = cohort.time / _YEAR
    return (
        f"{counted(number, 'patient')}, {counted(events, 'event')} ({events / number:.0%}); "
        f"follow-up {np.median(years):.1f} years in the median, {years.max():.1f} at most."
    )


def _slides(cohort: Cohort, slides: SlideCheck) -> list[str]:
    if not cohort.feature_width:
        return ["Slides: none ([features] is not in site.toml)."]
    number, have = sum(map(len, cohort.slides)), int(cohort.has_slides.sum())
    return [
        f"Slides: {number:,} of {counted(have, 'patient')}, {slides.patches:,} patches from "
        f"encoder '{cohort.encoder}', {cohort.feature_width} numbers each.",
        slides.coordinates(),
        f"{counted(len(cohort.patients) - have, 'patient')} without slides.",
    ]


def _omics(cohort: Cohort) -> list[str]:
    if not cohort.tables:
        return ["Omics: none ([omics] is not in site.toml)."]
    return [
        f"Omics table {name}: {counted(len(table.genes), 'gene')} of "
        f"{counted(int(table.present.sum()), 'patient')}; "
        f"{counted(int((~table.present).sum()), 'patient')} without."
        for name, table in cohort.tables.items()
    ]


def _short(cohort: Cohort) -> list[str]:
    """Return a sentence if all follow-up ends so early that its unit is in doubt."""
    longest = cohort.time.max()
    if longest >= _YEAR:
        return []
    return [
        f"Follow-up ends after {longest:,.0f} days: are these months, or years? If so, write "
        "time and time_unit under [clinical] in site.toml."
    ]


def _unscaled(cohort: Cohort) -> list[str]:
    """Return a sentence for each omics table that the default clip would refuse."""
    everyone = np.ones(len(cohort.patients), bool)
    shares = clipped_shares(omics_vector(cohort, tables=tuple(cohort.tables)), _CLIP, everyone)
    return [
        f"Omics table {name} looks unscaled: {share:.0%} of its values lie beyond {_CLIP:g}. Scale "
        "it to z-scores, or agree with the other sites on data.clip = 0."
        for name, share in shares.items()
        if share > BEYOND
    ]


def _cut(cohort: Cohort) -> list[str]:
    """Return a sentence for each omics table with columns that the default clip would flatten."""
    told = []
    for name, table in cohort.tables.items():
        typical = np.median(np.abs(table.values[table.present]), axis=0)
        flat = [
            f"`{gene}`" for gene, size in zip(table.genes, typical, strict=True) if size > _CLIP
        ]
        if flat:
            told.append(
                f"Omics table {name}: most values of {listed(flat)} lie beyond {_CLIP:g} and would "
                "be cut to it. Scale them, or list them under leave_out and use them as clinical "
                "columns, which are not cut."
            )
    return told
