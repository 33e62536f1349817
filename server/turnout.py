"""Who answers a round: silent sites are asked again until enough have answered."""

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias, TypeVar

from flwr.app import RecordDict

from fusion.errors import FederationError
from server.aggregation import Aggregator
from server.inbox import Answer, Check, Failure, Inbox

log = logging.getLogger("concord.server")

T = TypeVar("T")

Sift: TypeAlias = Callable[[Sequence[Answer]], tuple[list[Answer], list[Failure]]]
"""Returns the answers whose update fits, and the refused ones."""


@dataclass(frozen=True, eq=False)
class Call:
    """What a round asks.

    Attributes:
        number: Of the round.
        requests: By site.
        check: Raises unless an answer's sums can be read.
        sift: Which updates fit.

    Source: own.
    """

    number: int
    requests: Mapping[str, RecordDict]
    check: Check
    sift: Sift


@dataclass(frozen=True, eq=False)
class Turnout:
    """Who answered a round, after all its attempts.

    Attributes:
        answers: One a site that answered, in order of site.
        usable: Those whose update fits.
        failures: One a site without a usable update.
        attempts: How often the round was asked.

    Source: own.
    """

    answers: Sequence[Answer]
    usable: Sequence[Answer]
    failures: Sequence[Failure]
    attempts: int


def gather(inbox: Inbox, aggregator: Aggregator, call: Call, *, attempts: int) -> Turnout:
    """Ask a round's sites, and the silent ones again while fewer than the quorum have answered.

    What has come is kept: every attempt sends the same model. A site that refuses in words, or
    whose update is refused, is not asked again, since it would say the same.

    Args:
        inbox: The way to the sites.
        aggregator: Says whether so many updates are enough.
        call: What is asked.
        attempts: At most so many.

    Raises:
        FederationError: Too few have answered, and some were silent to the end.

    Source: own.
    """
    answers, usable, failures = dict[str, Answer](), dict[str, Answer](), dict[str, Failure]()
    silent = sorted(call.requests)
    for attempt in range(1, attempts + 1):
        if attempt > 1:
            log.warning(
                "round %d: %d usable updates are too few, %s asked again",
                call.number, len(usable), ", ".join(silent),
            )  # fmt: skip
            inbox.wait_for(silent)
        asked = {site: call.requests[site] for site in silent}
        came, failed = inbox.ask_each("train", asked, call.check)
        fitting, refused = call.sift(came)
        answers |= {answer.site: answer for answer in came}
        usable |= {answer.site: answer for answer in fitting}
        failures = {name: one for name, one in failures.items() if name not in asked}
        failures |= {failure.site: failure for failure in (*failed, *refused)}
        silent = sorted(failure.site for failure in failures.values() if failure.silent)
        if not silent or aggregator.enough(_ordered(usable)):
            return Turnout(_ordered(answers), _ordered(usable), _ordered(failures), attempt)
    reasons = "; ".join(f"{one.site}: {one.reason}" for one in _ordered(failures))
    raise FederationError(
        f"Round {call.number} must have usable updates of at least {aggregator.least} sites, got "
        f"{len(usable)} when asked {attempts} times ({reasons}). The rounds before it are kept: "
        "resume the run when the sites are back."
    )


def _ordered(named: Mapping[str, T]) -> list[T]:
    return [named[name] for name in sorted(named)]
