"""Which bag files each patient has, and whether they can be read."""

from collections.abc import Iterable
from pathlib import Path

from fusion.errors import SiteError
from fusion.readers.bag_file import BagFile
from fusion.readers.findings import Findings, counted, listed
from fusion.readers.outcomes import Outcomes
from fusion.readers.site import FeatureFolder
from fusion.registry import nearest


def find_bags(
    features: FeatureFolder, outcomes: Outcomes, findings: Findings
) -> tuple[tuple[Path, ...], ...]:
    """Return the bag files of each patient; slides listed as missing are left out.

    Args:
        features: The folder and what it is known to lack.
        outcomes: Patients and the slides they have.
        findings: Takes slides without a bag, and names in `missing` that no slide has.

    Privacy: file names; they stay at the site.

    Source: own.
    """
    if not features.folder.is_dir():
        findings.problem(
            f"Folder of patch features must exist, got '{features.folder}'. "
            "Mend features.folder in site.toml, or remove [features] if the site has no slides.",
            "The folder of patch features is missing.",
        )
        return tuple(() for _ in outcomes.patients)
    held = {path.name for path in features.folder.glob("*.h5")}
    named = {name for names in outcomes.slides for name in names}
    _check_present(named - held - features.missing, features, findings)
    for name in sorted(features.missing - named):
        findings.warning(
            f"`missing` in site.toml lists '{name}', which no row of the clinical table names. "
            f"{nearest(name, named) if named else 'Remove it.'}",
            "`missing` lists a slide that no patient has.",
        )
    usable = held - features.missing
    return tuple(
        tuple(features.folder / name for name in names if name in usable)
        for names in outcomes.slides
    )


def check_bags(paths: Iterable[Path], width: int, findings: Findings) -> int:
    """Read every bag and return the number of patches in those that are sound.

    Args:
        paths: Bag files.
        width: Numbers a patch.
        findings: Takes one problem for each kind of fault, with its first bag and a count.

    Privacy: file names; they stay at the site.

    Source: own.
    """
    patches, faults = 0, dict[str, list[tuple[str, str]]]()
    for path in paths:
        try:
            with BagFile(path, width) as bag:
                patches += len(bag.all())
        except SiteError as error:
            faults.setdefault(error.public, []).append((str(error), path.name))
    for public, found in faults.items():
        others = [name for _, name in found[1:]]
        alike = f" ({counted(len(others), 'other bag')} alike: {listed(others)}.)"
        findings.problem(
            found[0][0] + alike * bool(others), f"{counted(len(found), 'bag')}: {public}"
        )
    return patches


def _check_present(absent: set[str], features: FeatureFolder, findings: Findings) -> None:
    if absent:
        number = f"{counted(len(absent), 'slide')} without a bag"
        findings.problem(
            f"Slides must each have a bag in '{features.folder.name}', got {number}: "
            f"{listed(sorted(absent))}. Extract them, or list them under `missing` in site.toml.",
            f"{number}.",
        )
