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
        patients: In train, validation and test, as the site tells them: with a policy rounded;
            empty, like the others, where counts are told in a sum over all sites only.
        events: Likewise; none in a run that predicts classes.
        missing: Patients who lack something, in the order of `fusion.modalities.lacks`.
        outcomes: Training patients by time bin and event, as `OutcomeCounts`; empty in a run that
            predicts classes.
        noise: Standard deviation of the noise on each cell of `outcomes`; 0 = exact.
        facts: Encoder, widths, tables and names.
        labels: Patients of each class in train, validation and test; None in a run of survival.
        unlabelled: Patients without the label; they take no part.

    Source: own.
    """

    name: str
    role: str
    patients: tuple[int, ...]
    events: tuple[int, ...]
    missing: tuple[int, ...]
    outcomes: np.ndarray
    facts: dict
    noise: float = 0.0
    labels: Mapping[str, tuple[int, ...]] | None = None
    unlabelled: int = 0

    @property
    def trains(self) -> bool:
        """Whether the site has patients to train on; a lone one would show through every sum."""
        told = self.patients[0] > 1 if self.patients else bool(self.facts.get("trains", False))
        return self.role == "train" and told

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the folder's hash, role and counts: another if its data or splits changed.

        Counts with noise are left out: they differ each time.
        """
        counts: tuple = ((), ()) if self.noise else (self.patients, self.events)
        counts += () if self.labels is None else (self.labels,)
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
        told = "counts" in self.facts.get("exact-releases", ["counts"])
        return told and bool(self.patients)


@dataclass(frozen=True, eq=False)
class Census:
    """Counts of patients, of one site or of several, as in `Member`.

    Source: own.
    """

    patients: tuple[int, ...]
    events: tuple[int, ...]
    missing: tuple[int, ...]
    outcomes: np.ndarray
    noise: float = 0.0
    labels: Mapping[str, tuple[int, ...]] | None = None
    unlabelled: int = 0


NONE = np.zeros(0)
"""Outcomes of a site that tells none."""

NOBODY = Census((), (), (), NONE)
"""Counts of a site that tells none of itself."""


def read_member(answer: Answer, bins: int | None = None, labelled: bool | None = None) -> Member:
    """Return the site that an answer to the opening question describes.

    Args:
        answer: The site's.
        bins: Time bins of the run; None = as many as it sent.
        labelled: Whether the run predicts classes; None = as it sent.

    Raises:
        FederationError: A count or a fact is not what the question asks for.
        PrivacyError: The rules of what it shows cannot be read.

    Source: own.
    """
    facts = answer.facts
    _check_facts(facts)
    if labelled not in (None, "labels" in answer.sums):
        raise _wrong("A description", "be for what the run predicts", ", ".join(answer.sums))
    told = NOBODY if "trains" in facts else read_census(answer, bins)
    return Member(name=answer.site, role=facts["role"], facts=dict(facts), **vars(told))


def read_census(answer: Answer, bins: int | None = None) -> Census:
    """Return the counts in an answer, of one site or of all.

    Args:
        answer: A site's, or a sum of sites'.
        bins: As in `read_member`.

    Raises:
        FederationError: One is not what the question asks for.

    Source: own.
    """
    sums = answer.sums
    labelled = "labels" in sums
    outcomes = NONE if labelled else _outcomes(sums["outcome-histogram"], bins)
    return Census(
        patients=_counts(answer, "patients", len(SPLITS)),
        events=() if labelled else _counts(answer, "events", len(SPLITS)),
        missing=_counts(answer, "missing", None),
        outcomes=outcomes,
        noise=0.0 if labelled else answer.noise("outcome-histogram"),
        labels=_labels(answer) if labelled else None,
        unlabelled=_counts(answer, "unlabelled", 1)[0] if labelled else 0,
    )


def read_members(
    answers: Sequence[Answer], bins: int | None = None, labelled: bool | None = None
) -> tuple[list[Member], list[Failure]]:
    """Return the sites that described themselves soundly, and the others with the reason.

    Source: own.
    """
    members, refused = list[Member](), list[Failure]()
    for answer in answers:
        try:
            members.append(read_member(answer, bins, labelled))
        except KeyError as error:
            refused.append(Failure(answer.site, f"its description lacks {error}"))
        except (FederationError, PrivacyError) as error:
            refused.append(Failure(answer.site, f"description refused: {error}"))
    return members, refused


def add_up(members: Sequence[Member]) -> Census:
    """Return the counts of sites that told theirs.

    Source: own.
    """
    patients, events, missing = (
        tuple(map(sum, zip(*(getattr(one, name) for one in members), strict=True)))
        for name in ("patients", "events", "missing")
    )
    outcomes = np.sum([one.outcomes for one in members], axis=0)
    noise = float(np.linalg.norm([one.noise for one in members]))
    return Census(patients, events, missing, outcomes, noise)


def _outcomes(told: np.ndarray, bins: int | None) -> np.ndarray:
    if told.ndim != 3 or told.shape[0] != (len(told) if bins is None else bins + 1):
        raise _wrong("Outcomes", f"fit {bins} time bins", f"shape {told.shape}")
    if told.shape[1:] != (2, 2) or not np.isfinite(told).all():
        raise _wrong("Outcomes", "be counts by time, event and risk", f"shape {told.shape}")
    return told


def _labels(answer: Answer) -> dict[str, tuple[int, ...]]:
    """Return patients of each class in each split."""
    names, told = answer.facts["classes"], answer.sums["labels"]
    sound = isinstance(names, list) and all(isinstance(name, str) for name in names)
    if not sound or told.shape != (len(names), len(SPLITS)) or len(set(names)) < len(names):
        raise _wrong("Labels", "be counts by class and split", f"shape {told.shape}")
    if not (np.isfinite(told) & (told >= 0) & (told < LARGEST_COHORT)).all():
        raise _wrong("Labels", "be numbers >= 0", f"{told.reshape(-1)[:3].tolist()}")
    return {name: tuple(map(int, row)) for name, row in zip(names, told.tolist(), strict=True)}


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
