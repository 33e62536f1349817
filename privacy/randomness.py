"""Random numbers that nobody can repeat: from the operating system's own generator."""

import math
import os
from typing import Protocol, runtime_checkable

import numpy as np
import torch
from jaxtyping import Float64


@runtime_checkable
class Randomness(Protocol):
    """Where noise and samples of a private step come from.

    Source: own.
    """

    def uniform(self, number: int) -> Float64[np.ndarray, " number"]:
        """Return independent numbers, uniform in [0, 1)."""

    def normal(self, number: int) -> Float64[np.ndarray, " number"]:
        """Return independent standard normal numbers."""


class SystemRandomness:
    """Every number is made of bytes of the operating system's cryptographic generator.

    Not of a generator that is merely seeded by it: who sees many outputs of a Mersenne twister
    can compute the others. Limit: noise is a floating point number, so its lowest bits are not
    those of a real normal variable (Mironov 2012); with sums of float64, rounded to float32 after
    the noise, no attack on training is known.

    Source: own; normal numbers by Box and Muller 1958.
    """

    def uniform(self, number: int) -> Float64[np.ndarray, " number"]:
        """Return multiples of 2^-53 in [0, 1)."""
        drawn = np.frombuffer(os.urandom(8 * number), dtype=np.uint64)
        return (drawn >> np.uint64(11)).astype(np.float64) * 2.0**-53

    def normal(self, number: int) -> Float64[np.ndarray, " number"]:
        """Return standard normal numbers, at most 8.6 from 0 (beyond: 1 in 10^17)."""
        half = -(-number // 2)
        first, second = torch.from_numpy(self.uniform(2 * half)).view(2, half)
        radius, angle = (-2.0 * torch.log1p(-first)).sqrt(), 2.0 * math.pi * second
        return torch.cat([radius * angle.cos(), radius * angle.sin()])[:number].numpy()
