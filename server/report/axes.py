"""From figures to places on the page: axes, ticks, step curves and bands as SVG text."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from server.report.words import Number

Point: TypeAlias = tuple[Number, Number]
"""To the right and upwards, in an axis' units or in px."""

STEPS = (1.0, 2.0, 2.5, 5.0, 10.0)
"""Tick distances, times a power of ten."""


@dataclass(frozen=True)
class Tick:
    """A labelled place on an axis.

    Attributes:
        value: What is marked, in the axis' units.
        at: Place in px.
        label: What is written there.

    Source: own.
    """

    value: float
    at: float
    label: str


@dataclass(frozen=True)
class Axis:
    """A linear map from [low, high] to px from `start` to `end`.

    Attributes:
        low: First value.
        high: Last value.
        start: Place of the first, in px.
        end: Place of the last, in px.
        whole: Whether only whole numbers are marked, as of rounds.

    Source: own.
    """

    low: Number
    high: Number
    start: float
    end: float
    whole: bool = False

    def at(self, value: Number) -> float:
        """Return the place of `value` in px; what lies outside is put at the nearer end.

        Source: own.
        """
        inside = min(max(value, self.low), self.high)
        width = self.high - self.low
        share = (inside - self.low) / width if width > 0 else 0.0
        return round(self.start + share * (self.end - self.start), 1)

    def ticks(self, most: int = 6) -> tuple[Tick, ...]:
        """Return at most `most` ticks at round values inside the axis.

        Source: own.
        """
        step = max(tick_step(self.high - self.low, most), 1.0 if self.whole else 0.0)
        digits = max(0, math.ceil(-math.log10(step) - 1e-9))
        digits += round(step * 10**digits, 6) % 1 > 0
        first, last = math.ceil(self.low / step - 1e-9), math.floor(self.high / step + 1e-9)
        values = (index * step for index in range(first, last + 1))
        return tuple(Tick(value, self.at(value), f"{value:.{digits}f}") for value in values)


def tick_step(width: Number, most: int) -> float:
    """Return the smallest round distance that puts at most `most` ticks on an axis `width` long.

    Source: own.
    """
    if not width > 0:
        return 1.0
    raw = width / max(1, most - 1)
    power = 10.0 ** math.floor(math.log10(raw))
    return power * next(step for step in STEPS if step * power >= raw * (1 - 1e-9))


def line_path(points: Iterable[Point]) -> str:
    """Return the SVG path through points in px.

    Source: own.
    """
    return " ".join(f"{'L' if index else 'M'}{x:g} {y:g}" for index, (x, y) in enumerate(points))


def steps(xs: Sequence[Number], ys: Sequence[Number]) -> list[Point]:
    """Return the corners of a curve that holds its level until the next `x`.

    Args:
        xs: Places where the level changes, in px.
        ys: Level from that place on, in px.

    Returns:
        Corners from the first place to the last.

    Source: own.
    """
    corners = [(xs[0], ys[0])] if xs else []
    for index in range(1, len(xs)):
        corners += [(xs[index], ys[index - 1]), (xs[index], ys[index])]
    return corners


def band_path(upper: Sequence[Point], lower: Sequence[Point]) -> str:
    """Return the closed SVG path between two curves in px; empty when there is none.

    Source: own.
    """
    return f"{line_path([*upper, *reversed(lower)])} Z" if upper and lower else ""


@dataclass(frozen=True)
class Frame:
    """A plotting area: two axes, their titles and the size of the picture around them.

    Attributes:
        x: Axis to the right.
        y: Axis upwards (its `start` is the lower end, the larger px).
        x_title: What the x axis shows, with its unit.
        y_title: What the y axis shows, with its unit.
        width: Of the picture in px.
        height: Of the picture in px.
        most_x: Ticks on the x axis at most.
        most_y: Ticks on the y axis at most.

    Source: own.
    """

    x: Axis
    y: Axis
    x_title: str
    y_title: str
    width: int
    height: int
    most_x: int = 8
    most_y: int = 6

    @property
    def x_ticks(self) -> tuple[Tick, ...]:
        """Ticks of the x axis.

        Source: own.
        """
        return self.x.ticks(self.most_x)

    @property
    def y_ticks(self) -> tuple[Tick, ...]:
        """Ticks of the y axis.

        Source: own.
        """
        return self.y.ticks(self.most_y)

    def place(self, points: Iterable[Point]) -> list[Point]:
        """Return points of the two axes in px.

        Source: own.
        """
        return [(self.x.at(x), self.y.at(y)) for x, y in points]
