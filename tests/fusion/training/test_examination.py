import numpy as np
import pytest
from lifelines.utils import concordance_index

from fusion.config import EvaluationConfig
from fusion.objectives.cox import cox_loss
from fusion.survival.baseline import Baseline, BaselineSums, breslow
from fusion.survival.bins import RiskGrid, TimeGrid
from fusion.survival.calibration import BrierSums
from fusion.survival.curves import CensoringCurve
from fusion.survival.moments import MomentSums
from fusion.survival.tallies import OutcomeCounts
from fusion.training.evaluation import scores
from fusion.training.examination import Yardstick, examine, refer
from fusion.training.plan import build_network

ROWS = list(range(24))
GRID = TimeGrid(182.625, 20)
PLAIN = Yardstick(GRID, RiskGrid(0.0, 1.0, 8))


def full():
    steps = np.arange(20)
    return Yardstick(
        GRID,
        RiskGrid(0.1, 0.7, 8),
        CensoringCurve(GRID.edges[:-1], 1 - steps / 25, "everybody", linear=True),
        tau=1500.0,
        baseline=Baseline(GRID.edges[:-1], steps / 15),
    )


@pytest.mark.parametrize("yardstick", [PLAIN, full()], ids=["validation", "test"])
def test_a_yardstick_survives_the_wire(yardstick):
    told = {key.replace("_", "-"): value for key, value in yardstick.to_words().items()}
    back = Yardstick.from_words(
        told, EvaluationConfig(time_step=182.625, time_bins=20, risk_bins=8)
    )
    assert back.to_words() == yardstick.to_words()
    assert (back.risk_grid, back.time_grid, back.tau) == (
        yardstick.risk_grid, yardstick.time_grid, yardstick.tau)  # fmt: skip


def test_validation_reports_sums_and_the_sites_own_concordance(network, data):
    found = examine(network, data, ROWS, PLAIN)
    assert set(found) == {"outcome-counts", "risk-moments", "loss", "concordance"}


def test_a_test_reports_uno_and_brier_too(network, data):
    found = examine(network, data, ROWS, full())
    assert set(found) >= {"uno", "brier"}
    assert BrierSums.from_array(found["brier"]).estimate().value is not None


def test_the_sites_concordance_is_that_of_lifelines(network, data):
    concordant, comparable, error = examine(network, data, ROWS, PLAIN)["concordance"]
    risk = scores(network, data, ROWS)
    expected = concordance_index(data.cohort.time, -risk, data.cohort.event)
    assert concordant / comparable == pytest.approx(expected)
    assert error > 0


def test_counts_and_moments_are_those_of_the_patients(network, data):
    found = examine(network, data, ROWS, PLAIN)
    counts = OutcomeCounts.from_array(
        found["outcome-counts"], time_grid=GRID, risk_grid=PLAIN.risk_grid
    )
    assert (counts.patients, counts.events) == (24, int(data.cohort.event.sum()))
    moments = MomentSums.from_array(found["risk-moments"])
    assert moments.centre == pytest.approx(scores(network, data, ROWS).mean())


def test_a_coupled_loss_is_summed_over_events(network, data):
    import torch

    total, weight = examine(network, data, ROWS, PLAIN)["loss"]
    assert weight == data.cohort.event.sum()
    risk = torch.tensor(scores(network, data, ROWS))
    mean = cox_loss(risk, time=data.time, event=data.event).item()
    assert total == pytest.approx(mean * weight)


def test_a_loss_of_single_patients_is_summed_over_patients(plan, data, settings):
    network = build_network(plan, settings({"objective.name": "discrete-time"}))
    total, weight = examine(network, data, ROWS, PLAIN)["loss"]
    assert weight == 24
    assert total > 0


@pytest.mark.parametrize("objective", ["cox", "discrete-time", "piecewise-exponential"])
@pytest.mark.parametrize("rows", [[], [4]], ids=["nobody", "one patient"])
def test_hardly_anybody_is_counted_without_a_fault(plan, data, settings, objective, rows):
    network = build_network(plan, settings({"objective.name": objective}))
    found = examine(network, data, rows, full())
    assert found["outcome-counts"].sum() == len(rows)
    assert found["concordance"][:2].tolist() == [0, 0]
    assert np.isnan(found["concordance"][2])
    assert np.isfinite(found["loss"]).all()


def test_patients_without_events_have_no_loss(network, data):
    rows = [row for row in ROWS if not data.cohort.event[row]]
    assert examine(network, data, rows, PLAIN)["loss"].tolist() == [0, 0]


def test_the_reference_is_breslows_baseline_of_the_patients(network, data):
    found = refer(network, data, ROWS, GRID)
    assert set(found) == {"baseline", "risk-moments"}
    hazard = breslow(BaselineSums.from_array(found["baseline"]), GRID).cumulative_hazard
    assert (np.diff(hazard) >= 0).all()
    assert hazard[-1] > 0
