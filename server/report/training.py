"""Pictures of the training: validation figures, losses and answers, round by round."""

from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

from server.report.axes import Axis, Frame, Point, band_path, line_path
from server.report.words import Number

Round: TypeAlias = Mapping[str, Any]
Points: TypeAlias = list[Point]


def training(result: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return what the section on the rounds shows.

    Args:
        result: A valid result.

    Returns:
        `concordance` and `loss` panels (None where nothing is known), `failures`, `events`,
        and the round chosen; None without rounds.

    Source: own.
    """
    rounds = result["rounds"]
    if not rounds:
        return None
    chosen = next((r for r in rounds if r["round"] == result["model"]["chosen_round"]), None)
    of_classes = "classes" in result["evaluation"]
    title = "Validation AUC" if of_classes else "Validation concordance"
    failures = [{"round": r["round"]} | failure for r in rounds for failure in r["failed"]]
    return {
        "concordance": concordance_panel(rounds, chosen, title), "loss": loss_panel(rounds),
        "failures": failures, "chosen": chosen,
        "events": [event["sentence"] for event in result["events"]],
        "refused": [r["round"] for r in rounds if not r["accepted"]],
    }  # fmt: skip


def concordance_panel(
    rounds: Sequence[Round], chosen: Round | None, title: str = "Validation concordance"
) -> dict[str, Any] | None:
    """Return the validation concordance over the rounds with its band, the chosen round marked.

    Source: own.
    """
    known = [
        (r["round"], r["concordance"]) for r in rounds if r["concordance"]["value"] is not None
    ]
    if not known:
        return None
    bounded = [(r, c) for r, c in known if c["low"] is not None and c["high"] is not None]
    lowest = min([0.5, *(c["value"] for _, c in known), *(c["low"] for _, c in bounded)])
    frame = _frame(rounds, lowest, 1.0, title)
    upper, lower = (frame.place([(r, c[key]) for r, c in bounded]) for key in ("high", "low"))
    values = [(r, c["value"]) for r, c in known]
    mark = [point for point in values if chosen and point[0] == chosen["round"]]
    return {
        "frame": frame, "band": band_path(upper, lower),
        "lines": [{"name": "all sites together", "path": line_path(frame.place(values))}],
        "mark": frame.place(mark)[0] if mark else None, "reference": frame.y.at(0.5),
    }  # fmt: skip


def loss_panel(rounds: Sequence[Round]) -> dict[str, Any] | None:
    """Return the training and validation loss over the rounds.

    Source: own.
    """
    curves = {"training": _losses(rounds, "train"), "validation": _losses(rounds, "validation")}
    return _panel(rounds, curves, "Loss")


def _losses(rounds: Sequence[Round], split: str) -> Points:
    return [(r["round"], r["loss"][split]) for r in rounds if r["loss"][split] is not None]


def _panel(rounds: Sequence[Round], curves: Mapping[str, Points], title: str) -> Any:
    values = [value for points in curves.values() for _, value in points]
    if not values:
        return None
    margin = 0.05 * (max(values) - min(values)) or 0.05
    frame = _frame(rounds, min(values) - margin, max(values) + margin, title)
    lines = [
        {"name": name, "path": line_path(frame.place(points)), "dot": frame.place(points[-1:])[0]}
        for name, points in curves.items()
        if points
    ]
    return {"frame": frame, "band": "", "lines": lines, "mark": None, "reference": None}


def _frame(rounds: Sequence[Round], low: Number, high: Number, title: str) -> Frame:
    numbers = [entry["round"] for entry in rounds]
    last = max(max(numbers), min(numbers) + 1)
    axes = Axis(min(numbers), last, 58.0, 432.0, whole=True), Axis(low, high, 212.0, 14.0)
    return Frame(*axes, "Round", title, 446, 258)
