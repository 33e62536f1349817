"""Survival over time: Kaplan-Meier, and the curve of the censoring."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float

from fusion.survival.estimate import Z95, Flags, Values, require_finite


@dataclass(frozen=True)
class Curve:
    """A Kaplan-Meier curve: a step down at each time with an event.

    Attributes:
        times: Days, increasing, from 0.
        survival: Probability of being event-free just after each time.
        low: Lower end of the 95% interval (log-log).
        high: Upper end of the 95% interval (log-log).
        at_risk: Patients under observation just before each time.
        events: Events at each time.

    Source: own.
    """

    times: Float[np.ndarray, " time"]
    survival: Float[np.ndarray, " time"]
    low: Float[np.ndarray, " time"]
    high: Float[np.ndarray, " time"]
    at_risk: Float[np.ndarray, " time"]
    events: Float[np.ndarray, " time"]

    def at(self, times: Float[np.ndarray, " query"]) -> Float[np.ndarray, " query"]:
        """Return the survival just after each of `times` (days, >= 0).

        Source: own.
        """
        return self.survival[np.searchsorted(self.times, times, side="right") - 1]

    def median(self) -> float | None:
        """Return the first time in days at which survival is 1/2 or less, None if there is none.

        Source: own.
        """
        below = np.flatnonzero(self.survival <= 0.5 + 1e-12)
        return float(self.times[below[0]]) if len(below) else None

    def as_dict(self) -> dict[str, Any]:
        """Return lists under the names time, survival, low, high, at_risk.

        Privacy: A curve of few patients tells their times; see `at_risk`.

        Source: own.
        """
        return {
            "time": self.times.tolist(),
            "survival": self.survival.tolist(),
            "low": self.low.tolist(),
            "high": self.high.tolist(),
            "at_risk": self.at_risk.tolist(),
        }


@dataclass(frozen=True)
class CensoringCurve:
    """G: the probability of not being censored by a time; events at one time come first.

    Attributes:
        times: Days, increasing, from 0.
        survival: G just after each time.
        source: Whose censoring this is, such as "training patients of all sites".
        linear: True = G falls evenly between the times (binned counts), False = in steps.

    Source: own.
    """

    times: Float[np.ndarray, " time"]
    survival: Float[np.ndarray, " time"]
    source: str
    linear: bool = False

    def at(self, times: Float[np.ndarray, " query"]) -> Float[np.ndarray, " query"]:
        """Return G(t-), just before each of `times` (days): 1 at and before day 0.

        Source: own.
        """
        if self.linear:
            return np.interp(times, self.times, self.survival)
        place = np.searchsorted(self.times, times, side="left") - 1
        return np.where(place < 0, 1.0, self.survival[np.maximum(place, 0)])

    def after(self, times: Float[np.ndarray, " query"]) -> Float[np.ndarray, " query"]:
        """Return G(t), just after each of `times` (days, >= 0).

        Source: own.
        """
        if self.linear:
            return np.interp(times, self.times, self.survival)
        return self.survival[np.searchsorted(self.times, times, side="right") - 1]

    def until(self, least: float = 0.1) -> float:
        """Return the last time in days up to which G stays at `least` or more.

        A sensible tau and end of integration: past it a few patients carry all the weight.

        Args:
            least: Smallest G to rely on, in (0, 1).

        Returns:
            The time at which G first falls below `least`, or the last time known.

        Source: own.
        """
        below = np.flatnonzero(self.survival < least)
        if not len(below):
            return float(self.times[-1])
        place = int(below[0])
        if not self.linear or place == 0:
            return float(self.times[place])
        high, low = self.survival[place - 1], self.survival[place]
        share = float((high - least) / (high - low))
        return float(self.times[place - 1] + share * (self.times[place] - self.times[place - 1]))


def kaplan_meier(time: Values, *, event: Flags, weight: Values | None = None) -> Curve:
    """Return the Kaplan-Meier curve with log-log 95% intervals (Greenwood).

    Args:
        time: Follow-up in days, >= 0; events at one time come before censorings.
        event: True = event seen.
        weight: Number of identical patients each row stands for; one each if None.

    Returns:
        The curve at day 0 and at every time in the data.

    Raises:
        FederationError: A time is not finite.

    Privacy: Each step is one patient's time.

    Source: Kaplan and Meier 1958, JASA 53:457; interval: Kalbfleisch and Prentice 2002, 1.4.
    """
    times, events, leaving = life_table(time, event=event, weight=weight)
    at_risk = np.cumsum(leaving[::-1])[::-1]
    return curve_from_table(times, at_risk=at_risk, exposed=at_risk, events=events)


def curve_from_table(
    times: Float[np.ndarray, " time"],
    *,
    at_risk: Float[np.ndarray, " time"],
    exposed: Float[np.ndarray, " time"],
    events: Float[np.ndarray, " time"],
) -> Curve:
    """Return the curve of a life table: the product of 1 - events / exposed.

    Args:
        times: Days, increasing, at which the steps are drawn.
        at_risk: Patients under observation before each step, as reported.
        exposed: Patients that the events of a step are divided by.
        events: Events of each step.

    Returns:
        The curve. Before the first event the interval is the point 1; at survival 0 it reaches
        from 0 to its last upper end.

    Source: Greenwood 1926; Kalbfleisch and Prentice 2002, section 1.4 (log-log interval).
    """
    exposed = np.maximum(exposed, events)
    hazard = np.divide(events, exposed, out=np.zeros_like(events), where=exposed > 0)
    survival = np.cumprod(1.0 - hazard)
    room = exposed * (exposed - events)
    terms = np.divide(events, room, out=np.zeros_like(events), where=room > 0)
    inside = (survival > 0.0) & (survival < 1.0)
    log = np.log(np.where(inside, survival, 0.5))
    # past 100 the ends are 0 and 1 to the last bit; a hundred more overflows
    half = np.minimum(Z95 * np.sqrt(np.cumsum(terms)) / np.abs(log), 100.0)
    low = np.where(inside, np.exp(log * np.exp(half)), survival)
    high = np.where(inside, np.exp(log * np.exp(-half)), 1.0)
    high = np.where(survival > 0.0, high, np.min(np.where(inside, high, 1.0), initial=1.0))
    return Curve(times, survival, low, high, at_risk, events)


def censoring_curve(
    time: Values, *, event: Flags, source: str, weight: Values | None = None
) -> CensoringCurve:
    """Return the Kaplan-Meier curve of the censoring, in steps.

    Args:
        time: Follow-up in days, >= 0; events at one time come before censorings.
        event: True = event seen.
        source: Whose censoring this is, for the result.
        weight: Number of identical patients each row stands for; one each if None.

    Returns:
        G, the probability of not being censored by a time.

    Raises:
        FederationError: A time is not finite.

    Privacy: Each step is one patient's time.

    Source: Graf et al. 1999, Stat Med 18:2529.
    """
    times, events, leaving = life_table(time, event=event, weight=weight)
    exposed = np.cumsum(leaving[::-1])[::-1] - events
    censored = leaving - events
    hazard = np.divide(censored, exposed, out=np.zeros_like(censored), where=exposed > 0)
    return CensoringCurve(times, np.cumprod(1.0 - hazard), source)


def life_table(
    time: Values, *, event: Flags, weight: Values | None
) -> tuple[Float[np.ndarray, " time"], Float[np.ndarray, " time"], Float[np.ndarray, " time"]]:
    """Return day 0 and the distinct times, the events at each, and all who leave then.

    Args:
        time: Follow-up in days, >= 0.
        event: True = event seen.
        weight: Number of identical patients each row stands for; one each if None.

    Returns:
        Times in days, events, and patients whose follow-up ends there.

    Raises:
        FederationError: A time is not finite.

    Privacy: Each row is one patient's time.

    Source: own.
    """
    require_finite("Time", time)
    known = np.ones(len(time)) if weight is None else weight.astype(np.float64)
    times, place = np.unique(np.concatenate([[0.0], time]), return_inverse=True)
    place = place[1:]
    events, leaving = np.zeros(len(times)), np.zeros(len(times))
    np.add.at(events, place, known * event)
    np.add.at(leaving, place, known)
    return times, events, leaving
