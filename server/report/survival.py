"""Pictures of survival: Kaplan-Meier by risk group, and calibration at stated horizons."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, TypeAlias

from server.report.axes import Axis, Frame, band_path, line_path, steps
from server.report.words import DAYS_A_YEAR, Number, span

Group: TypeAlias = Mapping[str, Any]


def kaplan_meier(groups: Sequence[Group]) -> dict[str, Any] | None:
    """Return what the Kaplan-Meier picture shows.

    Args:
        groups: `evaluation.curves.groups`, times in days.

    Returns:
        The frame in years, each group's curve and band, and patients at risk below the ticks;
        None without a curve.

    Source: own.
    """
    last = max((group["time"][-1] for group in groups if group["time"]), default=0.0)
    if not last > 0:
        return None
    x = Axis(0.0, last / DAYS_A_YEAR, 64.0, 884.0)
    frame = Frame(x, Axis(0.0, 1.0, 304.0, 14.0), "Years", "Share without the event", 900, 352)
    return {"frame": frame, "groups": [_curve(group, frame) for group in groups]}


def _curve(group: Group, frame: Frame) -> dict[str, Any]:
    times = [0.0, *group["time"]]
    corners = _corners(times, [1.0, *group["survival"]], frame)
    low = _corners(times, [1.0, *_filled(group["low"], group["survival"])], frame)
    high = _corners(times, [1.0, *_filled(group["high"], group["survival"])], frame)
    ticks = [tick.value * DAYS_A_YEAR for tick in frame.x_ticks]
    return {
        "name": group["name"], "patients": group["patients"], "events": group["events"],
        "line": line_path(corners), "band": band_path(high, low),
        "at_risk": [patients_at_risk(group, days) for days in ticks],
        "median": median(group),
    }  # fmt: skip


def _corners(times: Sequence[Number], levels: Sequence[Number], frame: Frame) -> list[Any]:
    xs = [frame.x.at(days / DAYS_A_YEAR) for days in times]
    return steps(xs, [frame.y.at(level) for level in levels])


def _filled(bounds: Sequence[Number | None], survival: Sequence[Number]) -> list[Number]:
    """Return the bounds, the curve itself standing in where there is none."""
    pairs = zip(bounds, survival, strict=True)
    return [value if bound is None else bound for bound, value in pairs]


def patients_at_risk(group: Group, days: Number) -> int:
    """Return how many of a group's patients were still under observation at a time.

    Args:
        group: A curve, with patients at risk just before each of its times.
        days: The time in days.

    Returns:
        Patients at risk at the first of the curve's times that is not earlier; 0 after the last.

    Source: own.
    """
    pairs = zip(group["time"], group["at_risk"], strict=True)
    later = (at_risk for time, at_risk in pairs if time >= days - 1e-6)
    return round(next(later, 0))


def median(group: Group) -> Number | None:
    """Return the first time in days at which at most half are without the event, or None.

    Source: own.
    """
    pairs = zip(group["time"], group["survival"], strict=True)
    return next((time for time, share in pairs if share <= 0.5), None)


def calibration(horizons: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return one calibration picture a horizon.

    Args:
        horizons: `evaluation.calibration`.

    Returns:
        For each horizon its title, frame, the marks in px of the groups that have both
        figures, and all groups for the table.

    Source: own.
    """
    return [_horizon(entry) for entry in horizons if entry["groups"]]


def _horizon(entry: Mapping[str, Any]) -> dict[str, Any]:
    axes = Axis(0.0, 1.0, 52.0, 290.0), Axis(0.0, 1.0, 262.0, 14.0)
    frame = Frame(*axes, "Predicted share", "Observed share", 304, 310)
    title = f"After {span(entry['horizon_days'])}"
    marks = list(_marks(entry["groups"], frame))
    return {"title": title, "frame": frame, "marks": marks, "groups": entry["groups"]}


def _marks(groups: Sequence[Group], frame: Frame) -> Iterator[dict[str, Number]]:
    for group in groups:
        if group["predicted"] is None or group["observed"] is None:
            continue
        low, high = _filled([group["low"], group["high"]], [group["observed"]] * 2)
        yield {
            "x": frame.x.at(group["predicted"]), "y": frame.y.at(group["observed"]),
            "from": frame.y.at(low), "to": frame.y.at(high),
        }  # fmt: skip
