"""The site's half of a secure sum, message by message."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
from flwr.app import ConfigRecord, Context, Message

from client.identity import read_identity, read_peers
from client.once import claim
from client.replies import Answer
from client.settings import Settings
from client.summed import in_clear, layout_of, summed
from fusion.readers.site_toml import read_site_description
from fusion.training.checkpoint import digest_arrays
from privacy.errors import PrivacyError
from privacy.secure.part import Part, begin, mask, reveal, share
from privacy.secure.roster import Roster

NOW, NEXT, LAST = "secure-sum", "next-secure-sum", "last-secure-sum"
"""Records of Flower's context: in the SuperNode's memory, gone when it ends."""

AGAIN = "Nothing was sent. Start a new run."


@dataclass(frozen=True)
class Question:
    """What a message asks a site to add.

    Attributes:
        name: What each run has one answer to, such as `train 3`.
        tally: Which figures of the received model it tells, whatever the message is called.

    Source: own.
    """

    name: str
    tally: str

    def keys(self, run: int, received: Mapping[str, np.ndarray]) -> list[str]:
        """Return what must not be answered twice with other sites in one run."""
        asked = [f"{run} {self.name}"]
        return [*asked, f"{run} {self.tally} {digest_arrays(received)}"] if received else asked


class SecureSums:
    """What a site does in a run's secure sums; its secrets lie in Flower's context in between.

    Args:
        settings: Of this message.
        context: Of the ClientApp.

    Privacy: secrets of a sum are forgotten when the site has revealed its shares, or when the next
        sum begins.

    Source: own; the protocol is that of Bonawitz et al. 2017, CCS.
    """

    def __init__(self, settings: Settings, context: Context) -> None:
        self._settings, self._context = settings, context
        self._run = context.run_id

    @cached_property
    def _site(self) -> str:
        return read_site_description(self._settings.folder).name

    @cached_property
    def _identity(self) -> EllipticCurvePrivateKey:
        return read_identity(self._settings, self._site)

    def keys(self, told: Mapping[str, Any]) -> Answer:
        """Begin a sum: answer with the site's public keys for it.

        Raises:
            PrivacyError: The sum's number was used before.
        """
        number = int(told["number"])
        if number <= max(map(self._number, (NOW, NEXT, LAST))):
            raise PrivacyError(f"A secure sum must have a new number, got {number} again. {AGAIN}")
        self._forget(NEXT)
        return Answer(secure={"advert": self._begin(NOW, number)})

    def shares(self, told: Mapping[str, Any]) -> Answer:
        """Take the roster of the sum in progress: answer with sealed shares for each site on it."""
        return Answer(secure={"sealed": self._share(NOW, _roster(told, ""))})

    def add(
        self,
        told: Mapping[str, Any],
        answer: Answer,
        received: Mapping[str, np.ndarray],
        question: Question,
    ) -> Answer:
        """Mask an answer, and bring the keys for the next sum along.

        Args:
            told: The others' sealed shares.
            answer: What the site would send on its own.
            received: The model that came.
            question: What was asked, of which each run has one answer.

        Raises:
            PrivacyError: The sum did not begin as it should, or was answered before.
        """
        part = self._part(told)
        ready = summed(answer, received, most=self._settings.run.privacy.max_update_norm)
        layout = layout_of(ready)
        words = layout.encode(ready.model or {}, ready.sums, sites=len(part.sites))
        label = "\n".join(question.keys(self._run, received))
        part, masked = mask(part, words, sealed=list(told["sealed"]), label=label)
        # Two processes with copies of one state must not both mask: the difference would be clear.
        if not claim(self._settings.kept, [f"added {_short(part.advert)}"], _short(masked.data)):
            raise PrivacyError(f"A site must add once to a secure sum, got a second call. {AGAIN}")
        self._keep(NOW, part)
        secure: dict[str, str | bytes | list[bytes]] = {"layout": layout.to_text()}
        secure["advert"] = self._begin(NEXT, part.number + 1)
        return replace(in_clear(ready), secure=secure, masked=masked)

    def unmask(self, told: Mapping[str, Any]) -> Answer:
        """Reveal shares of the finished sum, forget it, and share the keys of the next one.

        Raises:
            PrivacyError: The same was answered with other sites before.
        """
        part, survivors = self._part(told), list(map(str, told["survivors"]))
        revealed = reveal(part, survivors)
        keys = [f"revealed {_short(part.advert)}", *part.label.split("\n")]
        if not claim(self._settings.kept, keys, "\n".join(sorted(survivors))):
            raise PrivacyError(
                f"A tally must be answered once a run, got another call with other sites. {AGAIN}"
            )
        self._forget(NOW)
        sealed = self._share(NEXT, _roster(told, "next-"))
        self._keep(NOW, self._held(NEXT))
        self._forget(NEXT)
        return Answer(secure={"shares": revealed, "sealed": sealed})

    def _begin(self, record: str, number: int) -> bytes:
        part = begin(self._site, identity=self._identity, run=self._run, number=number)
        self._keep(record, part)
        return part.advert

    def _share(self, record: str, roster: Roster) -> list[bytes]:
        peers = read_peers(self._settings)
        part, sealed = share(self._held(record), roster, peers=peers, run=self._run)
        self._keep(record, part)
        return sealed

    def _part(self, told: Mapping[str, Any]) -> Part:
        """Return the sum in progress, if a message is of it."""
        part = self._held(NOW)
        if part.number != int(told["number"]):
            raise PrivacyError(f"A message must be of the sum in progress, got another. {AGAIN}")
        return part

    def _held(self, record: str) -> Part:
        kept = self._context.state.config_records.get(record)
        if kept is None or kept["run"] != self._run:
            raise PrivacyError(
                "A secure sum must be in progress at the site, got none: it was finished, or the "
                "site was started anew since. The next sum begins with new keys."
            )
        return Part.from_plain({name: value for name, value in kept.items() if name != "run"})

    def _number(self, record: str) -> int:
        """Return the number of a sum that the site has begun in this run, or 0."""
        kept = self._context.state.config_records.get(record)
        return int(str(kept["number"])) if kept and kept["run"] == self._run else 0

    def _keep(self, record: str, part: Part) -> None:
        self._context.state[record] = ConfigRecord({**part.to_plain(), "run": self._run})

    def _forget(self, record: str) -> None:
        """Let go of all secrets of a sum, and keep that there was one."""
        number = self._number(record)
        self._context.state.pop(record, None)
        self._context.state[LAST] = ConfigRecord(
            {"run": self._run, "number": max(number, self._number(LAST))}
        )


def secure_words(message: Message) -> Mapping[str, Any]:
    """Return what a message says of the secure sum that it belongs to.

    Raises:
        PrivacyError: Nothing: the coordinator asks for something in clear.

    Source: own.
    """
    told = message.content.config_records.get("secure")
    if told is None:
        raise PrivacyError(
            "A run with secure aggregation must ask inside a secure sum, got a plain question. "
            "Nothing was sent. Run the same version everywhere."
        )
    return told


def _roster(told: Mapping[str, Any], prefix: str) -> Roster:
    """Return the roster of a message, or the next one that it brings along."""
    number = int(told["number"]) + bool(prefix)
    sites, adverts = told[f"{prefix}sites"], told[f"{prefix}adverts"]
    return Roster(number, tuple(map(str, sites)), tuple(map(bytes, adverts)))


def _short(content: bytes | memoryview) -> str:
    return hashlib.sha256(content).hexdigest()
