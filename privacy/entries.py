"""Lines of a ledger: what is charged, and what was written."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from privacy.events import PrivacyEvent


@dataclass(frozen=True)
class Limit:
    """What the site's policy allows; no message can change it.

    Attributes:
        max_epsilon: Most that a patient may have spent, ever.
        delta: At which epsilon is counted.
        run_steps: Most noisy steps of one run; None = no limit but epsilon.
        run_epsilon: Most that one run may spend, releases included; None = no limit of its own.

    Source: own.
    """

    max_epsilon: float
    delta: float
    run_steps: int | None = None
    run_epsilon: float | None = None


@dataclass(frozen=True)
class Charge:
    """What is about to be done to the site's patients.

    Attributes:
        run: Name of the run.
        round: Its round; -1 outside of rounds.
        model: Hash of the incoming model.
        cohort: Hash of the site's cohort.
        clip: Most that one patient moves the sum before noise.
        events: What is done.
        release: Name of the noised sum that leaves; empty = training.

    Source: own.
    """

    run: str
    round: int
    model: str
    cohort: str
    clip: float
    events: tuple[PrivacyEvent, ...]
    release: str = ""

    @property
    def what(self) -> str:
        """What is charged, for messages."""
        return f"release '{self.release}'" if self.release else f"round {self.round}"

    def to_fields(self) -> dict[str, Any]:
        """Return the charge as plain values."""
        plain = ("run", "round", "model", "cohort", "clip", "release")
        events = {"events": [event.to_fields() for event in self.events]}
        return {name: getattr(self, name) for name in plain} | events


@dataclass(frozen=True)
class Entry:
    """One line of the ledger.

    Attributes:
        number: From 1.
        kind: `charge`, `refusal` (costs nothing) or `cohort` (a person accepted a new cohort).
        time: Seconds since 1970.
        body: Everything that was written.

    Source: own.
    """

    number: int
    kind: str
    time: float
    body: Mapping[str, Any]

    @staticmethod
    def read(number: int, text: str) -> "Entry":
        """Return the entry that a row's text holds."""
        body = json.loads(text)
        return Entry(number, body["kind"], body["time"], body)

    @property
    def events(self) -> tuple[PrivacyEvent, ...]:
        """What was charged; nothing for a refusal."""
        if self.kind != "charge":
            return ()
        return tuple(PrivacyEvent(**fields) for fields in self.body["events"])

    @property
    def steps(self) -> int:
        """Noisy steps of training that were charged; none for a release."""
        if self.body.get("release"):
            return 0
        return sum(event.count for event in self.events)


def chained(before: str, text: str) -> str:
    """Return the hash of a row: of its text and of the hash before it.

    Source: own.
    """
    return hashlib.sha256(f"{before}\n{text}".encode()).hexdigest()
