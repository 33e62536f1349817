"""Every survival metric, with intervals, of anybody's predictions in a CSV file."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Bool

from fusion.survival.calibration import brier_sums
from fusion.survival.concordance import combine_within, concordance, uno_concordance
from fusion.survival.curves import CensoringCurve, censoring_curve, kaplan_meier
from fusion.survival.estimate import Estimate
from fusion.survival.logrank import logrank
from simulations.predictions import Predictions, read_predictions

FEW_EVENTS = 5
"""With fewer events a site's figure is marked as not interpretable."""


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
