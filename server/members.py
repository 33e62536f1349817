"""The sites of a run, as they described themselves."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from fusion.errors import FederationError
from privacy.disclosure import OPEN, Disclosure
from privacy.errors import PrivacyError
from server.inbox import Answer, Failure

SPLITS = ("train", "validation", "test")

ROLES = ("train", "evaluate-only")

LARGEST_COHORT = 10**9
LARGEST_WIDTH = 10**6
"""Beyond these a site's numbers are nonsense."""


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


def read_member(answer: Answer, bins: int | None = None) -> Member:
    """Return the site that an answer to the opening question describes.

    Args:
        answer: The site's.
        bins: Time bins of the run; None = as many as it sent.

    Raises:
        FederationError: A count or a fact is not what the question asks for.
        PrivacyError: The rules of what it shows cannot be read.

    Source: own.
    """
    facts, outcomes = answer.facts, answer.sums["outcome-histogram"]
    _check_facts(facts)
    if outcomes.ndim != 3 or outcomes.shape[0] != (len(outcomes) if bins is None else bins + 1):
        raise _wrong("Outcomes", f"fit {bins} time bins", f"shape {outcomes.shape}")
    if outcomes.shape[1:] != (2, 2) or not np.isfinite(outcomes).all():
        raise _wrong("Outcomes", "be counts by time, event and risk", f"shape {outcomes.shape}")
    return Member(
        name=answer.site,
        role=facts["role"],
        patients=_counts(answer, "patients", len(SPLITS)),
        events=_counts(answer, "events", len(SPLITS)),
        missing=_counts(answer, "missing", None),
        outcomes=outcomes,
        facts=dict(facts),
    )


def read_members(
    answers: Sequence[Answer], bins: int | None = None
) -> tuple[list[Member], list[Failure]]:
    """Return the sites that described themselves soundly, and the others with the reason.

    Source: own.
    """
    members, refused = list[Member](), list[Failure]()
    for answer in answers:
        try:
            members.append(read_member(answer, bins))
        except KeyError as error:
            refused.append(Failure(answer.site, f"its description lacks {error}"))
        except (FederationError, PrivacyError) as error:
            refused.append(Failure(answer.site, f"description refused: {error}"))
    return members, refused


def _counts(answer: Answer, name: str, number: int | None) -> tuple[int, ...]:
    told = answer.sums[name]
    sound = told.ndim == 1 and len(told) == (len(told) if number is None else number)
    if not sound or not (np.isfinite(told) & (told >= 0) & (told < LARGEST_COHORT)).all():
        raise _wrong(f"Counts of {name}", "be numbers >= 0", f"{told.reshape(-1)[:3].tolist()}")
    return tuple(int(count) for count in told)


def _check_facts(facts: Mapping[str, Any]) -> None:
    Disclosure.read(facts)
    if facts["role"] not in ROLES:
        raise _wrong("A role", f"be one of {', '.join(ROLES)}", str(facts["role"]))
    width = facts["feature-width"]
    if type(width) is not int or not 0 <= width <= LARGEST_WIDTH:
        raise _wrong("A feature width", f"be a whole number up to {LARGEST_WIDTH}", str(width))
    for name in ("encoder", "data-hash"):
        if not isinstance(facts[name], str):
            raise _wrong(f"The fact {name}", "be a text", str(facts[name]))
    for name in ("tables", *(key for key in facts if key.startswith("features:"))):
        if not isinstance(facts[name], list) or not all(isinstance(x, str) for x in facts[name]):
            raise _wrong(f"The fact {name}", "be a list of texts", str(facts[name]))


def _wrong(what: str, rule: str, got: str) -> FederationError:
    return FederationError(f"{what} must {rule}, got {got[:100]}")
