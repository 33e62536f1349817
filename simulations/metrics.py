"""Every survival metric, with intervals, of anybody's predictions in a CSV file."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Bool, Float

from fusion.errors import ConfigError
from fusion.registry import nearest
from fusion.survival.calibration import brier_sums
from fusion.survival.concordance import combine_within, concordance, uno_concordance
from fusion.survival.curves import CensoringCurve, censoring_curve, kaplan_meier
from fusion.survival.estimate import Estimate, Flags, Values
from fusion.survival.logrank import logrank

REQUIRED = ("risk", "time", "event")
SURVIVAL = "survival_"
FEW_EVENTS = 5
"""With fewer events a site's figure is marked as not interpretable."""


@dataclass(frozen=True)
class Predictions:
    """What a file of predictions holds, checked.

    Attributes:
        risk: Any ranking score, higher = earlier event.
        time: Follow-up in days.
        event: True = event seen.
        sites: Each patient's site, None without that column.
        horizons: Days of the survival columns, increasing.
        survival: Predicted probability of being event-free at each horizon.
        ignored: Columns that mean nothing here.

    Source: own.
    """

    risk: Values
    time: Values
    event: Flags
    sites: tuple[str, ...] | None
    horizons: Float[np.ndarray, " time"]
    survival: Float[np.ndarray, "patient time"]
    ignored: tuple[str, ...] = ()


def evaluate_predictions(path: Path, tau: float | None = None) -> dict[str, Any]:
    """Return concordances, Brier score and survival of the predictions in a CSV file.

    Columns: `risk` (higher = earlier event), `time` (days), `event` (1 = seen, 0 = censored);
    optional `site` and `survival_<days>` (probability of being event-free). The censoring curve
    is that of the file's patients. A figure that cannot be had is None with a reason.

    Args:
        path: The file.
        tau: End of Uno's concordance in days; where the censoring curve falls below 0.1 if None.

    Returns:
        JSON-safe figures: patients, events, concordance, uno, integrated_brier, within_sites,
        sites, kaplan_meier, risk_groups, notes.

    Raises:
        ConfigError: The file or one of its values cannot be used; it is named.

    Privacy: Reads one row a patient; the figures are as private as the file when it is small.

    Source: own; see `fusion.survival`.
    """
    found = read_predictions(path)
    censoring = censoring_curve(
        found.time, event=found.event, source="all patients of the file, Kaplan-Meier"
    )
    end = censoring.until() if tau is None else tau
    sites = found.sites or ()
    names = sorted(set(sites))
    parts = {name: np.array([site == name for site in sites]) for name in names}
    everyone = np.ones(len(found.risk), dtype=np.bool_)
    return {
        **_figures(found, everyone, censoring=censoring, tau=end),
        "integrated_brier": _integrated_brier(found, censoring),
        "within_sites": _within(found, parts),
        "sites": [
            {"name": name, **_figures(found, part, censoring=censoring, tau=end)}
            for name, part in parts.items()
        ],
        "kaplan_meier": _follow_up(found),
        "risk_groups": _risk_groups(found),
        "notes": _notes(found),
    }


def read_predictions(path: Path) -> Predictions:
    """Return the predictions of a CSV file, checked; see `evaluate_predictions`.

    Args:
        path: The file.

    Returns:
        The predictions, in the order of the file.

    Raises:
        ConfigError: The file or one of its values cannot be used; it is named.

    Privacy: Reads one row a patient; errors name lines, not values.

    Source: own.
    """
    frame = _read_csv(path)
    for name in REQUIRED:
        if name not in frame.columns:
            raise ConfigError(
                f"Predictions must have the columns risk, time and event, got no '{name}' in "
                f"'{path}'. {nearest(name, map(str, frame.columns))}"
            )
    if len(frame) < 2:
        raise ConfigError(
            f"Predictions must have two patients or more, got {len(frame)} in '{path}'. "
            "Write one row a patient."
        )
    risk, time, status = (_numbers(frame, name) for name in REQUIRED)
    _require(time >= 0, "time must be >= 0 days", "Mend the follow-up.")
    _require((status == 0) | (status == 1), "event must be 0 or 1", "Write 1 = seen, 0 = censored.")
    _require((time > 0) | (status == 0), "time of an event must be > 0", "Mend the follow-up.")
    horizons, survival = _survival(frame)
    others = (str(name) for name in frame.columns if name not in (*REQUIRED, "site"))
    ignored = tuple(name for name in others if not name.startswith(SURVIVAL))
    return Predictions(risk, time, status == 1, _sites(frame), horizons, survival, ignored)


def _read_csv(path: Path) -> pd.DataFrame:
    try:
        frame = pd.read_csv(
            path,
            dtype={"site": str},
            skipinitialspace=True,
            encoding="utf-8-sig",
            low_memory=False,
        )
    except FileNotFoundError:
        raise ConfigError(f"Predictions must be a file, got '{path}'. Check the path.") from None
    except pd.errors.EmptyDataError:
        raise ConfigError(
            f"Predictions must have a header row, got an empty file '{path}'. Write it again."
        ) from None
    except (OSError, UnicodeDecodeError, pd.errors.ParserError) as error:
        raise ConfigError(f"Predictions must be CSV, got '{path}': {error}. Mend it.") from None
    if not isinstance(frame.index, pd.RangeIndex):
        raise ConfigError(
            f"Predictions must have a name for every column, got rows longer than the header in "
            f"'{path}'. Mend the header."
        )
    return frame.rename(columns=lambda name: str(name).strip())


def _numbers(frame: pd.DataFrame, name: str) -> Values:
    """Return a column as finite numbers."""
    values = pd.to_numeric(frame[name], errors="coerce").to_numpy(dtype=np.float64)
    _require(np.isfinite(values), f"{name} must be a finite number", "Fill it in or drop the row.")
    return values


