"""Patches themselves as tokens: as many as there is room for, chosen and ordered without chance."""

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn
from torch.nn.functional import pad

from fusion.encoders.base import AbstractEncoder
from fusion.encoders.dropout import GOLDEN, PatientDropout, mixed
from fusion.encoders.rows import by_row
from fusion.types import Bags, Tokens

LAST = 1 << 62
"""Stands for a place without a patch; no patch has so large a number. Exact as a float64."""

FAINT = 1e-12
"""Least share of a patch where attention weighs it, so that the logarithm is finite."""

BLOCK = 64
"""Features turned into integers at once, so that a large bag is not copied in 64 bits."""


@dataclass(frozen=True)
class PatchSetState:
    """The patches kept so far, as many places as the encoder has tokens.

    Attributes:
        values: What the model reads of each patch; 0 without one.
        draw: A number that a patch's features fix; those with the lowest are kept.
        place: What the patches are sorted by at the end.
    """

    values: Float[Tensor, "patient token value"]
    draw: Int64[Tensor, "patient token"]
    place: Int64[Tensor, "patient token"]


class PatchSet(AbstractEncoder):
    """ReLU(linear) of each patch, one token a patch, and beside it 1 where there is no patch.

    A bag of more patches than tokens is sampled: those stay whose features hash to the lowest
    numbers, which no order, chunk, batch or machine changes. Tokens stand in the order of
    `Bags.rank`; without it in that of the hash, where neighbours mean nothing. A dropped feature
    is dropped in every patch of the patient.

    Args:
        width_in: Width of a patch feature vector.
        tokens: Most patches kept.
        width: Width of a token without its last entry, the mark of absence.
        dropout: Probability that a feature is dropped in training.

    Source: own; bottom-k sampling by hash: Cohen and Kaplan, PODC 2007.
    """

    alike = True

    def __init__(self, width_in: int, *, tokens: int, width: int, dropout: float) -> None:
        super().__init__(tokens, width + 1)
        self.dropout = PatientDropout(dropout)
        self.project = nn.Linear(width_in, width)

    def partial(self, bags: Bags) -> PatchSetState:
        """Return the patches kept of one chunk."""
        draw = by_row(_numbers, bags.features).masked_fill(~bags.mask, LAST)
        place = draw if bags.rank is None else torch.where(bags.rank < 0, draw, bags.rank)
        features = bags.features
        if draw.shape[1] > self.tokens:
            kept = draw.topk(self.tokens, dim=1, largest=False).indices
            draw, place, features = (_pick(part, kept) for part in (draw, place, features))
        values = self._read(features) * (draw < LAST)[..., None]
        room = self.tokens - draw.shape[1]
        return PatchSetState(
            pad(values, (0, 0, 0, room)),
            pad(draw, (0, room), value=LAST),
            pad(place, (0, room), value=LAST),
        )

    def merge(self, first: PatchSetState, second: PatchSetState) -> PatchSetState:
        """Return the patches kept of two chunks together."""
        draw = torch.cat([first.draw, second.draw], 1)
        kept = draw.topk(self.tokens, dim=1, largest=False).indices
        return PatchSetState(
            _pick(torch.cat([first.values, second.values], 1), kept),
            _pick(draw, kept),
            _pick(torch.cat([first.place, second.place], 1), kept),
        )

    def finish(self, state: PatchSetState) -> Tokens:
        """Return the patches in order, absent ones last."""
        absent = state.draw == LAST
        order = state.place.masked_fill(absent, LAST).argsort(dim=1, stable=True)
        marked = torch.cat([state.values, absent[..., None].to(state.values.dtype)], 2)
        return _pick(marked, order)

    def forward(self, inputs: Bags) -> Tokens:
        """Return the tokens of whole bags."""
        return self.finish(self.partial(inputs))

    def _read(self, features: Tensor) -> Tensor:
        factor = self.dropout.multiplier(features.new_empty(len(features), features.shape[2]))
        features = features if factor is None else features * factor[:, None]
        return torch.relu(self.project(features))


def presence(
    tokens: Tokens,
) -> tuple[Float[Tensor, "patient token value"], Float[Tensor, "patient token"]]:
    """Return what `PatchSet` read of each patch, and how much each token counts.

    Args:
        tokens: Of patients, or a background, whose absence may be a share.

    Returns:
        Tokens without their last entry, and 1 minus that entry, within 0 and 1.

    Source: own.
    """
    return tokens[..., :-1], (1 - tokens[..., -1]).clamp(0, 1)


def present_mean(
    tokens: Tokens, present: Float[Tensor, "patient token"]
) -> Float[Tensor, "patient width"]:
    """Return the mean of the tokens that are there; 0 where none is.

    Args:
        tokens: Of patients.
        present: How much each counts, from 0 to 1.

    Source: own.
    """
    total = (tokens * present[..., None]).sum(1)
    return total / present.sum(1, keepdim=True).clamp(min=1)


def _numbers(features: Float[Tensor, "patient patch feature"]) -> Int64[Tensor, "patient patch"]:
    """Return a non-negative hash of each patch's features, the same on every machine."""
    whole = torch.int64 if features.element_size() == 8 else torch.int32
    bits, width = features.contiguous().view(whole), features.shape[2]
    factors = mixed(torch.arange(1, width + 1, device=features.device).mul_(GOLDEN)).bitwise_or_(1)
    total = torch.zeros(features.shape[:2], dtype=torch.int64, device=features.device)
    for start in range(0, width, BLOCK):
        some = slice(start, start + BLOCK)
        total += (bits[..., some].long() * factors[some]).sum(2)
    return mixed(total).bitwise_and_(LAST - 1)


def _pick(values: Tensor, places: Int64[Tensor, "patient token"]) -> Tensor:
    index = places if values.dim() == 2 else places[..., None].expand(-1, -1, values.shape[2])
    return values.gather(1, index)
