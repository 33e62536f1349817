"""From an omics vector to a few tokens a patient."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from fusion.encoders.base import AbstractEncoder
from fusion.encoders.dropout import PatientAlphaDropout, PatientDropout
from fusion.types import Tokens


class RawVector(AbstractEncoder):
    """The vector itself as the one token: nothing learned.

    Args:
        width_in: Length of the vector.
        dropout: Probability that an entry is dropped in training.

    Source: own.
    """

    def __init__(self, width_in: int, *, dropout: float) -> None:
        super().__init__(1, width_in)
        self.dropout = PatientDropout(dropout)

    def forward(self, inputs: Float[Tensor, "patient feature"]) -> Tokens:
        """Return the vector as one token."""
        return self.dropout(inputs)[:, None]


class VectorEncoder(AbstractEncoder):
    """ReLU(linear) of the vector, split into tokens.

    Args:
        width_in: Length of the vector.
        tokens: Tokens a patient.
        width: Width of a token.
        dropout: Probability that an entry is dropped in training.

    Source: own.
    """

    def __init__(self, width_in: int, *, tokens: int, width: int, dropout: float) -> None:
        super().__init__(tokens, width)
        self.dropout = PatientDropout(dropout)
        self.project = nn.Linear(width_in, tokens * width)

    def forward(self, inputs: Float[Tensor, "patient feature"]) -> Tokens:
        """Return the tokens of each patient."""
        projected = torch.relu(self.project(self.dropout(inputs)))
        return projected.unflatten(1, (self.tokens, self.width))


class SelfNormalisingEncoder(AbstractEncoder):
    """Two layers of SELU(linear) with alpha dropout, whose units keep mean 0 and variance 1.

    Weights start as N(0, 1 / inputs), constants at 0, which SELU needs.

    Args:
        width_in: Length of the vector, standardised.
        width: Width of both layers, and of the one token.
        input_dropout: Probability that an entry is dropped in training.
        dropout: Probability that a unit is dropped in training.

    Source: Klambauer et al., Self-normalizing neural networks, NeurIPS 2017.
    """

    def __init__(self, width_in: int, *, width: int, input_dropout: float, dropout: float) -> None:
        super().__init__(1, width)
        layers: list[nn.Module] = [PatientAlphaDropout(input_dropout)]
        for size in (width_in, width):
            linear = nn.Linear(size, width)
            nn.init.normal_(linear.weight, std=size**-0.5)
            nn.init.zeros_(linear.bias)
            layers += [linear, nn.SELU(), PatientAlphaDropout(dropout)]
        self.layers = nn.Sequential(*layers)

    def forward(self, inputs: Float[Tensor, "patient feature"]) -> Tokens:
        """Return the last layer as one token."""
        return self.layers(inputs)[:, None]