def _require(good: Bool[np.ndarray, " patient"], rule: str, remedy: str) -> None:
    """Raise unless every row is good; names up to three lines of the file."""
    bad = np.flatnonzero(~good)
    if len(bad):
        lines = ", ".join(str(row + 2) for row in bad[:3])
        raise ConfigError(
            f"Column {rule} in every row, got {len(bad)} other rows (line {lines}"
            f"{', ...' if len(bad) > 3 else ''}). {remedy}"
        )


def _sites(frame: pd.DataFrame) -> tuple[str, ...] | None:
    if "site" not in frame.columns:
        return None
    named = frame["site"].notna().to_numpy(dtype=np.bool_)
    _require(named, "site must name a site", "Fill it in or drop the column.")
    return tuple(frame["site"].str.strip())


def _survival(
    frame: pd.DataFrame,
) -> tuple[Float[np.ndarray, " time"], Float[np.ndarray, "patient time"]]:
    """Return the horizons in days, increasing, and the predicted survival at each."""
    days = {_days(name): name for name in frame.columns if name.startswith(SURVIVAL)}
    horizons = np.array(sorted(days), dtype=np.float64)
    survival = np.zeros((len(frame), len(days)))
    for place, day in enumerate(sorted(days)):
        survival[:, place] = _numbers(frame, days[day])
        inside = (survival[:, place] >= 0) & (survival[:, place] <= 1)
        _require(inside, f"{days[day]} must be from 0 to 1", "Write a probability.")
        if place:
            falls = survival[:, place] <= survival[:, place - 1] + 1e-9
            _require(falls, f"{days[day]} must not exceed earlier survival", "Mend the curves.")
    return horizons, survival


def _days(name: str) -> float:
    try:
        days = float(name.removeprefix(SURVIVAL))
    except ValueError:
        days = -1.0
    if not 0 < days < np.inf:
        raise ConfigError(
            f"Survival columns must be called survival_<days>, got '{name}'. "
            "Write survival_365.25 or rename the column."
        )
    return days


def _figures(
    found: Predictions,
    part: Bool[np.ndarray, " patient"],
    *,
    censoring: CensoringCurve,
    tau: float,
) -> dict[str, Any]:
    """Return patients, events and both concordances of some patients, and a note if too few."""
    risk, time, event = found.risk[part], found.time[part], found.event[part]
    events = int(event.sum())
    few = f"{events} event{'' if events == 1 else 's'}: not interpretable"
    uno = uno_concordance(risk, time=time, event=event, censoring=censoring, tau=tau)
    return {
        "patients": len(risk),
        "events": events,
        "concordance": concordance(risk, time=time, event=event).as_dict(),
        "uno": uno.as_dict(),
        "note": few if events < FEW_EVENTS else None,
    }


def _within(
    found: Predictions, parts: Mapping[str, Bool[np.ndarray, " patient"]]
) -> dict[str, Any]:
    """Return the mean of the sites' own concordances, weighted by their comparable pairs."""
    if not parts:
        missing = Estimate(None, reason="the file has no column 'site'")
        return missing.as_dict() | {"comparable_pairs": 0.0}
    own = [
        concordance(found.risk[part], time=found.time[part], event=found.event[part])
        for part in parts.values()
    ]
    pairs = sum(one.comparable for one in own)
    return combine_within(own).as_dict() | {"comparable_pairs": float(pairs)}


def _integrated_brier(found: Predictions, censoring: CensoringCurve) -> dict[str, Any]:
    """Return the Brier score averaged over the horizons that follow-up reaches."""
    horizons = found.horizons
    used = (horizons < found.time.max()) & (censoring.after(horizons) > 0)
    known = {"until_days": None, "horizons_used": horizons[used].tolist()}
    if not len(horizons):
        return Estimate(None, reason="the file has no columns survival_<days>").as_dict() | known
    if not used.any():
        return Estimate(None, reason="follow-up ends before any survival_<days>").as_dict() | known
    sums = brier_sums(
        found.survival[:, used],
        time=found.time,
        event=found.event,
        times=horizons[used],
        censoring=censoring,
    )
    return sums.estimate().as_dict() | known | {"until_days": float(horizons[used][-1])}


def _follow_up(found: Predictions) -> dict[str, Any]:
    """Return median survival and median follow-up, None where the curve stays above 1/2."""
    survival = kaplan_meier(found.time, event=found.event)
    follow_up = kaplan_meier(found.time, event=~found.event)
    return {
        "median_days": survival.median(),
        "median_follow_up_days": follow_up.median(),
        "longest_follow_up_days": float(found.time.max()),
    }


def _risk_groups(found: Predictions) -> dict[str, Any]:
    """Return survival of those above the median risk and the others, and their log-rank test."""
    above = found.risk > np.median(found.risk)
    groups = []
    for name, part in (("lower risk", ~above), ("higher risk", above)):
        curve = kaplan_meier(found.time[part], event=found.event[part])
        counted = {"patients": int(part.sum()), "events": int(found.event[part].sum())}
        groups.append({"name": name} | counted | {"median_days": curve.median()})
    test = logrank(found.time, event=found.event, group=above.astype(np.int64))
    return {"groups": groups, "logrank": test.as_dict()}


def _notes(found: Predictions) -> list[str]:
    """Return what a reader should know before quoting the figures."""
    notes, zero = [], int((found.time == 0).sum())
    if zero:
        notes.append(f"Censored on day 0, counted but in no comparison: {zero}.")
    if found.ignored:
        notes.append(f"Columns not read: {', '.join(found.ignored)}.")
    return notes
