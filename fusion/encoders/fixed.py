"""From a vector to one short token by fixed directions: nothing is learned, nothing is read."""

import torch
from jaxtyping import Float
from torch import Tensor

from fusion.encoders.base import AbstractEncoder
from fusion.seeding import generator
from fusion.types import Tokens


class FixedVector(AbstractEncoder):
    """The vector itself, or its products with random directions if it is longer than `width`.

    The directions follow from the two lengths alone: public, and the same in every run and at
    every site. Distances between patients stay about what they were. A token longer than the
    root of its width, the length of a standardised one, is cut to that, so that nobody's
    gradient is long for an outlier alone.

    Args:
        width_in: Length of the vector, standardised.
        width: Most numbers that the token has.

    Source: own; Johnson and Lindenstrauss, Contemporary Mathematics 26, 1984.
    """

    directions: Tensor | None

    def __init__(self, width_in: int, *, width: int) -> None:
        super().__init__(1, min(width_in, width))
        drawn = None
        if width_in > width:
            normal = generator("fixed directions", width_in, width).normal(size=(width_in, width))
            drawn = torch.tensor(normal / width_in**0.5, dtype=torch.float32)
        self.register_buffer("directions", drawn, persistent=False)

    def forward(self, inputs: Float[Tensor, "patient feature"]) -> Tokens:
        """Return the vector, shortened, as one token."""
        token = inputs if self.directions is None else inputs @ self.directions
        longest = self.width**0.5
        return (token * (longest / token.norm(dim=1, keepdim=True).clamp(min=longest)))[:, None]
