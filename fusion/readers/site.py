"""What a hospital says of its folder in `site.toml`."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

ROLES = ("train", "evaluate-only")
"""What a site does: train and be evaluated, or be evaluated alone."""

TIME_UNITS: Mapping[str, float] = {"days": 1.0, "months": 30.4375, "years": 365.25}
"""Days in each unit of follow-up that a clinical table may use."""

_SLIDE_SUFFIXES = (
    ".svs", ".ndpi", ".tif", ".tiff", ".mrxs", ".scn", ".bif", ".vms", ".dcm", ".h5", ".pt", ".npy",
)  # fmt: skip


@dataclass(frozen=True)
class FeatureFolder:
    """Where the patch features lie, and what made them.

    Attributes:
        folder: Holds one file a slide.
        encoder: Name of the patch encoder; must be the same at every site.
        width: Numbers a patch; None = as many as the first slide has.
        missing: Slides known to have no features.
        format: One of `FORMATS`; empty = the reader recognises it.
        file: One parquet file with the features of all slides, in place of the folder.
    """

    folder: Path
    encoder: str
    width: int | None
    missing: frozenset[str] = frozenset()
    format: str = ""
    file: Path | None = None


@dataclass(frozen=True)
class SlideTable:
    """Where it stands which slides a patient has, if not in the clinical table.

    Attributes:
        file: A table with one row a slide.
        patient: Column of the patient; empty = the reader recognises it.
        slide: Column of the slide.
    """

    file: Path
    patient: str = ""
    slide: str = ""


@dataclass(frozen=True)
class ClinicalTable:
    """Where the outcomes lie, and what its columns mean where the site says so.

    Attributes:
        file: A csv or parquet table.
        patient: Column of the patient; empty = the reader recognises it.
        slide: Column of the slide.
        time: Column of the follow-up.
        time_unit: `days`, `months` or `years`.
        event: Column of the status.
        event_values: Statuses that mean the event was seen.
        censored_values: Statuses that mean it was not.
        leave_out: True = patients whose follow-up or status is not known are left out.
        slides: The table of slides; None = this one names them.
    """

    file: Path
    patient: str = ""
    slide: str = ""
    time: str = ""
    time_unit: str = ""
    event: str = ""
    event_values: tuple[str, ...] = ()
    censored_values: tuple[str, ...] = ()
    leave_out: bool = False
    slides: SlideTable | None = None


@dataclass(frozen=True)
class OmicsFile:
    """Where an omics table lies.

    Attributes:
        file: A table with one row a patient.
        leave_out: Columns that are no features.
    """

    file: Path
    leave_out: tuple[str, ...] = ()


@dataclass(frozen=True)
class LabelRule:
    """Which classes a label has, and which values of a clinical column make each.

    Attributes:
        column: Of the clinical table.
        classes: Values by class; none = every value is a class of its own.
    """

    column: str
    classes: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


@dataclass(frozen=True)
class SiteDescription:
    """What `site.toml` says.

    Attributes:
        name: The site's public name.
        role: `train` or `evaluate-only`.
        features: None = the site has no slides.
        clinical: The outcomes.
        omics: Tables by name; empty = the site has no omics.
        device: `auto`, `cpu` or `cuda`.
        labels: What models of classes can predict here, by name.
    """

    name: str
    role: str
    features: FeatureFolder | None
    clinical: ClinicalTable
    omics: Mapping[str, OmicsFile]
    device: str = "auto"
    labels: Mapping[str, LabelRule] = field(default_factory=dict)


def slide_name(written: str) -> str:
    """Return the name of a slide without what a scanner or a feature tool appends to it.

    Other dots in a name stay.

    Args:
        written: A slide as a table or `missing` names it.

    Source: own.
    """
    suffix = next((end for end in _SLIDE_SUFFIXES if written.lower().endswith(end)), "")
    return written[: len(written) - len(suffix)]


def bag_file(slide: str) -> str:
    """Return the name of the h5 file that holds a slide's patches.

    Source: own.
    """
    return f"{slide_name(slide)}.h5"
