"""Alerts as the page shows them: the closing audit's first, then each kind of the rounds once."""

from collections.abc import Mapping, Sequence
from typing import Any

from server.report.words import listing

SHOWN = 20
"""Alerts that are written out; the others stand in result.json."""


def alerts(found: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return what the page says of the alerts.

    Args:
        found: `alerts` of a result.

    Returns:
        `closing` and `rounds`, sentences with the rounds in which they came up `before`, and how
        many `more` there are.

    Source: own.
    """
    closing = [one for one in found if one["stage"] == "closing"]
    groups: dict[tuple[Any, ...], list[Mapping[str, Any]]] = {}
    for one in found:
        if one["stage"] == "round":
            key = (one["kind"], one["site"], one["modality"])
            groups.setdefault(key, []).append(one)
    rounds = [
        {"sentence": group[-1]["sentence"], "before": _rounds(group[:-1])}
        for group in groups.values()
    ]
    shown = [{"sentence": one["sentence"], "before": ""} for one in closing]
    return {
        "closing": shown[:SHOWN], "rounds": rounds[:SHOWN],
        "more": max(0, len(shown) - SHOWN) + max(0, len(rounds) - SHOWN),
    }  # fmt: skip


def _rounds(group: Sequence[Mapping[str, Any]]) -> str:
    return listing((str(one["round"]) for one in group), nothing="")
