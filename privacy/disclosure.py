"""Below how many patients a site shows no figure of its own, and how it rounds counts."""

from collections.abc import Mapping, Sequence
from dataclasses import astuple, dataclass
from typing import Any

import numpy as np
from jaxtyping import Integer

from privacy.errors import PrivacyError

RULES = "disclosure"
"""Fact in which a site tells its rules."""

SUPPRESSED = "suppressed"
"""Fact that names the figures of its own which a site keeps back."""

FIGURES, AUDIT, TRAIN_LOSS = "figures", "audit", "train-loss"
"""What a site can keep back: figures of a split, of the audit's patients, and the training loss."""


@dataclass(frozen=True)
class Disclosure:
    """What a site shows of itself alone; inside a sum over sites small numbers count.

    Attributes:
        minimum_patients: Fewest patients that a figure of this site alone is over.
        minimum_events: Fewest events.
        minimum_cell: Fewest patients that a count of this site tells, and that a bin of its risk
            sets holds: other sites can be handed these.
        round_counts_to: Counts are told as multiples of this.

    Raises:
        PrivacyError: A number is negative, or counts are rounded to nothing.

    Source: own.
    """

    minimum_patients: int = 0
    minimum_events: int = 0
    minimum_cell: int = 1
    round_counts_to: int = 1

    def __post_init__(self) -> None:
        values = astuple(self)
        if min(values) < 0 or 0 in values[2:]:
            raise _wrong(values)

    @staticmethod
    def read(facts: Mapping[str, Any]) -> "Disclosure":
        """Return the rules among a site's facts; those of a site without a policy hide nothing.

        Raises:
            PrivacyError: They cannot be read.
        """
        told = facts.get(RULES)
        if told is None:
            return OPEN
        whole = isinstance(told, list) and all(type(number) is int for number in told)
        if not whole or len(told) != len(astuple(OPEN)):
            raise _wrong(told)
        return Disclosure(*told)

    def to_facts(self) -> dict[str, Sequence[int]]:
        """Return the rules as a fact; nothing for rules that hide nothing."""
        return {} if self == OPEN else {RULES: list(astuple(self))}

    def hides(self, patients: int, events: int) -> bool:
        """Return whether a figure of this site alone is over too few; over nobody is no figure."""
        few = patients < self.minimum_patients or events < self.minimum_events
        return patients > 0 and few

    def told(self, count: int) -> int:
        """Return a count as it is told: rounded, but nobody stays nobody and others somebody."""
        if not count:
            return 0
        unit = self.round_counts_to
        return max(unit * ((count + unit // 2) // unit), unit, self.minimum_cell)

    def told_counts(self, counts: Integer[np.ndarray, "..."]) -> Integer[np.ndarray, "..."]:
        """Return counts as they are told."""
        told = [self.told(int(count)) for count in counts.flat]
        return np.array(told, dtype=counts.dtype).reshape(counts.shape)

    @property
    def reason(self) -> str:
        """Why a figure is not shown, in words."""
        return (
            f"suppressed: by the site's policy no figure of it alone is over fewer than "
            f"{self.minimum_patients} patients or {self.minimum_events} events"
        )


OPEN = Disclosure()
"""Rules that hide nothing: those of a site without a policy."""


def _wrong(told: object) -> PrivacyError:
    return PrivacyError(
        "Rules of disclosure must be four whole numbers >= 0, cell and rounding from 1 on, got "
        f"{str(told)[:40]}. Run the same version everywhere."
    )
