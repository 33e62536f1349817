"""One exchange with the sites: a message to each, answers in order of site, who failed."""

import logging
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import numpy as np
from flwr.app import Array, ArrayRecord, ConfigRecord, Message, RecordDict
from flwr.serverapp import Grid

from fusion.config import FederationConfig
from fusion.errors import FederationError
from privacy.mods import FAULTS
from server.arrival import fault_of, numbers_of
from server.exchange import exchange, silence
from server.told import account_in, noise_on, withheld_in

log = logging.getLogger("concord.server")

POLL = 0.25
"""Seconds between looks at who is there."""


TWINS = (
    "Each site must have a name of its own, got this one more than once. Change `name` in one "
    "site.toml"
)
"""Why nodes of one name take no part."""


@dataclass(frozen=True, eq=False)
class Answer:
    """What one site sent.

    Attributes:
        site: Its name.
        facts: About its folder.
        figures: Its own numbers.
        sums: Mergeable sums over its patients.
        model: Weights, empty if it sent none.
        record: The same as they came, for Flower's strategy.
        control: SCAFFOLD's control variate, empty if it sent none.
        masked: Words of a secure sum, if it sent some.
        secure: What it says of that sum.
        added: The sites' own answers, where this one is their sum.

    Source: own.
    """

    site: str
    facts: Mapping[str, Any]
    figures: Mapping[str, Any]
    sums: Mapping[str, np.ndarray]
    model: Mapping[str, np.ndarray]
    record: ArrayRecord | None = None
    control: Mapping[str, np.ndarray] = field(default_factory=dict)
    masked: np.ndarray | None = None
    secure: Mapping[str, Any] = field(default_factory=dict)
    added: tuple["Answer", ...] = ()

    @property
    def parts(self) -> tuple["Answer", ...]:
        """The answers of single sites behind this one: itself, unless it is a sum."""
        return self.added or (self,)

    def noise(self, name: str) -> float:
        """Return the standard deviation of the noise on a sum; 0 = it is exact."""
        return noise_on(name, self.figures)


Check: TypeAlias = Callable[[Answer], None]
"""Raises unless an answer's sums can be read."""


@dataclass(frozen=True)
class Failure:
    """A site that was asked and gave no usable answer.

    Attributes:
        site: Its name.
        reason: Why, without a full stop.
        silent: Whether it said nothing of its own: asked again, it may answer.

    Source: own.
    """

    site: str
    reason: str
    silent: bool = False


