"""Answers to the coordinator: only what is on the list of releases, in four records."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

import numpy as np
from flwr.app import Array, ArrayRecord, ConfigRecord, Message, MetricRecord, RecordDict
from safetensors.numpy import load, save

from privacy.mods import size_of
from privacy.releases import check_releases, check_size

Fact: TypeAlias = str | int | bool | Sequence[str] | Sequence[int]


@dataclass(frozen=True)
class Answer:
    """What a site is about to send; every name is checked against `privacy.releases`.

    Attributes:
        facts: About the folder.
        figures: One number each, for this site alone.
        sums: Mergeable sums over patients.
        model: Weights, or none.
        control: Mean gradient, or none.
        masked: Words of a secure sum, or none.
        secure: Public keys and sealed shares of a secure sum.

    Source: own.
    """

    facts: Mapping[str, Fact] = field(default_factory=dict)
    figures: Mapping[str, float] = field(default_factory=dict)
    sums: Mapping[str, np.ndarray] = field(default_factory=dict)
    model: Mapping[str, np.ndarray] | None = None
    control: Mapping[str, np.ndarray] | None = None
    masked: np.ndarray | None = None
    secure: Mapping[str, str | bytes | list[bytes]] | None = None

    def beside(self, other: "Answer") -> "Answer":
        """Return both answers in one; lists of names among the facts are joined."""
        facts = {**self.facts, **other.facts}
        for name in set(self.facts) & set(other.facts):
            first, second = self.facts[name], other.facts[name]
            if isinstance(first, list) and isinstance(second, list):
                facts[name] = [*first, *second]
        return Answer(
            facts,
            {**self.figures, **other.figures},
            {**self.sums, **other.sums},
            self.model if other.model is None else other.model,
            self.control if other.control is None else other.control,
        )

    def to_bytes(self) -> bytes:
        """Return the answer as one safetensors document; `from_bytes` gives an equal one."""
        kinds = {"sums": self.sums, "model": self.model, "control": self.control}
        plain = {"facts": dict(self.facts), "figures": dict(self.figures)}
        names = {kind: None if held is None else list(held) for kind, held in kinds.items()}
        text = json.dumps(plain | {"names": names})
        packed = {"document": np.frombuffer(text.encode(), dtype=np.uint8)}
        for kind, held in kinds.items():
            found = (held or {}).items()
            packed |= {f"{kind}/{name}": np.asarray(value, order="C") for name, value in found}
        return save(packed)

    @staticmethod
    def from_bytes(content: bytes) -> "Answer":
        """Return the answer that `to_bytes` wrote."""
        packed = load(content)
        document = json.loads(packed["document"].tobytes())
        kinds: dict[str, dict[str, np.ndarray] | None] = {
            kind: None if names is None else {name: packed[f"{kind}/{name}"] for name in names}
            for kind, names in document["names"].items()
        }
        return Answer(
            document["facts"], document["figures"], kinds["sums"] or {}, kinds["model"],
            kinds["control"],
        )  # fmt: skip


def reply(message: Message, answer: Answer) -> Message:
    """Return the answer as a Flower message.

    Args:
        message: What is answered.
        answer: What leaves the site.

    Returns:
        A message with the records `facts`, `figures`, `sums` and, where there are, `model`,
        `control`, `masked` and `secure`.

    Raises:
        PrivacyError: A name is not on the list of releases, or the answer is too large.

    Privacy: the only place where content leaves a site.

    Source: own.
    """
    check_releases([*answer.facts, *answer.figures, *answer.sums])
    content = RecordDict(
        {
            "facts": ConfigRecord({k: _scalar_or_list(v) for k, v in answer.facts.items()}),
            "figures": MetricRecord(dict(answer.figures)),
            "sums": arrays(answer.sums),
        }
    )
    masked = None if answer.masked is None else {"words": answer.masked}
    kinds = {"model": answer.model, "control": answer.control, "masked": masked}
    for name, values in kinds.items():
        if values is not None:
            check_releases([name])
            content[name] = arrays(values)
    if answer.secure is not None:
        check_releases(f"secure:{name}" for name in answer.secure)
        content["secure"] = ConfigRecord(dict(answer.secure))
    check_size(size_of(content))
    return Message(content, reply_to=message)


def _scalar_or_list(fact: Fact) -> str | int | list[str] | list[int]:
    return fact if isinstance(fact, (str, int)) else [*fact]


def arrays(values: Mapping[str, np.ndarray]) -> ArrayRecord:
    """Return named arrays as Flower's record.

    Source: own.
    """
    return ArrayRecord(
        {name: Array(np.asarray(value, order="C")) for name, value in values.items()}
    )
