"""The forest of concordances: one row for the federation, one within sites, one a site."""

import math
from collections.abc import Iterable, Mapping
from typing import Any

from server.report.axes import Axis

WIDTH = 300
"""Width of a row's picture in px."""

SMALLEST, LARGEST = 2.5, 6.0
"""Radii in px of the marks of the sites with fewest and most events."""

FEW_EVENTS = 5
"""Below so many events a site's figures are not to be interpreted."""


def forest(evaluation: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the forest plot of the concordances shows.

    Args:
        evaluation: `result["evaluation"]`.

    Returns:
        `axis`, `rows` (summary rows first), and the place in px of the pooled figure.

    Source: own.
    """
    pooled, sites = evaluation["pooled"], evaluation["sites"]
    axis = Axis(_lowest(evaluation), 1.0, 8.0, WIDTH - 8.0)
    counts = {key: pooled.get(key) for key in ("patients", "events", "noised")}
    overall = counts | {"name": "All test patients together", "kind": "overall", "note": None}
    within = counts | {"name": "Within sites only", "kind": "within", "note": None}
    most = max((site["events"] for site in sites), default=1)
    rows = [
        _row(overall, pooled["concordance"], axis, LARGEST),
        _row(within, pooled["within_sites"], axis, LARGEST),
    ]
    for site in sites:
        kind = "unsure" if not_interpretable(site) else "site"
        radius = SMALLEST + (LARGEST - SMALLEST) * math.sqrt(site["events"] / max(most, 1))
        rows.append(_row(site | {"kind": kind}, site["concordance"], axis, round(radius, 1)))
    value = pooled["concordance"]["value"]
    return {
        "axis": axis, "rows": rows, "width": WIDTH,
        "pooled_at": None if value is None else axis.at(value),
        "chance_at": axis.at(0.5),
    }  # fmt: skip


def not_interpretable(site: Mapping[str, Any]) -> bool:
    """Return whether a site's figures are too uncertain to be read.

    Args:
        site: An entry of `evaluation.sites`.

    Returns:
        True when it carries a note or has fewer than `FEW_EVENTS` events.

    Source: own.
    """
    return site["note"] is not None or site["events"] < FEW_EVENTS


def _lowest(evaluation: Mapping[str, Any]) -> float:
    """Return the axis' lower end: 0.4, or lower where a figure to be read needs it."""
    read = [site["concordance"] for site in evaluation["sites"] if not not_interpretable(site)]
    pooled = evaluation["pooled"]
    lows = _known("low", [*read, pooled["concordance"], pooled["within_sites"]])
    lows += _known("value", [site["concordance"] for site in evaluation["sites"]])
    return min(0.4, math.floor(min(lows, default=0.4) * 10) / 10)


def _known(key: str, figures: Iterable[Mapping[str, Any]]) -> list[float]:
    return [figure[key] for figure in figures if figure[key] is not None]


def _row(entry: Mapping[str, Any], figure: Mapping[str, Any], axis: Axis, radius: float) -> Any:
    row = {key: entry[key] for key in ("name", "kind", "patients", "events", "note")}
    row["noised"] = entry.get("noised", False)
    return row | {"figure": figure, "radius": radius} | mark(figure, axis)


def mark(figure: Mapping[str, Any], axis: Axis) -> dict[str, Any]:
    """Return where a figure and its interval lie on an axis.

    Args:
        figure: `value`, `low`, `high`.
        axis: Where it is drawn.

    Returns:
        Places in px `at`, `from`, `to` (None where there is none), and whether the interval
        goes on beyond either end (`cut_low`, `cut_high`).

    Source: own.
    """
    value, low, high = figure["value"], figure["low"], figure["high"]
    bounded = value is not None and low is not None and high is not None
    return {
        "at": None if value is None else axis.at(value),
        "from": axis.at(low) if bounded else None,
        "to": axis.at(high) if bounded else None,
        "cut_low": bounded and low < axis.low,
        "cut_high": bounded and high > axis.high,
    }
