"""The sites' sums added up: the federation's figures of one model on one split."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np

from fusion.survival.calibration import BrierSums
from fusion.survival.concordance import Concordance, combine_within, concordance_from
from fusion.survival.estimate import Estimate, require_finite
from fusion.survival.moments import MomentSums
from fusion.survival.noised_counts import Counts, NoisedCounts, add_counts
from fusion.survival.tallies import OutcomeCounts, count
from fusion.training.examination import Yardstick
from privacy.disclosure import FIGURES
from server.audits import readable_audit
from server.bounded_answers import brier_of, loss_of, moments_of, scores_of
from server.class_scores import ClassScore, add_up_classes, readable_classes
from server.inbox import Answer, Check
from server.suppression import ALONE, KEPT, is_alone, nothing, rules_of, suppressed

CONCORDANCE, WITHIN = "concordance", "within"
"""Releases of a site's own concordance, and of what becomes a mean over sites in a secure sum."""

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
        pairs: How many.
        sites: Each site's own figures, less those that a policy keeps back.
        brier: Integrated Brier score over all sites' patients.
        alone: Whether the only patients are of one site that shows no figure of its own; all
            figures are then over nobody.

    Source: own.
    """

    counts: Counts
    moments: MomentSums
    loss: float | None
    within: Estimate
    pairs: float
    sites: tuple[dict[str, Any], ...]
    brier: Estimate
    alone: bool

    def together(self, found: Estimate) -> dict[str, Any]:
        """Return a figure over all sites in the result's form, or why it is left out."""
        return nothing(ALONE) if self.alone else found.as_dict()

    @property
    def patients(self) -> int:
        """Patients examined."""
        return self.counts.patients

    @property
    def ranking(self) -> Estimate:
        """The concordance."""
        return self.counts.concordance().estimate

    @property
    def grid(self) -> tuple[float, float]:
        """Centre and scale of the next risk bins."""
        return self.moments.centre, self.moments.scale

    def record(self) -> dict[str, Any]:
        """Return what a round keeps of it."""
        found = self.ranking
        sites = [
            {k: site[k] for k in ("name", "patients", "events", "noised")}
            | _traced(site["concordance"])
            for site in self.sites
        ]
        return {
            "concordance": {"value": found.value, "low": found.low, "high": found.high},
            "sites": sites,
        }


Scored: TypeAlias = Score | ClassScore
"""What sites say of a model of survival, or of one of classes."""


def add_up(answers: Sequence[Answer], yardstick: Yardstick) -> Scored:
    """Return the federation's figures of a model.

    Args:
        answers: Readable answers, in order of name; without any, all counts are 0.
        yardstick: What they measured with.

    Source: own.
    """
    if yardstick.classes:
        return add_up_classes(answers, yardstick)
    return add_up_survival(answers, yardstick)


def add_up_survival(answers: Sequence[Answer], yardstick: Yardstick) -> Score:
    """Return the federation's figures of a model of survival.

    Args:
        answers: Readable answers, in order of name; without any, all counts are 0.
        yardstick: What they measured with.

    Returns:
        Sums over the sites and each site's own figures.

    Source: own.
    """
    counts = {answer.site: _counts(answer, yardstick) for answer in answers}
    patients = {site: float(one.patients) for site, one in counts.items()}
    kept = suppressed(answers, FIGURES, patients)
    alone = is_alone(kept, patients)
    summed = [] if alone else answers
    moments = [moments_of(answer) for answer in summed]
    loss, weight = sum((loss_of(answer) for answer in summed), start=np.zeros(2))
    own = {answer.site: _ranking(answer, counts[answer.site]) for answer in answers}
    within = [own[answer.site] for answer in summed]
    return Score(
        counts=add_counts([nobody(yardstick), *(counts[answer.site] for answer in summed)]),
        moments=sum(moments, start=MomentSums(0.0, 0.0, 0.0)),
        loss=float(loss / weight) if weight > 0 else None,
        within=combine_within(within),
        pairs=float(sum(one.comparable for one in within)),
        sites=tuple(
            _site(_Seen(answer, counts[answer.site], own[answer.site], yardstick), kept)
            for answer in answers
            if not answer.added
        ),
        brier=_together(summed),
        alone=alone,
    )


