"""Number, sum and sum of squares of risks: the shared risk grid is laid from them."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from fusion.survival.estimate import Values, require_finite


@dataclass(frozen=True)
class MomentSums:
    """Number, sum and sum of squares of risks; sites' sums add up.

    Attributes:
        count: Patients.
        total: Sum of their risks.
        square: Sum of their squared risks.

    Source: own.
    """

    count: float
    total: float
    square: float

    def __add__(self, other: "MomentSums") -> "MomentSums":
        return MomentSums(
            self.count + other.count, self.total + other.total, self.square + other.square
        )

    @property
    def centre(self) -> float:
        """Mean risk; 0 without patients.

        Source: own.
        """
        return self.total / self.count if self.count > 0 else 0.0

    @property
    def scale(self) -> float:
        """Standard deviation of risk; 0 without patients or when all risks are alike.

        Source: own.
        """
        if self.count <= 0:
            return 0.0
        variance = self.square / self.count - self.centre**2
        noise = 1e-12 * self.square / self.count
        return float(np.sqrt(variance)) if variance > noise else 0.0

    def to_array(self) -> Float[np.ndarray, "3"]:
        """Return count, total and square.

        Source: own.
        """
        return np.array([self.count, self.total, self.square], dtype=np.float64)

    @classmethod
    def from_array(cls, array: Float[np.ndarray, "3"]) -> "MomentSums":
        """Return the sums that `to_array` laid out.

        Raises:
            FederationError: An entry is not finite.

        Source: own.
        """
        require_finite("Risk moments", array)
        return cls(float(array[0]), float(array[1]), float(array[2]))


def moments(risk: Values) -> MomentSums:
    """Return the moment sums of some patients' risks.

    Raises:
        FederationError: A risk is not finite.

    Privacy: Over one patient it is that patient's risk.

    Source: own.
    """
    require_finite("Risk", risk)
    exact = risk.astype(np.float64)
    return MomentSums(float(len(exact)), float(exact.sum()), float(exact @ exact))
