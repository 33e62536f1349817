"""The sites' counts of classes added up: the federation's figures of one model on one split."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from fusion.classes.counts import ClassCounts, no_patients
from fusion.classes.figures import class_figures, mean_auc, within_sites
from fusion.survival.estimate import Estimate, require_finite
from fusion.survival.moments import MomentSums
from fusion.training.examination import Yardstick
from privacy.disclosure import FIGURES
from server.audits import readable_audit
from server.inbox import Answer, Check
from server.suppression import ALONE, KEPT, is_alone, nothing, rules_of, suppressed

FEW_PATIENTS = 10
"""Below so many patients in some class a site's figures are marked as not interpretable."""


@dataclass(frozen=True, eq=False)
class ClassScore:
    """What all sites together say of a model of classes.

    Attributes:
        counts: All sites' added.
        moments: Of the log odds of all classes.
        loss: Mean loss; None without patients.
        within: Mean AUC of pairs inside sites.
        sites: Each site's own figures, less those that a policy keeps back.
        classes: Their names.
        alone: Whether the only patients are of one site that shows no figure of its own; all
            figures are then over nobody.

    Source: own.
    """

    counts: ClassCounts
    moments: MomentSums
    loss: float | None
    within: Estimate
    sites: tuple[dict[str, Any], ...]
    classes: tuple[str, ...]
    alone: bool

    @property
    def patients(self) -> int:
        """Patients examined."""
        return self.counts.patients

    @property
    def ranking(self) -> Estimate:
        """The mean AUC of the classes: for two sides, a concordance is an AUC."""
        return mean_auc(self.counts)

    @property
    def grid(self) -> tuple[float, float]:
        """Centre and scale of the next bins of log odds."""
        return self.moments.centre, self.moments.scale

    def record(self) -> dict[str, Any]:
        """Return what a round keeps of it."""
        found = self.ranking
        return {
            "concordance": {"value": found.value, "low": found.low, "high": found.high},
            "sites": [_traced(site) for site in self.sites],
        }

    def evaluation(self) -> dict[str, Any]:
        """Return what a result tells of it."""
        pooled = class_figures(self.counts, self.classes)
        pooled["within_sites"] = self.within.as_dict()
        if self.alone:
            pooled = _without(pooled, ALONE)
        pooled["confusion"] = self.counts.confusion.tolist()
        sites = [site for site in self.sites if site["patients"]]
        return {"split": "test", "classes": list(self.classes), "pooled": pooled, "sites": sites}


def note_of(counts: ClassCounts) -> str | None:
    """Return why a site's figures are not to be interpreted, or None.

    Source: own.
    """
    seen = counts.of_class[counts.of_class > 0]
    if len(seen) < 2:
        return "patients of one class only: not interpretable"
    if seen.min() < FEW_PATIENTS:
        return f"a class of fewer than {FEW_PATIENTS} patients: not interpretable"
    return None


def add_up_classes(answers: Sequence[Answer], yardstick: Yardstick) -> ClassScore:
    """Return the federation's figures of a model of classes.

    Args:
        answers: Readable answers, in order of name; without any, all counts are 0.
        yardstick: What they measured with.

    Source: own.
    """
    own = {answer.site: _counts(answer, yardstick) for answer in answers}
    patients = {site: float(counts.patients) for site, counts in own.items()}
    kept = suppressed(answers, FIGURES, patients)
    alone = is_alone(kept, patients)
    summed = [] if alone else answers
    moments = [MomentSums.from_array(answer.sums["risk-moments"]) for answer in summed]
    loss, weight = sum((answer.sums["loss"] for answer in summed), start=np.zeros(2))
    nobody, names = no_patients(len(yardstick.classes), yardstick.risk_grid), yardstick.classes
    return ClassScore(
        counts=sum((own[answer.site] for answer in summed), start=nobody),
        moments=sum(moments, start=MomentSums(0.0, 0.0, 0.0)),
        loss=float(loss / weight) if weight > 0 else None,
        within=within_sites([own[answer.site] for answer in summed]),
        sites=tuple(_site(one, own[one.site], names, kept.get(one.site)) for one in answers),
        classes=names,
        alone=alone,
    )


def readable_classes(
    yardstick: Yardstick, modalities: tuple[str, ...], replicates: int = 0
) -> Check:
    """Return a check that what a site reports of a model of classes can be added up.

    Args:
        yardstick: What it measured with.
        modalities: Of the audit, if one comes along.
        replicates: Of its bootstrap, that were asked for.

    Source: own.
    """

    def check(answer: Answer) -> None:
        rules_of(answer)
        _counts(answer, yardstick)
        MomentSums.from_array(answer.sums["risk-moments"])
        require_finite("Loss", answer.sums["loss"].reshape(2))
        readable_audit(answer, modalities, replicates)

    return check


def _site(
    answer: Answer, counts: ClassCounts, classes: Sequence[str], kept: str | None
) -> dict[str, Any]:
    """Return a site's own figures in the result's form, or why they are left out."""
    found = class_figures(counts, classes)
    if kept is not None:
        found = _without(found, kept)
    rules = rules_of(answer)
    found["patients"] = rules.told(counts.patients)
    for one, number in zip(found["classes"], counts.of_class.tolist(), strict=True):
        one |= {"patients": rules.told(number), "predicted": rules.told(one["predicted"])}
    return {"name": answer.site, **found, "note": note_of(counts) if kept is None else KEPT}


def _without(found: dict[str, Any], reason: str) -> dict[str, Any]:
    """Return figures with every estimate left out; counts stay."""
    blank = {key: one | nothing(reason) for key, one in found.items() if isinstance(one, dict)}
    classes = [
        {key: one | nothing(reason) if isinstance(one, dict) else one for key, one in each.items()}
        | {"f1": None}
        for each in found["classes"]
    ]
    for entry in (*blank.values(), *(each["auc"] for each in classes)):
        if "bin_error" in entry:
            entry["bin_error"] = None
    return {**found, **blank, "classes": classes}


def _traced(site: dict[str, Any]) -> dict[str, Any]:
    """Return a site's AUC as a round keeps it."""
    found = site["auc"]
    counted = {"name": site["name"], "patients": site["patients"]}
    return counted | {"concordance": found["value"], "low": found["low"], "high": found["high"]}


def _counts(answer: Answer, yardstick: Yardstick) -> ClassCounts:
    return ClassCounts.from_array(
        answer.sums["class-counts"],
        classes=len(yardstick.classes),
        bins=yardstick.risk_grid.count,
    )
