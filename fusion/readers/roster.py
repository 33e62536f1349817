"""A site's patients and what was measured of them, without how they fared."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from jaxtyping import Bool

from fusion.readers.bags import BagReader, Room
from fusion.readers.formats.slide import Slide
from fusion.readers.genomics import OmicsTable
from fusion.readers.site import LabelRule


@dataclass(frozen=True)
class Roster:
    """The patients of one site, sorted by identifier; every field follows that order.

    It has neither time nor event, so that nothing can be trained or evaluated on it; a `Cohort`
    is a roster with outcomes.

    Attributes:
        name: The site's public name.
        role: `train` or `evaluate-only`.
        encoder: What made the patch features; empty = the site has none.
        feature_width: Numbers a patch; 0 = the site has no slides.
        patients: Identifiers; they stay at the site.
        tables: Omics by name.
        clinical: Every other clinical column, as text.
        slides: Those of each patient that have features; empty = the patient has no slide.
        notes: What the columns were taken to mean, and what was left out.
        fingerprint: SHA-256 of the tables and of the bags' names, sizes and samples.
        labels: What its clinical columns say of classes, by name of the label.
    """

    name: str
    role: str
    encoder: str
    feature_width: int
    patients: tuple[str, ...]
    tables: Mapping[str, OmicsTable]
    clinical: pd.DataFrame
    slides: tuple[tuple[Slide, ...], ...]
    notes: tuple[str, ...]
    fingerprint: str
    labels: Mapping[str, LabelRule] = field(default_factory=dict, kw_only=True)

    @property
    def has_slides(self) -> Bool[np.ndarray, " patient"]:
        """True where the patient has at least one slide.

        Source: own.
        """
        return np.array([bool(slides) for slides in self.slides], bool)

    def bags(self, room: Room | None = None) -> BagReader:
        """Return a reader of the patients' patches; keep one for the length of a run.

        Args:
            room: Memory to keep bags in, shared with other readers; an own one if None.

        Source: own.
        """
        return BagReader(self.slides, self.feature_width, room)
