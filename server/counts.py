"""Counts of patients as a result tells them, of a site or of all sites together."""

from collections.abc import Sequence
from typing import Any

from fusion.modalities import lacks
from fusion.sections import DataConfig
from server.members import SPLITS, Census, Member


def counts_of(counted: Member | Census, data: DataConfig) -> dict[str, Any]:
    """Return `patients`, `missing`, and `events`, or `classes` and `unlabelled`.

    Args:
        counted: A site or all of them.
        data: What the model reads, and so what a patient can lack.

    Returns:
        Patients and events by split, None where a site tells its counts inside a sum only.

    Source: own.
    """
    if not counted.patients:
        return {"patients": None, "events": None, "missing": {}}
    missing = dict(zip(lacks(data), counted.missing, strict=True))
    told = {"patients": _by_split(counted.patients), "missing": missing}
    if counted.labels is None:
        return told | {"events": _by_split(counted.events)}
    classes = {name: _by_split(numbers) for name, numbers in counted.labels.items()}
    return told | {"classes": classes, "unlabelled": counted.unlabelled}


def totals(members: Sequence[Member], census: Census, data: DataConfig) -> dict[str, Any]:
    """Return the counts of all sites together as `totals`, where no site told its own.

    Source: own.
    """
    told = all(member.patients for member in members)
    return {} if told else {"totals": counts_of(census, data)}


def _by_split(numbers: Sequence[int]) -> dict[str, int]:
    return {"total": sum(numbers), **dict(zip(SPLITS, numbers, strict=True))}
