"""A sweep as one page: figures against epsilon, a line a model, intervals over seeds."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from fusion.training.checkpoint import write_atomically
from server.report.axes import Axis, Frame, Point, Tick, line_path
from server.report.page import environment
from server.report.style import STYLE
from simulations.sweep_markup import PICTURE, STYLE_ADDED, TEMPLATE
from simulations.sweep_tables import Tables

PAGE = "report.html"

SHOWN: Mapping[str, str] = {
    "concordance": "Test concordance",
    "interaction": "Interaction share (local)",
    "calibration": "Calibration error",
    "membership_auc": "Membership AUC",
}
"""Figures with a picture of their own, and what their axis is called."""

WIDTH, HEIGHT = 460, 300
"""Of a picture, in px."""

SPREAD = 7.0
"""Px between the marks of two models at the same epsilon."""


@dataclass(frozen=True)
class Ladder(Frame):
    """A plotting area whose x axis has a place for each epsilon, evenly spaced.

    Attributes:
        labels: Of the places, from the left.

    Source: own.
    """

    labels: tuple[str, ...] = ()

    @property
    def x_ticks(self) -> tuple[Tick, ...]:
        """A tick an epsilon."""
        return tuple(
            Tick(float(place), self.x.at(place), label) for place, label in enumerate(self.labels)
        )


def write_page(tables: Tables, out: Path) -> None:
    """Write report.html and one svg a figure; they load nothing and run nothing.

    Args:
        tables: Of what has finished; without any run nothing is written.
        out: The sweep's folder.

    Source: own.
    """
    if tables.runs.empty:
        return
    pictures = dict(_pictures(tables.means))
    models = list(dict.fromkeys(tables.means["model"]))
    for name, picture in pictures.items():
        drawn = environment().from_string(PICTURE).render(picture=picture, models=models)
        write_atomically(out / f"{name}.svg", drawn.encode())
    header, *rows = tables.lines()
    page = environment().from_string(TEMPLATE).render(
        style=STYLE + STYLE_ADDED, pictures=pictures, models=models, header=header, rows=rows,
        runs=len(tables.runs), seeds=tables.runs["seed"].nunique(),
    )  # fmt: skip
    write_atomically(out / PAGE, page.encode())


def _pictures(means: pd.DataFrame) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the figures that any run has, with their pictures."""
    for name, title in SHOWN.items():
        if name in means and means[name].notna().any():
            yield name, _picture(means, name, title)


def _picture(means: pd.DataFrame, name: str, title: str) -> dict[str, Any]:
    epsilons = sorted(means["epsilon"].unique())
    known = means[[name, f"{name}_low", f"{name}_high"]].astype(float).to_numpy()
    low, high = float(np.nanmin(known)), float(np.nanmax(known))
    room = 0.06 * (high - low) or 0.05
    frame = Ladder(
        Axis(-0.4, len(epsilons) - 0.6, 62.0, WIDTH - 12.0),
        Axis(low - room, high + room, HEIGHT - 52.0, 12.0),
        "epsilon of the whole run", title, WIDTH, HEIGHT,
        labels=tuple("none" if np.isinf(value) else f"{value:g}" for value in epsilons),
    )  # fmt: skip
    models = list(dict.fromkeys(means["model"]))
    lines = [
        _line(
            means[means["model"] == model],
            name,
            frame,
            epsilons,
            SPREAD * (place - (len(models) - 1) / 2),
        )
        for place, model in enumerate(models)
    ]
    return {"frame": frame, "title": title, "lines": lines}


def _line(
    rows: pd.DataFrame, name: str, frame: Ladder, epsilons: Sequence[float], shift: float
) -> dict[str, Any]:
    """Return a model's marks with their intervals, and the line through them."""
    marks, places = [], list[Point]()
    for row in rows.sort_values("epsilon").to_dict("records"):
        if not np.isnan(float(row[name])):
            low, high = (float(row[f"{name}_{end}"] or np.nan) for end in ("low", "high"))
            x = round(frame.x.at(epsilons.index(row["epsilon"])) + shift, 1)
            places.append((x, frame.y.at(row[name])))
            ends = None if np.isnan(low) else [frame.y.at(low), frame.y.at(high)]
            marks.append({"x": x, "y": places[-1][1], "range": ends})
    return {"marks": marks, "path": line_path(places)}