class Inbox:
    """Sends requests to the sites and reads what comes back.

    Args:
        grid: Flower's way to the nodes.
        config: Whom to wait for, and how long.

    Attributes:
        released: Which sums without noise each site said it sent in a private run.
        noised: Which sums with noise, likewise.
        withheld: Which sums with noise a site's ledger did not let out, and why.
        accounts: What each site said last of its budget, by figure.

    Source: own.
    """

    def __init__(self, grid: Grid, config: FederationConfig) -> None:
        self._grid, self._config = grid, config
        self._names: dict[int, str] = {}
        self.released: dict[str, set[str]] = {}
        self.noised: dict[str, set[str]] = {}
        self.withheld: dict[str, dict[str, str]] = {}
        self.accounts: dict[str, dict[str, float]] = {}

    def meet(self, hoped: int = 0, run: str = "") -> tuple[list[Answer], list[Failure]]:
        """Wait for the sites, ask each to describe itself, and remember who is who.

        Args:
            hoped: Sites to wait for as long as the settings let, but to do without then.
            run: Name of a private run, by which a site's ledger knows it.

        Raises:
            FederationError: Too few came in time.
        """
        nodes = self._wait(hoped)
        self._names = {node: f"node {node}" for node in nodes}
        replies = self._send("query.describe", dict.fromkeys(nodes, request({"run": run})))
        good = {node: reply for node, reply in replies.items() if not self._failure(node, reply)}
        for node, reply in good.items():
            facts = reply.content.config_records["facts"]
            self._names[node] = str(facts.get("site", self._names[node]))
        answers, failures = self._sort(replies, nodes)
        self._names = {node: self._names[node] for node in good}
        return self._without_twins(answers, failures)

    def _without_twins(
        self, answers: Sequence[Answer], failures: Sequence[Failure]
    ) -> tuple[list[Answer], list[Failure]]:
        """Leave out nodes that say one name: which of them bears it, nobody can tell."""
        names = [answer.site for answer in answers]
        twins = {name for name in names if names.count(name) > 1}
        self._names = {node: name for node, name in self._names.items() if name not in twins}
        for name in sorted(twins):
            log.warning("%s: %s", name, TWINS)
        refused = [Failure(name, TWINS) for name in names if name in twins]
        sound = [answer for answer in answers if answer.site not in twins]
        return sound, sorted([*failures, *refused], key=lambda failure: failure.site)

    def ask(
        self, kind: str, content: RecordDict, sites: Sequence[str], check: Check
    ) -> tuple[list[Answer], list[Failure]]:
        """Send one request to some sites and return their answers and failures, by site name.

        An answer that `check` does not let pass is a failure of its site.
        """
        return self.ask_each(kind, dict.fromkeys(sites, content), check)

    def ask_each(
        self, kind: str, contents: Mapping[str, RecordDict], check: Check
    ) -> tuple[list[Answer], list[Failure]]:
        """Send each site a request of its own, by name; otherwise as `ask`."""
        named = {node: self._names[node] for node in sorted(self._names)}
        sent = {node: contents[name] for node, name in named.items() if name in contents}
        nodes = list(sent)
        answers, failures = self._sort(self._send(kind, sent), nodes)
        found = [(answer, objection(answer, check)) for answer in answers]
        refused = [Failure(answer.site, told) for answer, told in found if told]
        for failure in refused:
            log.warning("%s: %s", failure.site, failure.reason)
        sound = [answer for answer, told in found if not told]
        return sound, sorted([*failures, *refused], key=lambda failure: failure.site)

    def wait_for(self, sites: Collection[str]) -> None:
        """Wait until some sites are connected, as long as the settings let."""
        nodes = {node for node, name in self._names.items() if name in sites}
        deadline = time.monotonic() + self._config.wait_seconds
        while not nodes <= set(self._grid.get_node_ids()) and time.monotonic() < deadline:
            time.sleep(POLL)

    def _wait(self, hoped: int) -> list[int]:
        deadline = time.monotonic() + self._config.wait_seconds
        wanted = max(self._config.expected_sites, self._config.quorum, 1)
        while True:
            nodes, late = sorted(self._grid.get_node_ids()), time.monotonic() > deadline
            if len(nodes) >= (wanted if late else max(wanted, hoped)):
                return nodes
            if late:
                raise FederationError(
                    f"Sites connected must be at least {wanted}, got {len(nodes)} after "
                    f"{self._config.wait_seconds:g} s. Start the others, or lower "
                    "federation.expected-sites."
                )
            time.sleep(POLL)

    def _send(self, kind: str, contents: Mapping[int, RecordDict]) -> dict[int, Message]:
        return exchange(self._grid, kind, contents, seconds=self._config.deadline_seconds)

    def _failure(self, node: int, reply: Message | None) -> Failure | None:
        """Return why what came of a node is no answer, or None."""
        told = silence(reply, seconds=self._config.deadline_seconds)
        if told or reply is None:
            return Failure(self._names[node], told or "no answer", silent=True)
        refusal = str(reply.error.reason) if reply.has_error() else fault_of(reply.content)
        return Failure(self._names[node], refusal) if refusal else None

    def _sort(
        self, replies: Mapping[int, Message], nodes: Sequence[int]
    ) -> tuple[list[Answer], list[Failure]]:
        """Order by site, so that sums do not depend on who answered first."""
        faults = {node: self._failure(node, replies.get(node)) for node in nodes}
        answers = [_answer(self._names[n], replies[n]) for n, fault in faults.items() if not fault]
        for answer in answers:
            self._remember(answer)
        failures = [fault for fault in faults.values() if fault]
        for failure in failures:
            log.warning("%s did not answer: %s", failure.site, failure.reason)
        return sorted(answers, key=lambda a: a.site), sorted(failures, key=lambda f: f.site)

    def _remember(self, answer: Answer) -> None:
        """Keep what an answer of a private run says of its releases and their cost."""
        site, facts = answer.site, answer.facts
        self.released.setdefault(site, set()).update(map(str, facts.get("exact-releases", ())))
        self.noised.setdefault(site, set()).update(map(str, facts.get("noised-releases", ())))
        if told := withheld_in(facts):
            self.withheld[site] = told | self.withheld.get(site, {})
        if found := account_in(answer.figures):
            self.accounts[site] = found


def objection(answer: Answer, check: Check) -> str | None:
    """Return why `check` refuses an answer, or None.

    Source: own.
    """
    try:
        check(answer)
    except KeyError as error:
        return f"answer refused: it lacks {error}"
    except FAULTS as error:
        return f"answer refused: {error}"
    return None


def request(
    words: Mapping[str, Any],
    *,
    model: Mapping[str, np.ndarray] | None = None,
    arrays: Mapping[str, np.ndarray] | None = None,
) -> RecordDict:
    """Return the content of a request.

    Args:
        words: Scalars and lists; names in snake_case travel in kebab-case.
        model: Weights to send.
        arrays: Other arrays the site needs.

    Returns:
        Records `request`, and `model` and `arrays` if given.

    Source: own.
    """
    told = {name.replace("_", "-"): value for name, value in words.items()}
    content = RecordDict({"request": ConfigRecord(told)})
    for name, values in (("model", model), ("arrays", arrays)):
        if values is not None:
            content[name] = to_record(values)
    return content


def to_record(values: Mapping[str, np.ndarray]) -> ArrayRecord:
    """Return named arrays as Flower's record.

    Source: own.
    """
    return ArrayRecord(
        {name: Array(np.asarray(value, order="C")) for name, value in values.items()}
    )


def _answer(site: str, reply: Message) -> Answer:
    content = reply.content
    arrays = content.array_records
    return Answer(
        site=site,
        facts=dict(content.config_records["facts"]),
        figures=dict(content.metric_records["figures"]),
        sums=numbers_of(arrays["sums"]),
        model=numbers_of(arrays["model"]) if "model" in arrays else {},
        record=arrays.get("model"),
        control=numbers_of(arrays["control"]) if "control" in arrays else {},
        masked=numbers_of(arrays["masked"])["words"] if "masked" in arrays else None,
        secure=dict(content.config_records.get("secure", {})),
    )
