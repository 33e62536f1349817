"""Which slides each patient has, and whether their features can be read."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import numpy as np

from fusion.errors import SiteError
from fusion.readers.catalogue import Catalogue
from fusion.readers.findings import Findings, counted, listed
from fusion.readers.formats.bag import AbstractBag
from fusion.readers.formats.slide import Slide
from fusion.readers.outcomes import Outcomes
from fusion.readers.site import FeatureFolder
from fusion.registry import nearest

_AT_ONCE = 16 * 2**20
"""Bytes of a bag that a check reads at a time."""


def find_slides(
    features: FeatureFolder, catalogue: Catalogue, outcomes: Outcomes, findings: Findings
) -> tuple[tuple[Slide, ...], ...]:
    """Return the slides of each patient; those listed as missing are left out.

    Args:
        features: What the folder is known to lack.
        catalogue: Slides that have features.
        outcomes: Patients and the slides they have.
        findings: Takes slides without a bag, and names in `missing` that no slide has.

    Privacy: file names; they stay at the site.

    Source: own.
    """
    if not any(outcomes.slides):
        if not catalogue.patients:
            findings.problem(
                "Clinical table must name slides in `slide` or `slide_id` when site.toml has "
                "[features], got none. Add the column or a [slides] table, or remove [features].",
                "Patch features without a slide column.",
            )
        named = [catalogue.patients.get(patient, ()) for patient in outcomes.patients]
    else:
        named = list(outcomes.slides)
        _check_named({name for names in named for name in names}, features, catalogue, findings)
        _check_owners(outcomes, catalogue, findings)
    usable = set(catalogue.slides) - features.missing
    return tuple(
        tuple(catalogue.slides[name] for name in names if name in usable) for names in named
    )


def _check_named(
    named: set[str], features: FeatureFolder, catalogue: Catalogue, findings: Findings
) -> None:
    """Keep slides without a bag, and names in `missing` that no slide has."""
    end, where = catalogue.suffix, (features.file or features.folder).name
    absent = sorted(name + end for name in named - set(catalogue.slides) - features.missing)
    if absent:
        number = f"{counted(len(absent), 'slide')} without a bag"
        findings.problem(
            f"Slides must each have a bag in '{where}', got {number}: {listed(absent)}. Extract "
            "them, or list them under `missing` in site.toml.",
            f"{number}.",
        )
    for name in sorted(features.missing - named):
        meant = nearest(name + end, (other + end for other in named))
        findings.warning(
            f"`missing` in site.toml lists '{name}{end}', which no row of the clinical table "
            f"names. {meant}",
            "`missing` lists a slide that no patient has.",
        )


def _check_owners(outcomes: Outcomes, catalogue: Catalogue, findings: Findings) -> None:
    """Keep slides that belong to one patient in a table and to another in the features."""
    owner = {name: patient for patient, names in catalogue.patients.items() for name in names}
    torn = [
        f"{name} at {patient} and {owner[name]}"
        for patient, names in zip(outcomes.patients, outcomes.slides, strict=True)
        for name in names
        if owner.get(name, patient) != patient
    ]
    if torn:
        findings.problem(
            f"Slide must belong to the same patient in the tables and in the file of features, got "
            f"{listed(torn)} ({counted(len(torn), 'slide')}). Correct one of them.",
            f"{counted(len(torn), 'slide')} of one patient in a table and another in the features.",
        )


@dataclass(frozen=True)
class SlideCheck:
    """What reading every slide's features gave.

    Attributes:
        patches: Patches over all sound slides.
        places: Slides for each unit and patch size of their coordinates; None = no coordinates.
    """

    patches: int = 0
    places: Mapping[tuple[str, float | None] | None, int] = field(default_factory=dict)

    def coordinates(self) -> str:
        """Return a sentence on the coordinates and their unit.

        Source: own.
        """
        told = [
            (
                f"{place[0]}" + (f", patches of {place[1]:g}" if place[1] else "")
                if place
                else "none"
            )
            + f" ({counted(number, 'slide')})"
            for place, number in self.places.items()
        ]
        return f"Coordinates: {'; '.join(told) or 'none'}."


def check_slides(slides: Iterable[Slide], width: int, findings: Findings) -> SlideCheck:
    """Read every slide's features and coordinates.

    Args:
        slides: Where they lie.
        width: Numbers a patch.
        findings: Takes one problem for each kind of fault, with its first bag and a count.

    Privacy: file names; they stay at the site.

    Source: own.
    """
    patches, places = 0, Counter[tuple[str, float | None] | None]()
    faults: dict[str, list[tuple[str, str]]] = {}
    for slide in slides:
        try:
            with slide.open(width) as bag:
                place = bag.coordinates()
                patches += _read_through(bag)
        except SiteError as error:
            faults.setdefault(error.public, []).append((str(error), slide.name))
        else:
            places[(place.unit, place.patch_size) if place else None] += 1
    _keep(faults, findings)
    return SlideCheck(patches, dict(places))


def _keep(faults: Mapping[str, list[tuple[str, str]]], findings: Findings) -> None:
    """Keep one problem for each kind of fault, with its first bag and a count of the others."""
    for public, found in faults.items():
        others = [name for _, name in found[1:]]
        alike = f" ({counted(len(others), 'other bag')} alike: {listed(others)}.)"
        findings.problem(
            found[0][0] + alike * bool(others), f"{counted(len(found), 'bag')}: {public}"
        )


def _read_through(bag: AbstractBag) -> int:
    """Return the number of patches after reading each of them."""
    rows = max(1, _AT_ONCE * len(bag) // bag.size)
    for start in range(0, len(bag), rows):
        bag.rows(np.arange(start, min(start + rows, len(bag))))
    return len(bag)
