"""Sums that leave with noise: what one patient may add, and how much noise hides it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from jaxtyping import Float, Int

from privacy.errors import PrivacyError
from privacy.events import Mechanism, PrivacyEvent
from privacy.randomness import Randomness, SystemRandomness


@dataclass(frozen=True)
class Noise:
    """How much noise hides a patient in a sum, as a policy writes it.

    Attributes:
        mechanism: `gaussian` or `laplace`.
        multiplier: Standard deviation (Gaussian) or scale (Laplace), in units of the sensitivity:
            the most that one patient more or less moves the whole release, in the L2 norm
            (Gaussian) or the L1 norm (Laplace).

    Raises:
        PrivacyError: The multiplier is no number > 0.

    Source: own.
    """

    mechanism: Mechanism
    multiplier: float

    def __post_init__(self) -> None:
        self.event()

    @staticmethod
    def parse(text: str) -> "Noise":
        """Return the noise of `mechanism:multiplier`, as typed by a person.

        Raises:
            PrivacyError: The text does not fit.
        """
        if text.count(":") != 1:
            raise PrivacyError(
                f"A noise must be mechanism:multiplier with gaussian or laplace, got '{text}'. "
                "Write gaussian:4; how often it is added follows from the run."
            )
        event = PrivacyEvent.parse(text)
        return Noise(event.mechanism, event.noise_multiplier)

    def event(self, count: int = 1) -> PrivacyEvent:
        """Return what so many releases with this noise cost.

        Raises:
            PrivacyError: count < 1, or the multiplier is out of its range.
        """
        return PrivacyEvent(self.mechanism, self.multiplier, count=count)

    def length(self, rows: Float[np.ndarray, "row number"]) -> Float[np.ndarray, " row"]:
        """Return each row's length in the norm that this noise hides."""
        return np.linalg.norm(rows, ord=2 if self.mechanism == "gaussian" else 1, axis=1)

    def sensitivity(self, parts: int) -> float:
        """Return the length of a vector of so many parts of length 1."""
        return parts**0.5 if self.mechanism == "gaussian" else float(parts)

    def deviation(self, parts: int) -> float:
        """Return the standard deviation of the noise on each number of parts of length 1."""
        spread = 1.0 if self.mechanism == "gaussian" else 2.0**0.5
        return self.multiplier * self.sensitivity(parts) * spread

    def draw(self, number: int, parts: int, randomness: Randomness) -> Float[np.ndarray, " number"]:
        """Return independent noise for a vector of so many parts of length 1."""
        scale = self.multiplier * self.sensitivity(parts)
        if self.mechanism == "gaussian":
            return scale * randomness.normal(number)
        # the difference of two exponential variables is a Laplace variable
        first, second = (np.log1p(-randomness.uniform(number)) for _ in range(2))
        return scale * (first - second)


@dataclass(frozen=True, eq=False)
class Vectors:
    """A vector a patient; one that is not finite counts as 0, a longer one is cut to the bound.

    Attributes:
        rows: Patient by number.
        bound: Longest a row may be, > 0; public.

    Privacy: one row a patient; only `noisy_sums` of it may leave.

    Source: own.
    """

    rows: Float[np.ndarray, "row number"]
    bound: float

    def total(self, noise: Noise) -> Float[np.ndarray, " number"]:
        """Return the sum of the cut rows.

        One patient more or less changes it by that patient's cut row, whoever the others are.
        """
        rows = self.rows[np.isfinite(self.rows).all(axis=1)]
        rows = rows.clip(-self.bound, self.bound)  # so that no length overflows
        length = noise.length(rows)
        factor = np.minimum(1.0, self.bound / np.maximum(length, self.bound))
        return (rows * factor[:, None]).sum(axis=0)


@dataclass(frozen=True, eq=False)
class Cells:
    """A histogram: each patient is in one cell.

    Attributes:
        places: The patients' cells.
        number: Cells in all; public.

    Privacy: one cell a patient; only `noisy_sums` of it may leave.

    Source: own.
    """

    places: Int[np.ndarray, " row"]
    number: int

    @property
    def bound(self) -> float:
        """One patient more or less moves one cell by 1: length 1 in both norms."""
        return 1.0

    def total(self, noise: Noise) -> Float[np.ndarray, " number"]:  # noqa: ARG002 -- no cut needed
        """Return the number of patients in each cell."""
        return np.bincount(self.places, minlength=self.number).astype(np.float64)


Contributions: TypeAlias = Vectors | Cells
"""What each patient adds to one part of a release."""


@dataclass(frozen=True, eq=False)
class NoisySum:
    """A sum over patients with noise on each number.

    Attributes:
        values: What may leave.
        deviation: Standard deviation of the noise on each number; public.

    Source: own.
    """

    values: Float[np.ndarray, " number"]
    deviation: float


def noisy_sums(
    parts: Mapping[str, Contributions], noise: Noise, randomness: Randomness | None = None
) -> dict[str, NoisySum]:
    """Return the sums of all parts of a release, hidden by ONE draw of noise.

    Each part is divided by its bound b, so that a patient's vector in it has length 1 at most.
    The parts together are one vector, of length sqrt(k) (L2, for Gaussian noise) or k (L1, for
    Laplace noise) at most: what one patient more or less moves the release by. Noise of
    multiplier x that length is added to each number, and each part is multiplied by b again. The
    cost is that of one `noise.event()`, however many parts and numbers there are. Not for a sum
    in which a patient's contribution depends on other patients (pairs, ranks, means of the site).

    Args:
        parts: Name to what each patient adds; names, bounds and sizes must be public.
        noise: Of the site's policy.
        randomness: Where noise comes from; None = the operating system's generator.

    Returns:
        A noisy sum for each part, in its own unit.

    Privacy: what is returned may leave once the ledger has been charged.

    Source: Dwork and Roth 2014, "The algorithmic foundations of differential privacy", theorems
    3.6 and A.1; one Gaussian for several sums: Dong, Roth and Su 2022.
    """
    source, found = randomness or SystemRandomness(), {}
    for name, part in parts.items():
        total = part.total(noise)
        drawn = noise.draw(len(total), len(parts), source)
        values = part.bound * (total / part.bound + drawn)
        found[name] = NoisySum(values, part.bound * noise.deviation(len(parts)))
    return found