def readable(yardstick: Yardstick, modalities: tuple[str, ...], replicates: int = 0) -> Check:
    """Return a check that what a site reports of a model can be added up.

    Args:
        yardstick: What it measured with.
        modalities: Of the audit, if one comes along.
        replicates: Of its bootstrap, that were asked for.

    Source: own.
    """
    if yardstick.classes:
        return readable_classes(yardstick, modalities, replicates)

    def check(answer: Answer) -> None:
        rules_of(answer)
        _counts(answer, yardstick)
        scores_of(answer)
        MomentSums.from_array(answer.sums["risk-moments"])
        require_finite("Loss", answer.sums["loss"].reshape(2))
        figures = [answer.sums[WITHIN if answer.added else CONCORDANCE]]
        if yardstick.censoring is not None:
            BrierSums.from_array(answer.sums["brier"])
        if yardstick.censoring is not None and not answer.added:
            figures.append(answer.sums["uno"])
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


@dataclass(frozen=True, eq=False)
class _Seen:
    """What one site sent, read."""

    answer: Answer
    counts: Counts
    own: Concordance
    yardstick: Yardstick


def _together(answers: Sequence[Answer]) -> Estimate:
    """Return the score; without a censoring curve, as in validation, it is over nobody."""
    sums = [brier_of(answer) for answer in answers if "brier" in answer.sums]
    return sum(sums, start=BrierSums(0.0, 0.0, 0.0)).estimate()


def _counts(answer: Answer, yardstick: Yardstick) -> Counts:
    array, noise = answer.sums["outcome-counts"], answer.noise("outcome-counts")
    grids: dict[str, Any] = {
        "time_grid": yardstick.time_grid, "risk_grid": yardstick.risk_grid,
    }  # fmt: skip
    if noise:
        return NoisedCounts.from_array(array, deviation=noise, **grids)
    return OutcomeCounts.from_array(array, **grids)


def _ranking(answer: Answer, counts: Counts) -> Concordance:
    """Return a site's own concordance: of its patients, or of its noised counts."""
    if isinstance(counts, NoisedCounts):
        return counts.concordance()
    return _own(answer)


def _traced(found: dict[str, Any]) -> dict[str, Any]:
    """Return a site's concordance as a round keeps it."""
    return {"concordance": found["value"], "low": found["low"], "high": found["high"]}


def _concordance(three: np.ndarray) -> Concordance:
    concordant, comparable, error = map(float, three)
    known = None if np.isnan(error) else error
    return concordance_from(concordant, comparable=comparable, standard_error=known)


def _own(answer: Answer) -> Concordance:
    """Return the concordance within a site, or that within the sites behind a sum.

    There the third number is a sum of (pairs x standard error)^2: its root over all pairs is the
    error of the mean.
    """
    if not answer.added:
        return _concordance(answer.sums[CONCORDANCE])
    concordant, comparable, square = map(float, answer.sums[WITHIN])
    error = np.sqrt(square) / comparable if comparable > 0 else None
    return concordance_from(concordant, comparable=comparable, standard_error=error)


def _site(seen: _Seen, reasons: Mapping[str, str]) -> dict[str, Any]:
    """Return a site's own figures in the result's form, or why they are left out."""
    answer, counts, kept = seen.answer, seen.counts, reasons.get(seen.answer.site)
    rules = rules_of(answer)
    entry: dict[str, Any] = {
        "name": answer.site,
        "patients": rules.told(counts.patients),
        "events": rules.told(counts.events),
        "noised": isinstance(counts, NoisedCounts),
        "concordance": seen.own.as_dict() if kept is None else nothing(kept),
        "note": _note(rules.told(counts.events), counts.events) if kept is None else KEPT,
    }
    if seen.yardstick.censoring is not None:
        found = {"uno": _uno(seen), "integrated_brier": brier_of(answer).estimate()}
        entry |= {k: v.as_dict() if kept is None else nothing(kept) for k, v in found.items()}
    return entry


def _uno(seen: _Seen) -> Estimate:
    counts, yardstick = seen.counts, seen.yardstick
    if isinstance(counts, NoisedCounts) and yardstick.censoring is not None:
        return counts.uno(yardstick.censoring, yardstick.tau).estimate
    return _concordance(seen.answer.sums["uno"]).estimate


def _note(told: int, events: int) -> str | None:
    """Return why a site's figures are not to be interpreted; its exact count only if it is told."""
    if events >= FEW_EVENTS:
        return None
    number = f"{events} event{'s' * (events != 1)}" if told == events else "few events"
    return f"{number}: not interpretable"
