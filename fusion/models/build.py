"""The registry of fusion models, and how a configuration becomes one."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from torch import nn

from fusion.config import ModelConfig
from fusion.encoders.base import AbstractEncoder
from fusion.encoders.genes import RawVector, VectorEncoder
from fusion.encoders.patches import AttentionPatches, MeanPatches
from fusion.errors import ConfigError, FederationError
from fusion.modalities import OMICS, SLIDES
from fusion.models.base import AbstractFusion, FusionModel, Shape, Shapes, shapes_of
from fusion.models.bilinear import Bilinear
from fusion.models.cross_attention import CrossAttention
from fusion.models.early import Early
from fusion.models.gated import Gated
from fusion.models.late import Late
from fusion.models.linear import Linear
from fusion.models.unimodal import Unimodal
from fusion.registry import Registry
from fusion.seeding import digest


@dataclass(frozen=True)
class ModelEntry:
    """What the registry knows of one fusion model.

    Attributes:
        title: Name for people.
        paper: Where it was published.
        fusion: Builds the fusion network for embeddings of given shapes.
        reference: Builds it in its publication's configuration, where one is documented.
        takes: The modalities it reads; empty = whatever there is.
        at_least: Fewest modalities it can work with.
        raw: True = it reads mean patches and vectors as they are, without learned encoders.
        norms: Normalisations it can be built with.
        head: The fusion network's part that may stay at a site; empty = there is no such part.
    """

    title: str
    paper: str
    fusion: Callable[[Shapes, ModelConfig], AbstractFusion]
    reference: Callable[[Shapes], AbstractFusion] | None = None
    takes: tuple[str, ...] = ()
    at_least: int = 1
    raw: bool = False
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
        raw=True,
        head="",
    ),
)


def build_model(config: ModelConfig, widths: Mapping[str, int], seed: int) -> FusionModel:
    """Return the model of `config`, its initial weights a function of `seed` alone.

    Args:
        config: Which model, and how large.
        widths: For each modality that exists in the federation, in order: the width of a patch
            feature vector ("slides") or the length of the vector (any other name).
        seed: The run's seed; torch's own random state stays as it was.

    Returns:
        A float32 model on the CPU, in training mode.

    Raises:
        ConfigError: The name is not registered, or sizes do not go together.
        FederationError: The federation lacks a modality that the model needs.

    Source: own.
    """
    entry = MODELS[config.name]
    _check(config, entry, widths)
    chosen = {name: widths[name] for name in entry.takes or widths}
    try:
        with torch.random.fork_rng(devices=[]):
            torch.random.default_generator.manual_seed(digest(seed, "model", config.name))
            encoders = {
                name: _encoder(name, width, config, raw=entry.raw) for name, width in chosen.items()
            }
            return FusionModel(encoders, entry.fusion(shapes_of(encoders), config))
    except RuntimeError:  # torch's word for memory it cannot have
        raise ConfigError(
            f"Model must fit in memory, got model.width = {config.width} and model.hidden = "
            f"{config.hidden}. Lower them."
        ) from None


def build_reference(name: str) -> AbstractFusion:
    """Return the fusion network of a model in its publication's configuration.

    Without encoders and placeholders: it reads one 2048-d token of each of two modalities.

    Args:
        name: A registered model that has a documented reference configuration.

    Returns:
        The fusion network alone, with arbitrary weights.

    Raises:
        ConfigError: The name is not registered, or has no documented reference configuration.

    Source: own; sizes from arXiv 2603.29977.
    """
    build = MODELS[name].reference
    if build is None:
        known = ", ".join(other for other in MODELS if MODELS[other].reference)
        raise ConfigError(
            f"Model must have a published configuration, got '{name}'. Choose one of {known}."
        )
    with torch.random.fork_rng(devices=[]):
        return build(REFERENCE_SHAPES)


REFERENCE_SHAPES: Shapes = {SLIDES: Shape(1, 2048), OMICS: Shape(1, 2048)}
"""Embeddings of the publication: one 2048-d vector a modality."""


def _check(config: ModelConfig, entry: ModelEntry, widths: Mapping[str, int]) -> None:
    """Raise unless `entry` can be built from the federation's modalities as `config` says."""
    there = ", ".join(widths) or "none"
    for name in entry.takes:
        if name not in widths:
            raise FederationError(
                f"Model '{config.name}' must read {name}, got sites with {there}. "
                f"Add {name} to a site, or choose another model."
            )
    for name in widths:
        if hasattr(nn.ModuleDict, name):
            raise ConfigError(
                f"A modality must not be called like a part of torch's modules, got '{name}'. "
                "Rename the table in every site.toml."
            )
    if len(widths) < entry.at_least:
        raise FederationError(
            f"Model '{config.name}' must fuse at least {entry.at_least} modalities, got {there}. "
            "Add the other modality to a site, or choose linear or a unimodal model."
        )
    if config.norm not in entry.norms:
        raise ConfigError(
            f"model.norm must be {' or '.join(entry.norms)} for model '{config.name}', "
            f"got '{config.norm}'. Leave it at 'layer'."
        )


def _encoder(modality: str, width: int, config: ModelConfig, *, raw: bool) -> AbstractEncoder:
    """Return the encoder of one modality: slides come as bags, all else as vectors."""
    size, dropout = {"tokens": config.tokens, "width": config.width}, config.input_dropout
    if modality == SLIDES and config.pooling == "attention" and not raw:
        return AttentionPatches(width, **size, dropout=dropout)
    vector = (
        RawVector(width, dropout=dropout) if raw else VectorEncoder(width, **size, dropout=dropout)
    )
    return MeanPatches(vector) if modality == SLIDES else vector
