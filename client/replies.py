"""Answers to the coordinator: only what is on the list of releases, in four records."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

import numpy as np
from flwr.app import Array, ArrayRecord, ConfigRecord, Message, MetricRecord, RecordDict

from privacy.releases import check_releases

Fact: TypeAlias = str | int | bool | Sequence[str]


@dataclass(frozen=True)
class Answer:
    """What a site is about to send; every name is checked against `privacy.releases`.

    Attributes:
        facts: About the folder.
        figures: One number each, for this site alone.
        sums: Mergeable sums over patients.
        model: Weights, or none.
        control: Mean gradient, or none.

    Source: own.
    """

    facts: Mapping[str, Fact] = field(default_factory=dict)
    figures: Mapping[str, float] = field(default_factory=dict)
    sums: Mapping[str, np.ndarray] = field(default_factory=dict)
    model: Mapping[str, np.ndarray] | None = None
    control: Mapping[str, np.ndarray] | None = None


def reply(message: Message, answer: Answer) -> Message:
    """Return the answer as a Flower message.

    Args:
        message: What is answered.
        answer: What leaves the site.

    Returns:
        A message with the records `facts`, `figures`, `sums` and, where there are, `model` and
        `control`.

    Raises:
        PrivacyError: A name is not on the list of releases.

    Privacy: the only place where content leaves a site.

    Source: own.
    """
    check_releases([*answer.facts, *answer.figures, *answer.sums])
    content = RecordDict(
        {
            "facts": ConfigRecord(
                {
                    k: v if isinstance(v, (str, int, bool)) else list(v)
                    for k, v in answer.facts.items()
                }
            ),
            "figures": MetricRecord(dict(answer.figures)),
            "sums": arrays(answer.sums),
        }
    )
    for name, values in (("model", answer.model), ("control", answer.control)):
        if values is not None:
            check_releases([name])
            content[name] = arrays(values)
    return Message(content, reply_to=message)


def arrays(values: Mapping[str, np.ndarray]) -> ArrayRecord:
    """Return named arrays as Flower's record.

    Source: own.
    """
    return ArrayRecord(
        {name: Array(np.asarray(value, order="C")) for name, value in values.items()}
    )
