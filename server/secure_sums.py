"""Exchanges of which the coordinator learns the sum over the sites, and nothing of one of them."""

import logging
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from flwr.app import ConfigRecord, RecordDict
from flwr.serverapp import Grid

from fusion.config import FederationConfig, RunConfig
from privacy.errors import PrivacyError
from privacy.secure.layout import Layout
from privacy.secure.roster import FEWEST, Roster
from privacy.secure.unmasking import check_shares, unmask
from server.aggregation import typed
from server.inbox import Answer, Check, Failure, Inbox, objection

log = logging.getLogger("concord.server")

TOGETHER = "all sites together"
"""Stands where a plain answer has the name of its site."""

WEIGHT, LOSS, STEPS = "num-examples", "train-loss", "steps"

Contents = Mapping[str, RecordDict]


@dataclass(frozen=True)
class _Begun:
    """A sum whose sites have each other's keys, and what each sealed for the others."""

    roster: Roster
    sealed: Mapping[str, Sequence[bytes]]

    def sealed_for(self, site: str) -> list[bytes]:
        place = self.roster.sites.index(site)
        return [self.sealed[sender][place] for sender in self.roster.sites]


class SecureInbox(Inbox):
    """An inbox that adds up what the sites answer, without seeing what any of them says.

    `ask` and `ask_each` return one answer, the sum, with the sites behind it in `parts`. A sum
    costs two exchanges: the first brings the masked words and the keys for the next sum, the second
    the shares that take the masks off and those of the next sum. Two more come before it where the
    sites are others than before, or one of them failed.

    Args:
        grid: Flower's way to the nodes.
        config: Whom to wait for, and how long.

    Source: own; the protocol is that of Bonawitz et al. 2017, CCS.
    """

    def __init__(self, grid: Grid, config: FederationConfig) -> None:
        super().__init__(grid, config)
        self._fewest = max(FEWEST, config.quorum)
        self._number = 0
        self._next: _Begun | None = None

    def ask_each(
        self, kind: str, contents: Contents, check: Check
    ) -> tuple[list[Answer], list[Failure]]:
        """Send each site a request of its own; return the sum of their answers, if it can be had.

        A sum that cannot be finished is a failure of every site, and nothing of it can be read.
        """
        begun, lost = self._begin(sorted(contents))
        if begun is None:
            return [], lost
        asked = {site: contents[site] for site in begun.roster.sites}
        answers, failures = self._collect(kind, asked, begun)
        lost = [*lost, *failures]
        roster = begun.roster
        least = max(self._fewest, roster.threshold)
        if len(answers) < least:
            why = f"a secure sum of {len(roster.sites)} sites needs {least}, got {len(answers)}"
            return [], _given_up(lost, roster.sites, why)
        try:
            total = self._total(answers, roster)
        except PrivacyError as error:
            return [], _given_up(lost, roster.sites, str(error))
        total = _typed(total, contents[answers[0].site])
        fault = objection(total, check)
        if fault:
            return [], _given_up(lost, roster.sites, fault)
        return [total], _ordered({one.site: one for one in lost})

    def _begin(self, sites: Sequence[str]) -> tuple[_Begun | None, list[Failure]]:
        """Return a sum over the sites, begun with the last one or anew, and who is not in it."""
        begun, self._next = self._next, None
        if begun is not None and list(begun.roster.sites) == list(sites):
            return begun, []
        lost: list[Failure] = []
        while len(sites) >= FEWEST:
            self._number += 1
            keys, failures = self._secure("query.keys", {site: {} for site in sites}, _has_advert)
            roster = self._roster(self._number, keys)
            told = {"sites": list(roster.sites), "adverts": list(roster.adverts)}
            lost += failures
            if len(keys) < FEWEST:
                break
            asked = dict.fromkeys(roster.sites, told)
            shares, failures = self._secure("query.shares", asked, _has_sealed(roster))
            if not failures:
                return _Begun(roster, _sealed(shares)), lost
            lost += failures
            sites = [answer.site for answer in shares]
        known = {failure.site for failure in lost}
        why = f"a secure sum must be over {FEWEST} sites, got {len(sites)}"
        return None, _given_up(lost, [site for site in sites if site not in known], why)

    def _collect(
        self, kind: str, contents: Contents, begun: _Begun
    ) -> tuple[list[Answer], list[Failure]]:
        """Return the masked answers that are laid out alike, and who sent none."""
        number = begun.roster.number
        self._number = number + 1  # the sites begin the next sum with their answers
        sent = {
            site: RecordDict({**content, "secure": _record(number, sealed=begun.sealed_for(site))})
            for site, content in contents.items()
        }
        answers, failures = super().ask_each(kind, sent, _has_words)
        layouts = Counter(answer.secure["layout"] for answer in answers)
        usual = layouts.most_common(1)[0][0] if layouts else ""
        odd = [answer.site for answer in answers if answer.secure["layout"] != usual]
        kept = [answer for answer in answers if answer.site not in odd]
        return kept, [
            *failures,
            *(Failure(site, "its sums are laid out otherwise") for site in odd),
        ]

    def _total(self, answers: Sequence[Answer], roster: Roster) -> Answer:
        """Return the sum of masked answers; the next sum begins on the way.

        Raises:
            PrivacyError: Too few sites finished it, or one sent wrong shares.
        """
        following = self._roster(self._number, answers)
        survivors = [answer.site for answer in answers]
        told = {
            "survivors": survivors,
            "next-sites": list(following.sites),
            "next-adverts": list(following.adverts),
        }
        check = _has_shares(roster, following)
        found, failures = self._secure(
            "query.unmask", dict.fromkeys(survivors, told), check, roster.number
        )
        masked = {a.site: a.masked for a in answers if a.masked is not None}
        revealed = {answer.site: answer.secure["shares"] for answer in found}
        words = unmask(masked, roster, revealed)
        if not failures:
            self._next = _Begun(following, _sealed(found))
        return _joined(answers, Layout.from_text(answers[0].secure["layout"]), words)

    def _roster(self, number: int, answers: Sequence[Answer]) -> Roster:
        told = {answer.site: answer.secure["advert"] for answer in answers}
        return Roster(number, tuple(sorted(told)), tuple(told[site] for site in sorted(told)))

    def _secure(
        self, kind: str, told: Mapping[str, Mapping[str, Any]], check: Check, number: int = 0
    ) -> tuple[list[Answer], list[Failure]]:
        """Exchange what belongs to a sum alone."""
        sent = {
            site: RecordDict({"secure": _record(number or self._number, **words)})
            for site, words in told.items()
        }
        return super().ask_each(kind, sent, check)


