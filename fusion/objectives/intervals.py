"""Shared time intervals from mergeable counts, and a first baseline from the same counts."""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int64
from torch import Tensor

from fusion.errors import ConfigError
from fusion.types import Times


@dataclass(frozen=True)
class Intervals:
    """Time cut into intervals [edge_k, edge_{k+1}); the last one is open.

    Attributes:
        edges: Days, from 0, increasing; the last one closes survival curves.

    Source: own.
    """

    edges: tuple[float, ...]

    def __post_init__(self) -> None:
        if len(self.edges) < 2 or any(
            a >= b for a, b in zip(self.edges, self.edges[1:], strict=False)
        ):
            raise ConfigError(
                f"Interval edges must increase and be two or more, got {self.edges}. "
                "Lower objective.intervals or mend objective.cuts."
            )

    def __len__(self) -> int:
        return len(self.edges) - 1

    def index(self, time: Times) -> Int64[Tensor, " patient"]:
        """Return the interval of each time in days; the last one takes all later times."""
        inner = torch.tensor(self.edges[1:-1], dtype=time.dtype, device=time.device)
        return (time[:, None] >= inner).sum(1)

    def exposure(self, time: Times) -> Float[Tensor, "patient interval"]:
        """Return the years each patient spent under observation in each interval."""
        start = torch.tensor(self.edges[:-1], dtype=time.dtype, device=time.device)
        width = torch.diff(torch.tensor(self.edges, dtype=time.dtype, device=time.device))
        width[-1] = torch.inf
        days = torch.minimum((time[:, None] - start).clamp(min=0), width)
        return days / 365.25


def choose_intervals(
    events: Float[np.ndarray, " bin"],
    *,
    edges: Float[np.ndarray, " edge"],
    number: int,
    cuts: tuple[float, ...] = (),
) -> Intervals:
    """Return intervals that hold about equally many events of the federation.

    Args:
        events: Events a time bin, summed over the sites' training patients.
        edges: Edges of the time bins in days, one more than bins.
        number: Intervals wanted; fewer come when events are few.
        cuts: Inner edges in days that were agreed in advance; then nothing is estimated.

    Returns:
        Intervals from 0 to the last edge.

    Privacy: reads only summed counts on a public grid.

    Source: own (quantiles of a histogram).
    """
    end = float(edges[-1])
    if cuts:
        return Intervals((0.0, *cuts, max(end, cuts[-1] + 1.0)))
    reached = np.cumsum(events) / max(float(events.sum()), 1.0)
    wanted = np.arange(1, number) / number
    places = np.searchsorted(reached, wanted - 1e-12) if events.sum() else np.zeros(0, int)
    inner = np.unique(edges[1:][places])
    return Intervals((0.0, *(float(edge) for edge in inner if edge < end), end))


def baseline_hazards(
    intervals: Intervals,
    *,
    events: Float[np.ndarray, " bin"],
    censored: Float[np.ndarray, " bin"],
    edges: Float[np.ndarray, " edge"],
) -> Float[np.ndarray, " interval"]:
    """Return events a patient-year in each interval, of everybody together.

    Args:
        intervals: The intervals.
        events: Events a time bin.
        censored: Censored patients a time bin.
        edges: Edges of the time bins in days.

    Returns:
        Rates a year; half an event is added everywhere, so none is 0.

    Privacy: reads only summed counts on a public grid.

    Source: own (occurrence/exposure rates; those who leave count from the middle of their bin).
    """
    middle = torch.tensor((edges[:-1] + edges[1:]) / 2)
    exposure = intervals.exposure(middle).numpy().T @ (events + censored)
    deaths = np.bincount(intervals.index(middle).numpy(), weights=events, minlength=len(intervals))
    return (deaths + 0.5) / (exposure + 0.5)
