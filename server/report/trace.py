"""The audit over the rounds: interaction, each modality's share and concordance, site by site."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from fusion.survival.estimate import Z95
from server.report.axes import Axis, Frame, band_path, line_path
from server.report.words import Number, modality

Round: TypeAlias = Mapping[str, Any]
Point: TypeAlias = tuple[Number, Number | None, Number | None, Number | None]
"""Round, value, lower and upper end of its 95% interval."""

MOST = 24
"""Audited rounds that the pictures and the table show; of more, so many evenly spaced ones."""

WIDE, HIGH = 150, 52
"""Size in px of a site's small picture."""


@dataclass(frozen=True)
class Measure:
    """One thing that is followed over the rounds.

    Attributes:
        title: What it is.
        lines: Name, colour and how to read it off a round, for one site or None = all sites.
        low: Lower end of its axis at most.
        high: Upper end of its axis at least.
        top: Its largest possible value.

    Source: own.
    """

    title: str
    lines: Sequence[tuple[str, str, Callable[[Round, str | None], Point]]]
    low: float
    high: float
    top: float


def trace(result: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return what the section on the audit over the rounds shows.

    Args:
        result: A valid result.

    Returns:
        `panels` of all sites, `sites` with three small pictures each, `table` of the rounds, and
        `left_out`, how many audited rounds they leave out; None if no round was audited.

    Source: own.
    """
    audited = [r for r in result["rounds"] if r["audit"] and r["audit"]["patients"]]
    if not audited:
        return None
    shown = _thinned(audited)
    modalities = result["model"]["modalities"]
    ranking = "AUC" if "classes" in result["evaluation"] else "Concordance"
    measures = _measures(modalities, ranking)
    rounds = Axis(audited[0]["round"], max(audited[-1]["round"], audited[0]["round"] + 1), 0.0, 1.0)
    names = [site["name"] for site in shown[-1]["audit"].get("sites", ())]
    ranges = [_range(shown, one, [None, *names]) for one in measures]
    frames = [_small(rounds, *ends) for ends in ranges]
    return {
        "panels": [_panel(shown, one, rounds) for one in measures],
        "sites": [_row(shown, measures, frames, name) for name in (None, *names)],
        "ranges": ranges,
        "table": list(_table(shown, modalities)),
        "legend": [modality(name) for name in modalities],
        "left_out": len(audited) - len(shown),
        "first": rounds.low, "last": audited[-1]["round"], "split": audited[0]["audit"]["split"],
        "background": audited[0]["audit"]["background"], "ranking": ranking,
    }  # fmt: skip


def _thinned(audited: Sequence[Round]) -> list[Round]:
    """Return at most `MOST` of the rounds, evenly spaced, the first and the last among them."""
    last = len(audited) - 1
    number = min(MOST, len(audited))
    places = {round(index * last / max(number - 1, 1)) for index in range(number)}
    return [audited[place] for place in sorted(places)]


def _measures(modalities: Sequence[str], ranking: str) -> tuple[Measure, ...]:
    alone = [
        (modality(name), f"k{index}", _share(name)) for index, name in enumerate(modalities, 1)
    ]
    return (
        Measure(
            "Together (interaction), %",
            [("together", "k0", _share("interaction"))],
            0.0,
            5.0,
            100.0,
        ),
        Measure("Each alone, %", alone, 0.0, 5.0, 100.0),
        Measure(ranking, [(ranking.lower(), "g0", _ranking)], 0.4, 0.8, 1.0),
    )


def _share(name: str) -> Callable[[Round, str | None], Point]:
    """Return how a primary share is read off a round, in percent."""

    def read(entry: Round, site: str | None) -> Point:
        figures = _of_site(entry["audit"].get("sites", ()), site) if site else entry["audit"]
        local = figures["shares"]["local"] if figures else {}
        value, low, high = local.get(name), local.get("low"), local.get("high")
        if name != "interaction":
            error = local.get("standard_errors", {}).get(name)
            unknown = value is None or error is None
            low = None if unknown else max(0.0, value - Z95 * error)
            high = None if unknown else min(1.0, value + Z95 * error)
        value, low, high = (None if end is None else 100 * end for end in (value, low, high))
        return entry["round"], value, low, high

    return read


def _ranking(entry: Round, site: str | None) -> Point:
    found: Mapping[str, Any] = entry["concordance"]
    if site is not None:
        own = _of_site(entry["sites"], site) or {}
        found = {"value": own.get("concordance"), "low": own.get("low"), "high": own.get("high")}
    return entry["round"], found.get("value"), found.get("low"), found.get("high")


def _of_site(entries: Sequence[Mapping[str, Any]], name: str | None) -> Mapping[str, Any] | None:
    return next((entry for entry in entries if entry["name"] == name), None)


def _points(shown: Sequence[Round], line: Any, site: str | None) -> list[Point]:
    points = (line[2](entry, site) for entry in shown)
    return [point for point in points if point[1] is not None]


def _range(
    shown: Sequence[Round], measure: Measure, sites: Sequence[str | None]
) -> tuple[float, float]:
    """Return the ends of an axis on which the lines and bands of some sites fit."""
    points = [p for site in sites for line in measure.lines for p in _points(shown, line, site)]
    ends = [end for point in points for end in point[1:] if end is not None]
    low, high = min([measure.low, *ends]), max([measure.high, *ends])
    return max(0.0, low), min(measure.top, high)


def _panel(shown: Sequence[Round], measure: Measure, rounds: Axis) -> dict[str, Any]:
    """Return the picture of one measure over all sites."""
    low, high = _range(shown, measure, [None])
    axes = Axis(rounds.low, rounds.high, 46.0, 290.0, whole=True), Axis(low, high, 176.0, 12.0)
    frame = Frame(*axes, "Round", "", 304, 222, most_x=6, most_y=5)
    return {"title": measure.title, "frame": frame, "lines": list(_lines(shown, measure, frame))}


def _small(rounds: Axis, low: float, high: float) -> Frame:
    """Return the frame of a small picture; all sites share it."""
    axes = Axis(rounds.low, rounds.high, 4.0, WIDE - 4.0), Axis(low, high, HIGH - 4.0, 4.0)
    return Frame(*axes, "", "", WIDE, HIGH)


def _row(
    shown: Sequence[Round], measures: Sequence[Measure], frames: Sequence[Frame], name: str | None
) -> dict[str, Any]:
    """Return small pictures of one site, or of all together."""
    last = _of_site(shown[-1]["audit"].get("sites", ()), name) if name else shown[-1]["audit"]
    cells = [
        {"lines": list(_lines(shown, measure, frame, name)), "frame": frame}
        for measure, frame in zip(measures, frames, strict=True)
    ]
    patients = last["patients"] if last else 0
    return {"name": name or "All sites together", "patients": patients, "cells": cells}


def _lines(
    shown: Sequence[Round], measure: Measure, frame: Frame, site: str | None = None
) -> Iterator[dict[str, Any]]:
    """Yield each line of a measure with its band and its last point."""
    for line in measure.lines:
        points = _points(shown, line, site)
        if points:
            bounded = [p for p in points if p[2] is not None and p[3] is not None]
            lower, upper = (
                frame.place((p[0], end) for p in bounded if (end := p[place]) is not None)
                for place in (2, 3)
            )
            path = frame.place((p[0], p[1]) for p in points if p[1] is not None)
            yield {
                "name": line[0], "kind": line[1], "path": line_path(path), "dot": path[-1],
                "band": band_path(upper, lower), "last": points[-1][1],
            }  # fmt: skip


def _table(shown: Sequence[Round], modalities: Sequence[str]) -> Iterator[dict[str, Any]]:
    """Yield the figures of all sites, round by round."""
    for entry in shown:
        local = entry["audit"]["shares"]["local"]
        yield {
            "round": entry["round"], "patients": entry["audit"]["patients"], "figure": local,
            "shares": [local.get(name) for name in modalities],
            "concordance": entry["concordance"],
        }  # fmt: skip
