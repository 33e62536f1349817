"""A model applied to whole bags: every patch, in chunks, read once and encoded once."""

import copy
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any, cast

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from fusion.encoders.patches import ChunkedEncoder, State, pool_chunks
from fusion.modalities import SLIDES
from fusion.models.base import FusionModel
from fusion.training.data import PatientData
from fusion.training.plan import Network
from fusion.types import Bags, Tokens

CHUNK = 8192
"""Patches held in memory at once."""


@dataclass(frozen=True, eq=False)
class Pooled:
    """What is left of some patients once all their patches have been read.

    Attributes:
        slides: The encoder's sums of each patient's patches; None for a model without slides.
        vectors: The other modalities' inputs.
        present: Who has which modality.

    Privacy: one row a patient; stays at the site.

    Source: own.
    """

    slides: Any
    vectors: Mapping[str, Float[Tensor, "patient _"]]
    present: Mapping[str, Bool[Tensor, " patient"]]

    def pick(self, places: Sequence[int]) -> "Pooled":
        """Return some of the patients, by their places among these."""
        device = next(iter(self.present.values())).device
        index = torch.tensor(list(places), dtype=torch.int64, device=device)
        return Pooled(
            None if self.slides is None else _each(lambda part: part[index], self.slides),
            {name: values[index] for name, values in self.vectors.items()},
            {name: mask[index] for name, mask in self.present.items()},
        )


@torch.no_grad()
def pool(model: FusionModel, data: PatientData, rows: Sequence[int]) -> Pooled:
    """Return some patients with all their patches read, the costly part of an encoding.

    Every bag is read on its own, so that a patient's sums are the same to the last bit whoever
    else is asked for.

    Args:
        model: Put into evaluation mode here; patches are summed in its precision.
        data: The site's patients.
        rows: Which of them.

    Returns:
        What `encode` takes.

    Source: own.
    """
    model.eval()
    picked = data.places(rows)
    vectors = {name: data.vectors[name][picked] for name in model.modalities if name != SLIDES}
    slides = _pool_slides(model, data, rows) if SLIDES in model.modalities else None
    return Pooled(slides, vectors, {name: mask[picked] for name, mask in data.present.items()})


@torch.no_grad()
def encode(model: FusionModel, pooled: Pooled) -> dict[str, Tokens]:
    """Return each modality's tokens.

    Args:
        model: Put into evaluation mode here; its precision is that of the tokens, and need not be
            the precision the patches were summed in.
        pooled: Patients, from the same weights.

    Returns:
        Tokens by modality.

    Source: own.
    """
    model.eval()
    kind = precision(model)
    tokens: dict[str, Tokens] = {}
    for name in model.modalities:
        if name == SLIDES:
            state = _each(lambda part: _as(part, kind), pooled.slides)
            tokens[name] = cast(ChunkedEncoder, model.encoders[name]).finish(state)
        else:
            tokens[name] = model.encode(name, pooled.vectors[name].to(kind))
    return tokens


def embed(
    model: FusionModel, data: PatientData, rows: Sequence[int]
) -> tuple[dict[str, Tokens], Mapping[str, Bool[Tensor, " patient"]]]:
    """Return each modality's tokens for some patients, from all their patches.

    Args:
        model: Put into evaluation mode here; its precision is that of the tokens.
        data: The site's patients.
        rows: Which of them.

    Returns:
        Tokens by modality, and who has the modality.

    Source: own.
    """
    pooled = pool(model, data, rows)
    return encode(model, pooled), pooled.present


@torch.no_grad()
def scores(
    network: Network,
    data: PatientData,
    rows: Sequence[int],
    pooled: Pooled | None = None,
) -> Float[np.ndarray, "patient *class"]:
    """Return each patient's log hazard or logits, from all their patches and without dropout.

    Args:
        network: What is applied.
        data: The site's patients.
        rows: Which of them.
        pooled: The same patients, if their patches were read already.

    Source: own.
    """
    pooled = pooled or pool(network.model, data, rows)
    tokens = encode(network.model, pooled)
    return network.model.fuse(tokens, pooled.present).double().cpu().numpy()


@torch.no_grad()
def embed_mean_input(
    model: FusionModel, widths: Mapping[str, int]
) -> dict[str, Float[Tensor, "token width"]]:
    """Return the embedding of the federation's mean input, which scaling has put at 0.

    A background for hidden modalities that needs nothing from the sites: it follows from the
    weights, in float64, so that all of them find the same one.

    Args:
        model: Left as it is; a copy encodes.
        widths: Length of each modality's input vector.

    Returns:
        Tokens by modality, float64.

    Source: own.
    """
    model = copy.deepcopy(model).double().eval()
    device = next(model.parameters()).device
    vectors = {
        name: torch.zeros(1, width, dtype=torch.float64, device=device)
        for name, width in widths.items()
    }
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


def _pool_slides(model: FusionModel, data: PatientData, rows: Sequence[int]) -> Any:
    """Return the encoder's state of each patient's bag, which is read piece by piece."""
    encoder = cast(ChunkedEncoder, model.encoders[SLIDES])

    def exact(bags: Bags) -> Bags:
        return replace(bags, features=bags.features.to(precision(model)))

    # one piece of memory for all: small ones between the bags' large ones would keep those apart
    nobody = exact(data.pad([np.zeros((0, data.plan.feature_width), dtype=np.float32)]))
    states = _each(lambda part: part.repeat_interleave(len(rows), 0), encoder.partial(nobody))
    for place, row in enumerate(rows):
        state = pool_chunks(encoder, map(exact, data.whole(row, CHUNK)))
        for item in fields(state):
            getattr(states, item.name)[place] = getattr(state, item.name)[0]
    return states


def _as(values: Tensor, kind: torch.dtype) -> Tensor:
    """Return floating point numbers in a precision, whole numbers as they are."""
    return values.to(kind) if values.is_floating_point() else values


def _each(function: Callable[[Tensor], Tensor], state: State) -> State:
    """Return a state whose every tensor is a function of that of the given one."""
    known = cast(Any, state)
    return replace(known, **{f.name: function(getattr(known, f.name)) for f in fields(known)})
