"""The budget of each site's patients after a private run, as the sites' ledgers told it."""

from collections.abc import Iterator, Mapping, Sequence
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from typing import Any

from server.report.words import DASH

REFUSED = "Budget exhausted"
"""How a site's answer begins that its ledger refused."""


def budget(result: Mapping[str, Any]) -> list[dict[str, Any]] | None:
    """Return the rows of the table of budgets, one a site; None for a run without a promise.

    Args:
        result: A valid result.

    Returns:
        Texts by column, a dash for what was not sent; what was spent is rounded up and what is
        left down. `rounds` names those in which the site's ledger refused, `left` from which
        round on the site took no part and why.

    Source: own.
    """
    privacy = result["privacy"]
    if not privacy["differential_privacy"]:
        return None
    return [_row(site, result["rounds"]) for site in privacy["sites"]]


def _row(site: Mapping[str, Any], rounds: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    spent, limit = site["epsilon"], site["max_epsilon"]
    remains = None if spent is None else Decimal(str(limit)) - Decimal(str(spent))
    steps = (site["steps"], site["planned_steps"])
    return {
        "name": site["name"],
        "run": _of(site["run_epsilon"], site["planned_epsilon"]),
        "ever": _of(spent, limit),
        "remains": DASH if remains is None else _text(max(remains, Decimal(0)), ROUND_FLOOR),
        "delta": _plain(site["delta"]),
        "noise": DASH if site["noise_multiplier"] is None else f"{site['noise_multiplier']:.3f}",
        "clip": _plain(site["max_grad_norm"]),
        "sampling": _plain(site["sampling_rate"]),
        "steps": DASH if None in steps else f"{steps[0]:.0f} of {steps[1]:.0f}",
        "rounds": list(_refused(site["name"], rounds)),
        "left": site["left"],
    }


def _refused(name: str, rounds: Sequence[Mapping[str, Any]]) -> Iterator[int]:
    for record in rounds:
        for failure in record["failed"]:
            if failure["site"] == name and failure["reason"].startswith(REFUSED):
                yield record["round"]


def _of(spent: float | None, most: float | None) -> str:
    if spent is None:
        return DASH
    return f"{_text(Decimal(str(spent)), ROUND_CEILING)} of {_plain(most)}"


def _plain(value: float | None) -> str:
    return DASH if value is None else f"{value:g}"


def _text(value: Decimal, rounding: str) -> str:
    return f"{value.quantize(Decimal('0.001'), rounding=rounding):.3f}"
