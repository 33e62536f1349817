"""Shared public grids of time and risk, so that sites count alike."""

from dataclasses import dataclass
from functools import cached_property
from statistics import NormalDist

import numpy as np
from jaxtyping import Float, Int

from fusion.survival.estimate import Values


@dataclass(frozen=True)
class TimeGrid:
    """Equal time bins [k step, (k + 1) step); the last one is open.

    Attributes:
        step: Width of a bin in days, > 0.
        count: Number of bins, >= 2.

    Source: own.
    """

    step: float
    count: int

    @cached_property
    def edges(self) -> Float[np.ndarray, " edge"]:
        """The `count` + 1 edges in days, from 0; the last is nominal, as the last bin is open.

        Source: own.
        """
        return self.step * np.arange(self.count + 1, dtype=np.float64)

    @property
    def exact(self) -> bool:
        """Whether a bin is a day or less: then times in it are equal, else merely close.

        Source: own.
        """
        return self.step <= 1.0

    @cached_property
    def middles(self) -> Float[np.ndarray, " bin"]:
        """The middle of each bin in days; of the open bin, half a step from its start.

        Source: own.
        """
        return (self.edges[:-1] + self.edges[1:]) / 2.0

    def index(self, time: Values) -> Int[np.ndarray, " patient"]:
        """Return the bin that each time falls into.

        Args:
            time: Follow-up in days, >= 0.

        Returns:
            Bin numbers from 0 to `count` - 1.

        Source: own.
        """
        return np.searchsorted(self.edges[1:-1], time, side="right")


@dataclass(frozen=True)
class RiskGrid:
    """Risk bins of equal probability under N(centre, scale^2), open at both ends.

    Attributes:
        centre: Mean risk, from mergeable sums.
        scale: Standard deviation of risk; 0 (all risks alike) is taken as 1.
        count: Number of bins, >= 2.

    Source: own.
    """

    centre: float
    scale: float
    count: int

    def index(self, risk: Values) -> Int[np.ndarray, " patient"]:
        """Return the bin that each risk falls into; higher risk, higher bin.

        Args:
            risk: Any ranking score, higher = earlier event.

        Returns:
            Bin numbers from 0 to `count` - 1.

        Source: own.
        """
        return np.searchsorted(self._edges, risk, side="right")

    @cached_property
    def representatives(self) -> Float[np.ndarray, " bin"]:
        """The risk in the middle (by probability) of each bin.

        Source: own.
        """
        return self._quantiles((np.arange(self.count) + 0.5) / self.count)

    @cached_property
    def _edges(self) -> Float[np.ndarray, " edge"]:
        """The `count` - 1 inner edges."""
        return self._quantiles(np.arange(1, self.count) / self.count)

    def _quantiles(self, shares: Float[np.ndarray, " share"]) -> Float[np.ndarray, " share"]:
        normal, scale = NormalDist(), self.scale if self.scale > 0 else 1.0
        return np.array([self.centre + scale * normal.inv_cdf(share) for share in shares])