def open_inbox(grid: Grid, config: RunConfig) -> Inbox:
    """Return the inbox that the settings ask for.

    Source: own.
    """
    secure = config.privacy.secure_aggregation
    return (SecureInbox if secure else Inbox)(grid, config.federation)


def _joined(answers: Sequence[Answer], layout: Layout, words: np.ndarray) -> Answer:
    """Return the sum as one answer: of models the average, by the sum of their weights."""
    model, sums = layout.decode(words)
    figures: dict[str, float] = {}
    if WEIGHT in sums:
        weight = float(sums.pop(WEIGHT)[0])
        loss, told = map(float, sums.pop(LOSS))
        figures = {WEIGHT: weight} | ({LOSS: loss / told} if told > 0 else {})
        figures[STEPS] = max(float(answer.figures[STEPS]) for answer in answers)
        model = {name: value / weight if weight > 0 else value for name, value in model.items()}
    return Answer(TOGETHER, {}, figures, sums, model, added=tuple(answers))


def _typed(total: Answer, content: RecordDict) -> Answer:
    """Return the sum with a model of the types that were sent."""
    sent = dict(content.array_records.get("model", {}))
    kinds = {name: np.dtype(value.dtype) for name, value in sent.items()}
    model = {name: typed(v, kinds[name]) for name, v in total.model.items() if name in kinds}
    return replace(total, model=model)


def _record(number: int, **words: Any) -> ConfigRecord:
    return ConfigRecord({"number": number, **words})


def _sealed(answers: Sequence[Answer]) -> dict[str, Sequence[bytes]]:
    return {answer.site: answer.secure["sealed"] for answer in answers}


def _given_up(lost: Sequence[Failure], sites: Sequence[str], why: str) -> list[Failure]:
    """Return the failures of a sum that could not be had.

    Where a silent site was missing, nobody has said anything that counts: all are asked again.
    """
    again = any(one.silent for one in lost)
    found = {site: Failure(site, why, silent=again) for site in sites}
    return _ordered(found | {one.site: one for one in lost})


def _ordered(named: Mapping[str, Failure]) -> list[Failure]:
    return [named[site] for site in sorted(named)]


def _has_advert(answer: Answer) -> None:
    if not isinstance(answer.secure["advert"], bytes):
        raise TypeError("its keys cannot be read")


def _has_sealed(roster: Roster) -> Check:
    def check(answer: Answer) -> None:
        if len(answer.secure["sealed"]) != len(roster.sites):
            raise ValueError("its shares are not for the sites that were named")

    return check


def _has_words(answer: Answer) -> None:
    _has_advert(answer)
    layout = Layout.from_text(str(answer.secure["layout"]))
    words = answer.masked
    if words is None or words.dtype != np.uint64 or words.shape != (layout.length,):
        raise ValueError("its masked words do not fit their layout")


def _has_shares(roster: Roster, following: Roster) -> Check:
    sealed = _has_sealed(following)

    def check(answer: Answer) -> None:
        check_shares(answer.secure["shares"], roster)
        sealed(answer)

    return check
