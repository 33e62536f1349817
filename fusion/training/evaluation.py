"""A model applied to whole bags: every patch, in chunks, one encoding a modality."""

from collections.abc import Iterator, Mapping, Sequence
from typing import cast

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from fusion.encoders.patches import ChunkedEncoder, encode_chunks
from fusion.modalities import SLIDES
from fusion.models.base import FusionModel
from fusion.training.data import PatientData
from fusion.training.plan import SurvivalNetwork
from fusion.types import Bags, Tokens

CHUNK = 8192
"""Patches held in memory at once."""


@torch.no_grad()
def embed(
    model: FusionModel, data: PatientData, rows: Sequence[int]
) -> tuple[dict[str, Tokens], dict[str, Bool[Tensor, " patient"]]]:
    """Return each modality's tokens for some patients, from all their patches.

    Args:
        model: Put into evaluation mode here; its precision is that of the tokens.
        data: The site's patients.
        rows: Which of them.

    Returns:
        Tokens by modality, and who has the modality.

    Source: own.
    """
    model.eval()
    picked = data.places(rows)
    present = {modality: mask[picked] for modality, mask in data.present.items()}
    embeddings = {
        name: _embed_slides(model, data, rows)
        if name == SLIDES
        else model.encode(name, data.vectors[name][picked].to(precision(model)))
        for name in model.modalities
    }
    return embeddings, present


@torch.no_grad()
def log_hazards(
    network: SurvivalNetwork, data: PatientData, rows: Sequence[int]
) -> Float[np.ndarray, " patient"]:
    """Return each patient's log hazard, from all their patches and without dropout.

    Source: own.
    """
    embeddings, present = embed(network.model, data, rows)
    return network.model.fuse(embeddings, present).double().cpu().numpy()


@torch.no_grad()
def embed_mean_input(
    model: FusionModel, widths: Mapping[str, int]
) -> dict[str, Float[Tensor, "token width"]]:
    """Return the embedding of the federation's mean input, which scaling has put at 0.

    A background for hidden modalities that needs nothing from the sites.

    Args:
        model: Put into evaluation mode here.
        widths: Length of each modality's input vector.

    Returns:
        Tokens by modality.

    Source: own.
    """
    model.eval()
    device = next(model.parameters()).device
    vectors = {name: torch.zeros(1, width, device=device) for name, width in widths.items()}
    inputs = {
        name: Bags(vector[:, None], torch.ones(1, 1, dtype=torch.bool, device=device))
        if name == SLIDES
        else vector
        for name, vector in vectors.items()
    }
    return {name: model.encode(name, inputs[name])[0] for name in model.modalities}


def precision(model: FusionModel) -> torch.dtype:
    """Return the floating point type of a model's weights.

    Source: own.
    """
    return next(model.parameters()).dtype


def _embed_slides(model: FusionModel, data: PatientData, rows: Sequence[int]) -> Tokens:
    """Encode small bags together, a bag larger than a chunk piece by piece."""
    encoder = cast(ChunkedEncoder, model.encoders[SLIDES])
    none = np.zeros((0, data.plan.feature_width), dtype=np.float32)

    def pad(bags: Sequence[Float[np.ndarray, "_ feature"]]) -> Bags:
        padded = data.pad(bags)
        return Bags(padded.features.to(precision(model)), padded.mask)

    parts = [encoder(pad([none]))[:0]]
    for group in _groups([data.bags.patches(row) for row in rows]):
        members = [rows[place] for place in group]
        if data.bags.patches(members[0]) > CHUNK:
            chunks = (pad([chunk]) for chunk in data.chunks(members[0], CHUNK))
            parts.append(encode_chunks(encoder, chunks))
        else:
            bags = [next(data.chunks(row, CHUNK), none) for row in members]
            parts.append(encoder(pad(bags)))
    return torch.cat(parts)


def _groups(sizes: Sequence[int]) -> Iterator[list[int]]:
    """Yield runs of neighbours whose padded bags hold at most CHUNK patches."""
    group: list[int] = []
    longest = 0
    for place, size in enumerate(sizes):
        longest = max(longest, size, 1)
        if group and longest * (len(group) + 1) > CHUNK:
            yield group
            group, longest = [], max(size, 1)
        group.append(place)
    if group:
        yield group
