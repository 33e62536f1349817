"""Shapes that recur, and the batch of patients every model reads."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeAlias

from jaxtyping import Bool, Float, Int64
from torch import Tensor

Times: TypeAlias = Float[Tensor, " patient"]
"""Follow-up in days, >= 0."""

Events: TypeAlias = Bool[Tensor, " patient"]
"""True = death (or progression) seen; False = censored."""

LogHazards: TypeAlias = Float[Tensor, " patient"]
"""Model output of a survival task, higher = earlier event."""

Labels: TypeAlias = Int64[Tensor, " patient"]
"""Each patient's place among the run's classes; -1 = the patient has no label."""

Scores: TypeAlias = Float[Tensor, "patient *class"]
"""Model output of any task: one log hazard a patient, or one logit a class."""

Tokens: TypeAlias = Float[Tensor, "patient token width"]
"""One modality's embedding: a few tokens a patient."""


@dataclass(frozen=True)
class Bags:
    """Patch features of several patients, padded to one length.

    Attributes:
        features: Patch features; padding is zero.
        mask: True = real patch.
        rank: Place of each patch when the patient's slides are read row by row; negative = its
            slide has no coordinates. None = nobody's places are known.
    """

    features: Float[Tensor, "patient patch feature"]
    mask: Bool[Tensor, "patient patch"]
    rank: Int64[Tensor, "patient patch"] | None = None


@dataclass(frozen=True)
class Batch:
    """What a model reads of some patients.

    Attributes:
        inputs: For each modality its bags (`slides`) or vectors (patient x feature). A patient
            who lacks a modality has zeros there.
        present: For each modality, True where the patient has it.
    """

    inputs: Mapping[str, Bags | Float[Tensor, "patient feature"]]
    present: Mapping[str, Bool[Tensor, " patient"]]
