"""The sites of a run, as they described themselves."""

import hashlib
import json
from dataclasses import asdict, dataclass

import numpy as np

from privacy.disclosure import OPEN, Disclosure
from server.inbox import Answer

SPLITS = ("train", "validation", "test")


@dataclass(frozen=True, eq=False)
class Member:
    """One site as it described itself.

    Attributes:
        name: The site's name.
        role: `train` or `evaluate-only`.
        patients: In train, validation and test, as the site tells them: with a policy rounded.
        events: Likewise.
        missing: Patients who lack something, in the order of `fusion.modalities.lacks`.
        outcomes: Training patients by time bin and event, as `OutcomeCounts`.
        facts: Encoder, widths, tables and names.

    Source: own.
    """

    name: str
    role: str
    patients: tuple[int, ...]
    events: tuple[int, ...]
    missing: tuple[int, ...]
    outcomes: np.ndarray
    facts: dict

    @property
    def trains(self) -> bool:
        """Whether the site has patients to train on; a lone one would show through every sum."""
        return self.role == "train" and self.patients[0] > 1

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the folder's hash, role and counts: another if its data or splits changed."""
        counts = (self.patients, self.events)
        told = json.dumps([self.facts["data-hash"], self.role, *counts])
        return hashlib.sha256(told.encode()).hexdigest()

    @property
    def disclosure(self) -> dict[str, int] | None:
        """What the site shows of itself alone, as a result tells it; None = it has no rules."""
        rules = Disclosure.read(self.facts)
        return None if rules == OPEN else asdict(rules)

    @property
    def counted(self) -> bool:
        """Whether it told true numbers; in a private run a policy may keep them."""
        return "counts" in self.facts.get("exact-releases", ["counts"])


def read_member(answer: Answer) -> Member:
    """Return the site that an answer to the opening question describes.

    Source: own.
    """
    return Member(
        name=answer.site,
        role=answer.facts["role"],
        patients=tuple(int(n) for n in answer.sums["patients"]),
        events=tuple(int(n) for n in answer.sums["events"]),
        missing=tuple(int(n) for n in answer.sums["missing"]),
        outcomes=answer.sums["outcome-histogram"],
        facts=dict(answer.facts),
    )
