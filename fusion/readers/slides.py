"""Which slides each patient has, and whether their features can be read."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import numpy as np

from fusion.errors import SiteError
from fusion.readers.catalogue import Catalogue
from fusion.readers.findings import Findings, counted, listed
from fusion.readers.formats.bag import AbstractBag
from fusion.readers.formats.registry import SlideFile
from fusion.readers.outcomes import Outcomes
from fusion.readers.site import FeatureFolder
from fusion.registry import nearest

_AT_ONCE = 16 * 2**20
"""Bytes of a bag that a check reads at a time."""


def find_slides(
    features: FeatureFolder, catalogue: Catalogue, outcomes: Outcomes, findings: Findings
) -> tuple[tuple[SlideFile, ...], ...]:
    """Return the slides of each patient; those listed as missing are left out.

    Args:
        features: What the folder is known to lack.
        catalogue: Slides that have features.
        outcomes: Patients and the slides they have.
        findings: Takes slides without a bag, and names in `missing` that no slide has.

    Privacy: file names; they stay at the site.

    Source: own.
    """
    held, end = set(catalogue.slides), catalogue.suffix
    named = {name for names in outcomes.slides for name in names}
    absent = sorted(name + end for name in named - held - features.missing)
    if absent:
        number = f"{counted(len(absent), 'slide')} without a bag"
        findings.problem(
            f"Slides must each have a bag in '{features.folder.name}', got {number}: "
            f"{listed(absent)}. Extract them, or list them under `missing` in site.toml.",
            f"{number}.",
        )
    for name in sorted(features.missing - named):
        meant = nearest(name + end, (name + end for name in named)) if named else "Remove it."
        findings.warning(
            f"`missing` in site.toml lists '{name}{end}', which no row of the clinical table "
            f"names. {meant}",
            "`missing` lists a slide that no patient has.",
        )
    usable = held - features.missing
    return tuple(
        tuple(catalogue.slides[name] for name in names if name in usable)
        for names in outcomes.slides
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


def check_slides(slides: Iterable[SlideFile], width: int, findings: Findings) -> SlideCheck:
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
