"""What one patient's gradient says of the patient: the input of a linear layer, read off it."""

import math
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64

EXACT = 1e-3
"""Greatest relative error of a number that counts as revealed."""


@dataclass(frozen=True)
class Leak:
    """A vector read off a gradient, beside the true one.

    Attributes:
        cosine: Of the angle between them; 1 = the same direction.
        revealed: Share of the true vector's numbers that are right to a thousandth of its size.
        chance: |cosine| that a random direction exceeds in one case of twenty.

    Source: own.
    """

    cosine: float
    revealed: float
    chance: float


def read_input(
    weight: Float64[np.ndarray, "output input"], bias: Float64[np.ndarray, " output"]
) -> Float64[np.ndarray, " input"]:
    """Return a linear layer's input, from the gradient of one patient's loss.

    dL/dW = dL/dy x^T and dL/db = dL/dy, so each row of the first over its entry of the second is
    x itself; the row of the largest entry is taken.

    Args:
        weight: Gradient of the layer's weight.
        bias: Gradient of its bias.

    Source: Phong et al., Privacy-preserving deep learning via additively homomorphic encryption,
        2018.
    """
    row = int(np.abs(bias).argmax())
    return weight[row] / bias[row] if bias[row] else np.zeros(weight.shape[1])


def compare(found: Float64[np.ndarray, " input"], true: Float64[np.ndarray, " input"]) -> Leak:
    """Return how near a vector that was read off comes to the true one.

    Source: own.
    """
    size = float(np.linalg.norm(found) * np.linalg.norm(true))
    scale = float(np.abs(true).max(initial=0.0)) or 1.0
    return Leak(
        float(found @ true) / size if size else 0.0,
        float((np.abs(found - true) <= EXACT * scale).mean()),
        min(1.0, 1.96 / math.sqrt(len(true))),
    )
