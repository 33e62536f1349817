"""How a configuration becomes a fusion model."""

from collections.abc import Mapping

import torch
from torch import nn

from fusion.config import ModelConfig
from fusion.errors import ConfigError, FederationError
from fusion.modalities import OMICS
from fusion.models.base import AbstractFusion, FusionModel, shapes_of
from fusion.models.entries import MODELS
from fusion.models.entry import ModelEntry
from fusion.seeding import digest


def build_model(
    config: ModelConfig,
    widths: Mapping[str, int],
    seed: int,
    groups: Mapping[str, tuple[int, ...]] | None = None,
    classes: int = 0,
) -> FusionModel:
    """Return the model of `config`, its initial weights a function of `seed` alone.

    Args:
        config: Which model, and how large.
        widths: For each modality that exists in the federation, in order: the width of a patch
            feature vector ("slides") or the length of the vector (any other name).
        seed: The run's seed; torch's own random state stays as it was.
        groups: Groups of genes, as places in the vector of `omics`, for a model that reads them.
        classes: Classes whose logits the model gives; 0 = one log hazard.

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
                name: entry.grouped(groups or {}, config)
                if entry.grouped and name == OMICS
                else entry.encoder(name, width, config)
                for name, width in chosen.items()
            }
            fusion = entry.fusion(shapes_of(encoders), config, classes or 1)
            return FusionModel(encoders, fusion, classes)
    except RuntimeError:  # torch's word for memory it cannot have
        raise ConfigError(
            f"Model must fit in memory, got model.width = {config.width} and model.hidden = "
            f"{config.hidden}. Lower them."
        ) from None


def build_reference(name: str) -> AbstractFusion:
    """Return the fusion network of a model in its publication's configuration.

    Without placeholders; it reads embeddings of the sizes `MODELS[name].reference_shapes`.

    Args:
        name: A registered model that has a documented reference configuration.

    Returns:
        What the publication counts, with arbitrary weights.

    Raises:
        ConfigError: The name is not registered, or has no documented reference configuration.

    Source: own; sizes from each model's publication.
    """
    entry = MODELS[name]
    if entry.reference is None:
        known = ", ".join(other for other in MODELS if MODELS[other].reference)
        raise ConfigError(
            f"Model must have a published configuration, got '{name}'. Choose one of {known}."
        )
    with torch.random.fork_rng(devices=[]):
        return entry.reference(entry.reference_shapes)


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
    if len(entry.takes or widths) > entry.at_most:
        raise FederationError(
            f"Model '{config.name}' must fuse at most {entry.at_most} modalities, got {there}. "
            "Name fewer in data.modalities, or choose another model."
        )
    if config.norm not in entry.norms:
        raise ConfigError(
            f"model.norm must be {' or '.join(entry.norms)} for model '{config.name}', "
            f"got '{config.norm}'. Leave it at 'layer'."
        )
