"""What the registry knows of one fusion model."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

from fusion.config import ModelConfig
from fusion.encoders.base import AbstractEncoder
from fusion.encoders.build import learned_encoder
from fusion.modalities import MOST, OMICS, SLIDES
from fusion.models.base import AbstractFusion, Shape, Shapes

Places: TypeAlias = Mapping[str, tuple[int, ...]]
"""Groups of genes: where their features stand in the vector of `omics`."""

REFERENCE_SHAPES: Shapes = {SLIDES: Shape(1, 2048), OMICS: Shape(1, 2048)}
"""Embeddings of InterSHAP-Cox: one 2048-d vector a modality."""


@dataclass(frozen=True)
class ModelEntry:
    """What the registry knows of one fusion model.

    Attributes:
        title: Name for people.
        paper: Where it was published.
        fusion: Builds the fusion network for embeddings of given shapes and so many scores.
        encoder: Builds the encoder of one modality, from its name and input width.
        grouped: Builds the encoder of `omics` from groups of genes, for a model that reads groups.
        signature: The table of groups that comes along for it; empty = it reads no groups.
        ordered: True = it reads patches in the order of their coordinates.
        reference: Builds it in its publication's configuration, where one is documented.
        reference_shapes: What the publication's configuration reads.
        takes: The modalities it reads; empty = whatever there is.
        at_least: Fewest modalities it can work with.
        at_most: Most of them.
        norms: Normalisations it can be built with.
        head: The fusion network's part that may stay at a site; empty = there is no such part.
        deep: False = it learns a weighted sum of what it reads and nothing else.
    """

    title: str
    paper: str
    fusion: Callable[[Shapes, ModelConfig, int], AbstractFusion]
    encoder: Callable[[str, int, ModelConfig], AbstractEncoder] = learned_encoder
    grouped: Callable[[Places, ModelConfig], AbstractEncoder] | None = None
    signature: str = ""
    ordered: bool = False
    reference: Callable[[Shapes], AbstractFusion] | None = None
    reference_shapes: Shapes = field(default_factory=lambda: REFERENCE_SHAPES)
    takes: tuple[str, ...] = ()
    at_least: int = 1
    at_most: int = MOST
    norms: tuple[str, ...] = ("layer",)
    head: str = "head"
    deep: bool = True
