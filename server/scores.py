"""The sites' sums added up: the federation's figures of one model on one split."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from fusion.survival.calibration import BrierSums
from fusion.survival.concordance import Concordance, combine_within, concordance_from
from fusion.survival.estimate import Estimate, require_finite
from fusion.survival.moments import MomentSums
from fusion.survival.tallies import OutcomeCounts, count
from fusion.training.examination import Yardstick
from server.audits import readable_audit
from server.inbox import Answer, Check

FEW_EVENTS = 5
"""Below this many events a site's figures are marked as not interpretable."""


@dataclass(frozen=True, eq=False)
class Score:
    """What all sites together say of a model.

    Attributes:
        counts: Patients by time bin, event and risk bin, all sites added.
        moments: Of their risks.
        loss: Mean loss; None without patients (or events, if the objective couples patients).
        within: Mean within sites, weighted by comparable pairs.
        sites: Each site's own figures.

    Source: own.
    """

    counts: OutcomeCounts
    moments: MomentSums
    loss: float | None
    within: Estimate
    sites: tuple[dict[str, Any], ...]


def add_up(answers: Sequence[Answer], yardstick: Yardstick) -> Score:
    """Return the federation's figures.

    Args:
        answers: Readable answers, in order of name; without any, all counts are 0.
        yardstick: What they measured with.

    Returns:
        Sums over the sites and each site's own figures.

    Source: own.
    """
    counts = [_counts(answer, yardstick) for answer in answers]
    moments = [MomentSums.from_array(answer.sums["risk-moments"]) for answer in answers]
    loss, weight = sum((answer.sums["loss"] for answer in answers), start=np.zeros(2))
    own = [_concordance(answer.sums["concordance"]) for answer in answers]
    return Score(
        counts=sum(counts, start=nobody(yardstick)),
        moments=sum(moments, start=MomentSums(0.0, 0.0, 0.0)),
        loss=float(loss / weight) if weight > 0 else None,
        within=combine_within(own),
        sites=tuple(map(_site, answers, counts, own)),
    )


def readable(yardstick: Yardstick, modalities: tuple[str, ...], replicates: int = 0) -> Check:
    """Return a check that what a site reports of a model can be added up.

    Args:
        yardstick: What it measured with.
        modalities: Of the audit, if one comes along.
        replicates: Of its bootstrap, that were asked for.

    Source: own.
    """

    def check(answer: Answer) -> None:
        _counts(answer, yardstick)
        MomentSums.from_array(answer.sums["risk-moments"])
        require_finite("Loss", answer.sums["loss"].reshape(2))
        figures = [answer.sums["concordance"]]
        if yardstick.censoring is not None:
            figures.append(answer.sums["uno"])
            BrierSums.from_array(answer.sums["brier"])
        for three in figures:
            require_finite("Concordance", three.reshape(3)[:2])
        readable_audit(answer, modalities, replicates)

    return check


def nobody(yardstick: Yardstick) -> OutcomeCounts:
    """Return counts of no patients on the yardstick's grids.

    Source: own.
    """
    none = np.zeros(0)
    return count(
        none,
        time=none,
        event=none.astype(bool),
        time_grid=yardstick.time_grid,
        risk_grid=yardstick.risk_grid,
    )


def brier(answers: Sequence[Answer]) -> Estimate:
    """Return the integrated Brier score over all sites' patients.

    Source: own.
    """
    sums = [BrierSums.from_array(answer.sums["brier"]) for answer in answers]
    return sum(sums[1:], start=sums[0]).estimate()


def _counts(answer: Answer, yardstick: Yardstick) -> OutcomeCounts:
    return OutcomeCounts.from_array(
        answer.sums["outcome-counts"],
        time_grid=yardstick.time_grid,
        risk_grid=yardstick.risk_grid,
    )


def _concordance(three: np.ndarray) -> Concordance:
    concordant, comparable, error = map(float, three)
    known = None if np.isnan(error) else error
    return concordance_from(concordant, comparable=comparable, standard_error=known)


def _site(answer: Answer, counts: OutcomeCounts, own: Concordance) -> dict[str, Any]:
    """Return a site's own figures in the result's form."""
    events = counts.events
    plural = "event" if events == 1 else "events"
    entry = {
        "name": answer.site,
        "patients": counts.patients,
        "events": events,
        "concordance": own.as_dict(),
        "note": f"{events} {plural}: not interpretable" if events < FEW_EVENTS else None,
    }
    if "uno" in answer.sums:
        entry["uno"] = _concordance(answer.sums["uno"]).estimate.as_dict()
        entry["integrated_brier"] = BrierSums.from_array(answer.sums["brier"]).estimate().as_dict()
    return entry
