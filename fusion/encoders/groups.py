"""From an omics vector to one token a group of genes."""

from collections.abc import Iterable, Sequence
from itertools import pairwise

import torch
from jaxtyping import Float
from torch import Tensor, nn

from fusion.encoders.base import AbstractEncoder
from fusion.encoders.dropout import PatientAlphaDropout, PatientDropout
from fusion.types import Tokens


class GroupEncoder(AbstractEncoder):
    """Layers of ELU(linear) with alpha dropout over the genes of each group, one token a group.

    Weights start as N(0, 1 / inputs), constants at 0. A gene may be in several groups; one in none
    is not read.

    Args:
        groups: For each token, where its genes stand in the vector.
        layers: Widths of the layers before the last.
        width: Width of the last layer, and of a token.
        input_dropout: Probability that an entry of the vector is dropped in training.
        dropout: Probability that a unit is dropped in training.
        last: True = tokens pass ReLU at the end.

    Source: Klambauer et al., Self-normalizing neural networks, NeurIPS 2017; a network a group as
        in Chen et al., ICCV 2021.
    """

    def __init__(
        self,
        groups: Iterable[Sequence[int]],
        *,
        layers: tuple[int, ...],
        width: int,
        input_dropout: float,
        dropout: float,
        last: bool = False,
    ) -> None:
        places = [torch.tensor(list(group), dtype=torch.int64) for group in groups]
        super().__init__(len(places), width)
        self.dropout = PatientDropout(input_dropout)
        self.last = nn.ReLU() if last else nn.Identity()
        self.networks = nn.ModuleList(
            _network((len(own), *layers, width), dropout) for own in places
        )
        for number, own in enumerate(places):
            self.register_buffer(f"places_{number}", own, persistent=False)

    def forward(self, inputs: Float[Tensor, "patient feature"]) -> Tokens:
        """Return one token a group."""
        kept = self.dropout(inputs)
        places = [self.get_buffer(f"places_{number}") for number in range(self.tokens)]
        pairs = zip(self.networks, places, strict=True)
        return self.last(torch.stack([network(kept[:, own]) for network, own in pairs], 1))


def _network(sizes: Sequence[int], dropout: float) -> nn.Sequential:
    layers: list[nn.Module] = []
    for size, width in pairwise(sizes):
        linear = nn.Linear(size, width)
        nn.init.normal_(linear.weight, std=size**-0.5)
        nn.init.zeros_(linear.bias)
        layers += [linear, nn.ELU(), PatientAlphaDropout(dropout)]
    return nn.Sequential(*layers)
