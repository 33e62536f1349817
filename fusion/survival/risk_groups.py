"""Groups of patients by risk: which bins make a group, and what a group's survival is."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Int, Shaped

from fusion.survival.curves import Curve


@dataclass(frozen=True)
class RiskGroup:
    """Patients of neighbouring risk bins, and their survival.

    Attributes:
        name: Such as "higher risk".
        bins: Their risk bins.
        patients: Their number.
        events: Their events.
        curve: Kaplan-Meier at the grid's edges, up to the start of the open bin.

    Source: own.
    """

    name: str
    bins: Int[np.ndarray, " bin"]
    patients: int
    events: int
    curve: Curve

    def as_dict(self) -> dict[str, Any]:
        """Return name, patients, events and the curve's lists, ready for JSON.

        Source: own.
        """
        known = {"name": self.name, "patients": self.patients, "events": self.events}
        return known | self.curve.as_dict()


def parts_of(by_risk: Shaped[np.ndarray, " bin"], number: int) -> list[Int[np.ndarray, " _"]]:
    """Return runs of risk bins that hold about equally many patients, none empty.

    Args:
        by_risk: Patients of each bin, >= 0.
        number: Runs wanted.

    Source: own.
    """
    reached = np.concatenate([[0], np.cumsum(by_risk)])
    wanted = reached[-1] * np.arange(1, number) / number
    cuts = np.abs(reached[None, :] - wanted[:, None]).argmin(axis=1)
    parts = np.split(np.arange(len(by_risk)), cuts)
    return [part for part in parts if by_risk[part].sum() > 0]


def group_names(number: int) -> list[str]:
    """Return names of so many groups, from the lowest risk up.

    Source: own.
    """
    known = {0: [], 1: ["all patients"], 2: ["lower risk", "higher risk"]}
    return known.get(number) or [f"risk group {k + 1} of {number}" for k in range(number)]
