"""Which sites left a run and which came back, in sentences."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

LEFT, BACK, AGAIN = "left", "came-back", "asked-again"


def events(records: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return what happened to the attendance, in order of the rounds.

    Args:
        records: Of all rounds.

    Returns:
        Round, site (None for the round as a whole), kind and sentence of each event: a site left
        when it gave no usable update for the first time since it last did.

    Source: own.
    """
    away, found = set[str](), list[dict[str, Any]]()
    for record in records:
        found += _of_round(record, away)
        away |= {failure["site"] for failure in record["failed"]}
        away -= set(record["answered"])
    return found


def _of_round(record: Mapping[str, Any], away: set[str]) -> Iterator[dict[str, Any]]:
    """Yield one round's events, given who was away before it."""
    number = record["round"]
    if record["attempts"] > 1:
        told = f"round {number} was asked {record['attempts']} times: too few answered at first"
        yield _event(number, None, AGAIN, told)
    for failure in record["failed"]:
        if failure["site"] not in away:
            told = f"{failure['site']} left in round {number}: {failure['reason'].rstrip('.')}"
            yield _event(number, failure["site"], LEFT, told)
    for site in record["answered"]:
        if site in away:
            yield _event(number, site, BACK, f"{site} came back in round {number}")


def _event(number: int, site: str | None, kind: str, sentence: str) -> dict[str, Any]:
    return {"round": number, "site": site, "kind": kind, "sentence": sentence}
