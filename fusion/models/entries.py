"""The registry of fusion models: what each is, and what builds it."""

from collections.abc import Callable
from dataclasses import dataclass, field

from fusion.config import ModelConfig
from fusion.encoders.base import AbstractEncoder
from fusion.encoders.build import learned_encoder, raw_encoder
from fusion.modalities import MOST, OMICS, SLIDES
from fusion.models.base import AbstractFusion, Shape, Shapes
from fusion.models.bilinear import Bilinear
from fusion.models.cross_attention import CrossAttention
from fusion.models.early import Early
from fusion.models.gated import Gated
from fusion.models.late import Late
from fusion.models.linear import Linear
from fusion.models.unimodal import Unimodal
from fusion.registry import Registry

REFERENCE_SHAPES: Shapes = {SLIDES: Shape(1, 2048), OMICS: Shape(1, 2048)}
"""Embeddings of InterSHAP-Cox: one 2048-d vector a modality."""


@dataclass(frozen=True)
class ModelEntry:
    """What the registry knows of one fusion model.

    Attributes:
        title: Name for people.
        paper: Where it was published.
        fusion: Builds the fusion network for embeddings of given shapes.
        encoder: Builds the encoder of one modality, from its name and input width.
        reference: Builds it in its publication's configuration, where one is documented.
        reference_shapes: What the publication's configuration reads.
        takes: The modalities it reads; empty = whatever there is.
        at_least: Fewest modalities it can work with.
        at_most: Most of them.
        norms: Normalisations it can be built with.
        head: The fusion network's part that may stay at a site; empty = there is no such part.
    """

    title: str
    paper: str
    fusion: Callable[[Shapes, ModelConfig], AbstractFusion]
    encoder: Callable[[str, int, ModelConfig], AbstractEncoder] = learned_encoder
    reference: Callable[[Shapes], AbstractFusion] | None = None
    reference_shapes: Shapes = field(default_factory=lambda: REFERENCE_SHAPES)
    takes: tuple[str, ...] = ()
    at_least: int = 1
    at_most: int = MOST
    norms: tuple[str, ...] = ("layer",)
    head: str = "head"


MODELS: Registry[ModelEntry] = Registry("model")
INTERSHAP_COX = "InterSHAP-Cox, arXiv 2603.29977"

MODELS.add(
    "early",
    ModelEntry(
        title="Early fusion",
        paper=INTERSHAP_COX,
        fusion=lambda shapes, c: Early(shapes, hidden=(c.hidden, c.hidden), dropout=c.dropout),
        reference=lambda shapes: Early(shapes, hidden=(2048, 200), dropout=0.25),
        at_least=2,
    ),
)
MODELS.add(
    "late",
    ModelEntry(
        title="Late fusion",
        paper=INTERSHAP_COX,
        fusion=lambda shapes, c: Late(shapes, hidden=c.hidden, dropout=c.dropout),
        at_least=2,
        head="combine",
    ),
)
MODELS.add(
    "cross_attention",
    ModelEntry(
        title="Cross-attention fusion",
        paper=INTERSHAP_COX,
        fusion=lambda shapes, c: CrossAttention(
            shapes, width=c.hidden, heads=c.heads, hidden=c.hidden, dropout=c.dropout
        ),
        reference=lambda shapes: CrossAttention(
            shapes, width=256, heads=8, hidden=256, dropout=0.25
        ),
        at_least=2,
    ),
)
MODELS.add(
    "bilinear",
    ModelEntry(
        title="Low-rank bilinear fusion",
        paper=INTERSHAP_COX,
        fusion=lambda shapes, c: Bilinear(
            shapes, rank=c.rank, hidden=c.hidden, dropout=c.dropout, norm=c.norm
        ),
        reference=lambda shapes: Bilinear(shapes, rank=64, hidden=64, dropout=0.25, norm="batch"),
        at_least=2,
        norms=("layer", "batch"),
    ),
)
MODELS.add(
    "gated",
    ModelEntry(
        title="Gated fusion",
        paper=INTERSHAP_COX,
        fusion=lambda shapes, c: Gated(shapes, width=c.hidden, hidden=c.hidden, dropout=c.dropout),
        reference=lambda shapes: Gated(shapes, width=256, hidden=64, dropout=0.25),
        at_least=2,
    ),
)
MODELS.add(
    "wsi_only",
    ModelEntry(
        title="Slides alone",
        paper=INTERSHAP_COX,
        fusion=lambda shapes, c: Unimodal(shapes, dropout=c.dropout),
        takes=(SLIDES,),
    ),
)
MODELS.add(
    "omics_only",
    ModelEntry(
        title="Omics alone",
        paper=INTERSHAP_COX,
        fusion=lambda shapes, c: Unimodal(shapes, dropout=c.dropout),
        takes=(OMICS,),
    ),
)
MODELS.add(
    "linear",
    ModelEntry(
        title="Linear Cox",
        paper="Cox, JRSS B 34, 1972",
        fusion=lambda shapes, _: Linear(shapes),
        encoder=raw_encoder,
        head="",
    ),
)
