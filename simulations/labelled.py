"""Patients of a comparison that predicts classes: those who have the label."""

from dataclasses import replace

import numpy as np

from fusion.class_settings import CLASSIFICATION
from fusion.config import ObjectiveConfig, names
from fusion.readers.labels import read_label
from simulations.joined_site import Part


def with_label(part: Part, objective: ObjectiveConfig) -> Part:
    """Return the patients who have the label that is predicted, their class as a clinical column.

    The column is called like the label and holds the class's name, whatever the site calls it, so
    that patients of several sites can stand in one table.

    Args:
        part: Patients of one cohort.
        objective: Of the runs; of survival, the patients stay as they are.

    Raises:
        SiteError: The cohort has no such label.

    Source: own.
    """
    if objective.name != CLASSIFICATION:
        return part
    label = read_label(part.cohort, objective.label, names(objective.classes))
    rows = np.flatnonzero(label.words != "")
    picked = part.pick(rows, part.split[rows])
    clinical = picked.cohort.clinical.assign(**{objective.label: label.words[rows]})
    return Part(replace(picked.cohort, clinical=clinical, labels={}), picked.split)
