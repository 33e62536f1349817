"""One model examined on one site's patients: what leaves is a sum or the site's own figure."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int

from fusion.classes.counts import count_classes, log_odds
from fusion.config import EvaluationConfig
from fusion.objectives.classification import ClassificationObjective
from fusion.survival.baseline import LIMIT, Baseline, baseline_sums
from fusion.survival.bins import RiskGrid, TimeGrid
from fusion.survival.bounded import bounded_hazards, bounded_scores
from fusion.survival.calibration import brier_contributions, summed_brier
from fusion.survival.concordance import Concordance, concordance, uno_concordance
from fusion.survival.curves import CensoringCurve
from fusion.survival.moments import moments
from fusion.survival.tallies import cell_of, count
from fusion.training.data import PatientData
from fusion.training.evaluation import Pooled, scores
from fusion.training.plan import Network


@dataclass(frozen=True, eq=False)
class Yardstick:
    """What all sites measure with, so that their counts add up.

    Attributes:
        time_grid: Shared bins of time.
        risk_grid: Shared bins of risk.
        censoring: The federation's censoring curve; None = validation, where Uno's concordance
            and the Brier score are not taken.
        tau: Days; where Uno's concordance and the Brier score end.
        baseline: The federation's Breslow baseline, for objectives without one.
        classes: Names of the classes that are predicted; none = survival. The bins of risk then
            are bins of log odds.

    Source: own.
    """

    time_grid: TimeGrid
    risk_grid: RiskGrid
    censoring: CensoringCurve | None = None
    tau: float = 0.0
    baseline: Baseline | None = None
    classes: tuple[str, ...] = ()

    def to_words(self) -> dict[str, float | str | list[float]]:
        """Return scalars and lists for the wire, without what the settings already tell."""
        words: dict[str, float | str | list[float]] = {
            "risk_centre": self.risk_grid.centre,
            "risk_scale": self.risk_grid.scale,
        }
        if self.censoring is not None:
            words |= {
                "tau": self.tau,
                "censoring": self.censoring.survival.tolist(),
                "censoring_source": self.censoring.source,
            }
        if self.baseline is not None:
            words["baseline"] = self.baseline.cumulative_hazard.tolist()
        return words

    @classmethod
    def from_words(cls, words: dict, config: EvaluationConfig) -> "Yardstick":
        """Return the yardstick that `to_words` wrote, keys in kebab-case."""
        grid = TimeGrid(config.time_step, config.time_bins)
        risks = RiskGrid(words["risk-centre"], words["risk-scale"], config.risk_bins)
        censoring = baseline = None
        if "censoring" in words:
            survival = np.array(words["censoring"])
            source = str(words["censoring-source"])
            censoring = CensoringCurve(grid.edges[:-1], survival, source, linear=True)
        if "baseline" in words:
            baseline = Baseline(grid.edges[:-1], np.array(words["baseline"]))
        return cls(grid, risks, censoring, float(words.get("tau", 0.0)), baseline)


def examine(
    network: Network,
    data: PatientData,
    rows: Sequence[int],
    yardstick: Yardstick,
    pooled: Pooled | None = None,
) -> dict[str, np.ndarray]:
    """Return what a site reports of a model on some of its patients.

    Of a model of classes: `class-counts`, `risk-moments` of its log odds, and `loss`, over patients
    who have a label.

    Args:
        network: The model under examination.
        data: The site's patients.
        rows: Which of them, such as the validation split.
        yardstick: Shared grids and curves.
        pooled: The same patients, if their patches were read already.

    Returns:
        `outcome-counts`, `risk-moments`, `loss` (sum, weight), `concordance` (concordant,
        comparable, standard error or NaN); with a censoring curve also `uno` and `brier`.

    Privacy: only sums over patients and the site's own figures; no risk, time or identifier.

    Source: own.
    """
    if isinstance(network.objective, ClassificationObjective):
        return _examine_classes(network, data, rows, yardstick, pooled)
    risk = scores(network, data, rows, pooled)
    time, event = data.cohort.time[list(rows)], data.cohort.event[list(rows)]
    counts = count(
        risk,
        time=time,
        event=event,
        time_grid=yardstick.time_grid,
        risk_grid=yardstick.risk_grid,
    )
    found = {
        "outcome-counts": counts.to_array(),
        "risk-moments": moments(risk).to_array(),
        "loss": _loss(network, risk, data, rows),
        "concordance": _three(concordance(risk, time=time, event=event)),
    }
    each = _brier(network, risk, time=time, event=event, yardstick=yardstick)
    if yardstick.censoring is None or each is None:
        return found
    uno = uno_concordance(
        risk, time=time, event=event, censoring=yardstick.censoring, tau=yardstick.tau
    )
    return found | {"uno": _three(uno), "brier": summed_brier(each).to_array()}


def examine_each(
    network: Network,
    data: PatientData,
    rows: Sequence[int],
    yardstick: Yardstick,
    pooled: Pooled | None = None,
) -> tuple[Int[np.ndarray, " patient"], Float[np.ndarray, "patient number"]]:
    """Return each patient's cell of the outcome counts, and row of bounded scores.

    What `examine` sums up, patient by patient, for sums that noise is to hide each one in.

    Args:
        network: The model under examination; its objective must not couple patients.
        data: The site's patients.
        rows: Which of them.
        yardstick: Shared grids and curves.
        pooled: The same patients, if their patches were read already.

    Returns:
        Cells of `OutcomeCounts`, numbered row by row; `survival.bounded.bounded_scores` with
        losses, and with Brier contributions if there is a censoring curve.

    Privacy: one row a patient; stays at the site.

    Source: own.
    """
    risk = _readable(scores(network, data, rows, pooled))
    time, event = data.cohort.time[list(rows)], data.cohort.event[list(rows)]
    cells = cell_of(
        risk,
        time=time,
        event=event,
        time_grid=yardstick.time_grid,
        risk_grid=yardstick.risk_grid,
    )
    device = next(network.parameters()).device
    with torch.no_grad():
        outcomes = torch.tensor(np.column_stack([risk, time, event]), device=device)
        loss = network.objective(outcomes).double().cpu().numpy()
    brier = _brier(network, risk, time=time, event=event, yardstick=yardstick)
    return cells, bounded_scores(risk, loss=loss, brier=brier)


def refer_each(
    network: Network,
    data: PatientData,
    rows: Sequence[int],
    time_grid: TimeGrid,
    pooled: Pooled | None = None,
) -> tuple[Float[np.ndarray, "patient number"], Float[np.ndarray, "patient 3"]]:
    """Return each patient's bounded row of events and hazards, and of risks.

    What `refer` sums up, patient by patient; arguments as there.

    Privacy: one row a patient; stays at the site.

    Source: own.
    """
    risk = _readable(scores(network, data, rows, pooled))
    time, event = data.cohort.time[list(rows)], data.cohort.event[list(rows)]
    return bounded_hazards(risk, time=time, event=event, time_grid=time_grid), bounded_scores(risk)


def _examine_classes(
    network: Network,
    data: PatientData,
    rows: Sequence[int],
    yardstick: Yardstick,
    pooled: Pooled | None,
) -> dict[str, np.ndarray]:
    logits = scores(network, data, rows, pooled)
    label = data.label[data.places(rows)].cpu().numpy()
    return {
        "class-counts": count_classes(logits, label, yardstick.risk_grid).to_array(),
        "risk-moments": moments(log_odds(logits).ravel()).to_array(),
        "loss": _loss(network, logits, data, rows),
    }


def refer(
    network: Network,
    data: PatientData,
    rows: Sequence[int],
    time_grid: TimeGrid,
    pooled: Pooled | None = None,
) -> dict[str, np.ndarray]:
    """Return what the baseline hazard and the risk bins are made from, over training patients.

    Of a model of classes only the bins, which are laid over the log odds of all its classes.

    Args:
        network: The model in question.
        data: The site's patients.
        rows: Its training patients.
        time_grid: Shared bins.
        pooled: The same patients, if their patches were read already.

    Source: own.
    """
    risk = scores(network, data, rows, pooled)
    if isinstance(network.objective, ClassificationObjective):
        return {"risk-moments": moments(log_odds(risk).ravel()).to_array()}
    time, event = data.cohort.time[list(rows)], data.cohort.event[list(rows)]
    sums = baseline_sums(risk, time=time, event=event, time_grid=time_grid)
    return {"baseline": sums.to_array(), "risk-moments": moments(risk).to_array()}


def _readable(risk: Float[np.ndarray, " patient"]) -> Float[np.ndarray, " patient"]:
    """Return risks cut to numbers that all can be computed with.

    An error would tell that a patient is there for whom a crafted model overflows.
    """
    return np.nan_to_num(risk.astype(np.float64), nan=0.0).clip(-LIMIT, LIMIT)


def _brier(
    network: Network,
    risk: Float[np.ndarray, " patient"],
    *,
    time: Float[np.ndarray, " patient"],
    event: np.ndarray,
    yardstick: Yardstick,
) -> Float[np.ndarray, " patient"] | None:
    """Return each patient's Brier contribution, integrated to tau; None without a curve."""
    if yardstick.censoring is None:
        return None
    times = np.linspace(0.0, yardstick.tau, 101)[1:]
    curves = network.survival.survival(risk, times=times, baseline=yardstick.baseline)
    return brier_contributions(
        curves, time=time, event=event, times=times, censoring=yardstick.censoring
    )


def _loss(
    network: Network,
    said: Float[np.ndarray, "patient *class"],
    data: PatientData,
    rows: Sequence[int],
) -> Float[np.ndarray, "2"]:
    """Return the summed loss and what it is a sum over: events if patients are coupled."""
    objective, event = network.objective, data.cohort.event[list(rows)]
    weight = float(event.sum()) if objective.couples_patients else float(len(rows))
    with torch.no_grad():
        told = torch.tensor(said, device=data.device)
        mean = objective.loss(told, **data.targets(rows, objective.targets))
    return np.array([float(mean) * weight, weight])


def _three(found: Concordance) -> Float[np.ndarray, "3"]:
    error = found.estimate.standard_error
    return np.array([found.concordant, found.comparable, np.nan if error is None else error])
