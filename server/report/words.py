"""How figures are written: the report's numbers, dates and lists in plain words."""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any, TypeAlias

from server.suppression import KEPT

Number: TypeAlias = int | float
"""A JSON number."""

DAYS_A_YEAR = 365.25
"""Days in the report's years."""

DASH = "–"
"""What stands where there is no number."""

MODALITIES: Mapping[str, str] = {
    "slides": "histology slides", "omics": "genomics", "clinical": "clinical data",
}  # fmt: skip
"""Plain names of the modalities; another modality keeps its own."""


def number(value: Number | None, digits: int = 3) -> str:
    """Return a number with a fixed count of decimals and a true minus sign, or a dash for None.

    Source: own.
    """
    if value is None:
        return DASH
    text = f"{value:,.{digits}f}"
    text = text.lstrip("-") if float(text.replace(",", "")) == 0 else text
    return text.replace("-", "−")


def percent(share: Number | None, digits: int = 1) -> str:
    """Return a share in [0, 1] as percent, or a dash for None.

    Source: own.
    """
    return DASH if share is None else f"{number(100 * share, digits)}%"


def interval(figure: Mapping[str, Any], digits: int = 3) -> str:
    """Return a figure's 95% interval as "0.722 to 0.833", or a dash when it has none.

    Source: own.
    """
    if figure["low"] is None or figure["high"] is None:
        return DASH
    return f"{number(figure['low'], digits)} to {number(figure['high'], digits)}"


def percent_interval(figure: Mapping[str, Any]) -> str:
    """Return the 95% interval of a share as "3.2 to 6.0%", or a dash when it has none.

    Source: own.
    """
    if figure["low"] is None or figure["high"] is None:
        return DASH
    return f"{number(100 * figure['low'], 1)} to {percent(figure['high'])}"


def why_not(figure: Mapping[str, Any]) -> str:
    """Return "not measured: <reason>" of a figure without a value, or "suppressed: <reason>".

    Source: own.
    """
    reason = figure.get("reason") or "no reason was recorded"
    return reason if reason.startswith(KEPT) else f"not measured: {reason}"


def p_value(value: Number | None) -> str:
    """Return a p-value as "p = 0.231" or "p < 0.001", or a dash for None.

    Source: own.
    """
    if value is None:
        return DASH
    return "p < 0.001" if value < 0.001 else f"p = {value:.3f}"


def count(amount: int, noun: str, plural: str | None = None) -> str:
    """Return "1 patient" or "1,204 patients".

    Source: own.
    """
    return f"{amount:,} {noun if amount == 1 else plural or noun + 's'}"


def span(days: Number) -> str:
    """Return a time in days in years where it is a whole or half number of them.

    Source: own.
    """
    halves = 2 * days / DAYS_A_YEAR
    if abs(halves - round(halves)) > 1e-6:
        return f"{days:,.0f} days"
    years = round(halves) / 2
    return "1 year" if years == 1 else f"{years:g} years"


def clock(seconds: Number) -> str:
    """Return a time taken as "4 min 31 s".

    Source: own.
    """
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"


def moment(text: str) -> str:
    """Return an ISO 8601 time as "2 March 2025, 14:05 UTC"; text that is none stays as it is.

    Source: own.
    """
    try:
        when = datetime.fromisoformat(text)
    except ValueError:
        return text
    zone = " UTC" if when.tzinfo else ""
    when = when.astimezone(UTC) if when.tzinfo else when
    return f"{when.day} {when:%B %Y, %H:%M}{zone}"


def listing(names: Iterable[str], nothing: str = "none") -> str:
    """Return "a, b and c".

    Source: own.
    """
    known = list(names)
    if len(known) < 2:
        return known[0] if known else nothing
    return f"{', '.join(known[:-1])} and {known[-1]}"


def modality(name: str) -> str:
    """Return the plain name of a modality.

    Source: own.
    """
    return MODALITIES.get(name, name)


def sentence(text: str) -> str:
    """Return `text` with a capital first letter and a full stop.

    Source: own.
    """
    text = text.strip()
    ended = text if text.endswith((".", "!", "?")) else text + "."
    return ended[:1].upper() + ended[1:]


def setting(value: str | Number | bool) -> str:
    """Return a setting's value as it is written in a run's configuration.

    Source: own.
    """
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return f"{value:g}"
    return str(value) if value != "" else "(empty)"
