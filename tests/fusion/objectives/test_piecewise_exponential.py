import math

import numpy as np
import pytest
import torch
from lifelines import PiecewiseExponentialFitter

from fusion.objectives.intervals import Intervals
from fusion.objectives.piecewise_exponential import PiecewiseExponentialObjective

YEAR = 365.25
TWO = Intervals((0.0, YEAR, 2 * YEAR))


@pytest.fixture
def objective():
    return PiecewiseExponentialObjective(TWO, np.array([0.2, 0.4]))


def one(objective, *, years, event, log_hazard=0.0):
    time = torch.tensor([years * YEAR], dtype=torch.float64)
    eta = torch.tensor([log_hazard], dtype=torch.float64)
    return objective.loss(eta, time=time, event=torch.tensor([event])).item()


@pytest.mark.parametrize(
    ("years", "event", "log_hazard", "expected"),
    [
        (1.5, True, 0.0, 0.2 + 0.4 * 0.5 - math.log(0.4)),
        (1.5, False, 0.0, 0.2 + 0.4 * 0.5),
        (0.5, True, math.log(2), 2 * 0.2 * 0.5 - math.log(2 * 0.2)),
        (3.0, False, 0.0, 0.2 + 0.4 * 2),  # the last interval is open
        (0.0, False, 0.0, 0.0),
    ],
)
def test_the_loss_by_hand(objective, years, event, log_hazard, expected):
    found = one(objective, years=years, event=event, log_hazard=log_hazard)
    assert found == pytest.approx(expected, rel=1e-6)


def test_the_loss_is_the_likelihood_of_lifelines():
    rng = np.random.default_rng(3)
    time, event = rng.exponential(2.0, 200) + 0.01, rng.random(200) < 0.7
    fitter = PiecewiseExponentialFitter([1.0]).fit(time, event)
    # lifelines' parameters are mean times, ours hazards a year
    rates = 1 / np.array([fitter.lambda_0_, fitter.lambda_1_])
    objective = PiecewiseExponentialObjective(TWO, rates)
    found = objective.loss(
        torch.zeros(200, dtype=torch.float64),
        time=torch.tensor(time * YEAR),
        event=torch.tensor(event),
    )
    assert found.item() * 200 == pytest.approx(-fitter.log_likelihood_, rel=1e-5)


def test_the_best_baseline_is_events_a_patient_year():
    rng = np.random.default_rng(3)
    time, event = torch.tensor(rng.exponential(YEAR, 100)), torch.tensor(rng.random(100) < 0.7)
    exposure = TWO.exposure(time).sum(0)
    deaths = torch.bincount(TWO.index(time)[event], minlength=2)
    objective = PiecewiseExponentialObjective(TWO, (deaths / exposure).double().numpy())
    loss = objective.loss(torch.zeros(100, dtype=torch.float64), time=time, event=event)
    loss.backward()
    assert objective.baseline.grad.tolist() == pytest.approx([0, 0], abs=1e-6)


def test_the_loss_of_a_patient_depends_on_no_other(objective):
    alone = [one(objective, years=1.2, event=True), one(objective, years=0.3, event=False)]
    together = objective.loss(
        torch.zeros(2), time=torch.tensor([1.2, 0.3]) * YEAR, event=torch.tensor([True, False])
    )
    assert together.item() == pytest.approx(sum(alone) / 2, rel=1e-6)
    assert not objective.couples_patients


def test_a_very_low_risk_stays_finite(objective):
    assert one(objective, years=2.0, event=True, log_hazard=-500.0) == pytest.approx(500, rel=0.01)


def test_nobody_gives_zero_with_a_graph(objective):
    none = torch.zeros(0, requires_grad=True)
    objective.loss(none, time=torch.zeros(0), event=torch.zeros(0, dtype=torch.bool)).backward()
    assert objective.baseline.grad.tolist() == [0, 0]


def test_survival_by_hand(objective):
    times = np.array([0.0, YEAR, 1.5 * YEAR, 3 * YEAR])
    curves = objective.survival(np.log([1.0, 2.0]), times=times, baseline=None)
    cumulative = np.array([0, 0.2, 0.4, 1.0])
    assert curves[0] == pytest.approx(np.exp(-cumulative), rel=1e-6)
    assert curves[1] == pytest.approx(np.exp(-2 * cumulative), rel=1e-6)


def test_survival_of_extreme_risks_is_a_probability(objective):
    curves = objective.survival(
        np.array([-900.0, 900.0]), times=np.array([0.0, 500.0]), baseline=None
    )
    assert curves.tolist() == [[1, 1], [1, 0]]
