"""The list of models: what each is, what it costs, and what it allows."""

from itertools import accumulate, pairwise

import torch
from torch import nn

from fusion.config import DataConfig, ModelConfig
from fusion.modalities import OMICS, SLIDES
from fusion.models.base import FusionModel
from fusion.models.build import build_model, build_reference
from fusion.models.cost import count_macs, count_parameters
from fusion.models.entries import MODELS
from fusion.readers.signatures import included_signature
from fusion.types import Bags, Batch

WIDTHS = {SLIDES: 1024, OMICS: 1500}
"""Sizes the listing assumes: a common patch encoder's width, and a panel of genes."""


def list_models(
    *, reference: bool = False, objective_couples: bool = True
) -> list[dict[str, object]]:
    """Return one row a registered model.

    Args:
        reference: True = the publications' configurations, without placeholders and with what the
            publication counts (early to gated: the network behind two 2048-d vectors; mif: three
            encoders of 80 features too), for models that have one.
        objective_couples: Whether the objective they are trained with couples patients, as the
            Cox likelihood does.

    Returns:
        Rows with name, parameters and macs (multiply-accumulates of one patient); without
        `reference` also title, paper, modalities, couples_patients, record_level_dp, and the
        sizes counted (`widths`, `patches`), at default settings.

    Source: own.
    """
    if reference:
        return [_reference_row(name) for name in MODELS if MODELS[name].reference]
    return [_row(name, objective_couples=objective_couples) for name in MODELS]


def one_patient(model: FusionModel) -> Batch:
    """Return a batch of one patient with every modality `model` reads, all zeros.

    Args:
        model: A model built for the listing's sizes.

    Returns:
        `DataConfig.max_patches` patches, and a vector of the listing's length.

    Source: own.
    """
    patches = DataConfig().max_patches
    inputs: dict[str, Bags | torch.Tensor] = {
        SLIDES: Bags(torch.zeros(1, patches, WIDTHS[SLIDES]), torch.ones(1, patches).bool()),
        OMICS: torch.zeros(1, WIDTHS[OMICS]),
    }
    return Batch(
        {name: inputs[name] for name in model.modalities},
        {name: torch.ones(1).bool() for name in model.modalities},
    )


def _reference_row(name: str) -> dict[str, object]:
    fusion = build_reference(name)
    embeddings = {
        modality: torch.zeros(1, shape.tokens, shape.width)
        for modality, shape in MODELS[name].reference_shapes.items()
    }
    macs = count_macs(fusion, embeddings)
    return {"name": name, "parameters": count_parameters(fusion), "macs": macs}


def _groups(signature: str) -> dict[str, tuple[int, ...]]:
    """Return groups of the sizes that the model's own table has, side by side in the panel."""
    groups = included_signature(signature) if signature else {}
    ends = list(accumulate(map(len, groups.values()), initial=0))
    return {name: tuple(range(*span)) for name, span in zip(groups, pairwise(ends), strict=True)}


def _row(name: str, *, objective_couples: bool) -> dict[str, object]:
    entry = MODELS[name]
    model = build_model(ModelConfig(name=name), WIDTHS, seed=0, groups=_groups(entry.signature))
    couples = objective_couples or model.fusion.couples_patients
    normalised = any(isinstance(layer, nn.BatchNorm1d) for layer in model.modules())
    return {
        "name": name,
        "title": entry.title,
        "paper": entry.paper,
        "modalities": list(model.modalities),
        "parameters": count_parameters(model),
        "macs": count_macs(model, one_patient(model)),
        "couples_patients": couples,
        "record_level_dp": not (couples or normalised),
        "widths": {modality: WIDTHS[modality] for modality in model.modalities},
        "patches": DataConfig().max_patches if SLIDES in model.modalities else 0,
    }
