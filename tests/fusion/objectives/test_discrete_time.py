import math

import numpy as np
import pytest
import torch

from fusion.objectives.discrete_time import DiscreteTimeObjective
from fusion.objectives.intervals import Intervals

FOUR = Intervals((0.0, 100.0, 200.0, 300.0, 400.0))


@pytest.fixture
def even():
    """Every hazard .5: biases 0, log hazard 0."""
    objective = DiscreteTimeObjective(FOUR)
    torch.nn.init.zeros_(objective.baseline)
    return objective


def one(objective, *, day, event, log_hazard=0.0):
    return objective.loss(
        torch.tensor([log_hazard]), time=torch.tensor([day]), event=torch.tensor([event])
    ).item()


@pytest.mark.parametrize(
    ("day", "event", "expected"),
    [
        (150.0, True, 1.3863),  # -log(.5) for bin 0 survived, -log(.5) for the event in bin 1
        (150.0, False, 1.3863),  # -log(.5) for each of bins 0 and 1 survived
        (50.0, True, 0.6931),  # -log(.5)
        (999.0, True, 2.7726),  # the last bin is open: -4 log(.5)
    ],
)
def test_hazards_of_one_half(even, day, event, expected):
    assert one(even, day=day, event=event) == pytest.approx(expected, abs=1e-4)


def slow(objective, eta, time, event):
    """The likelihood as a product of hazards, patient by patient."""
    biases, edges = objective.baseline.detach().double().numpy(), objective.intervals.edges
    total = 0.0
    for e, t, d in zip(eta.tolist(), time.tolist(), event.tolist(), strict=True):
        hazards = 1 / (1 + np.exp(-(biases + e)))
        k = max(j for j in range(len(biases)) if edges[j] <= t)
        total -= math.log(np.prod(1 - hazards[:k]) * (hazards[k] if d else 1 - hazards[k]))
    return total / len(eta)


def test_the_loss_is_the_product_of_hazards():
    rng = np.random.default_rng(1)
    objective = DiscreteTimeObjective(FOUR, np.array([0.1, 0.3, 0.2, 0.5]))
    eta, time = torch.tensor(rng.normal(size=30)), torch.tensor(rng.uniform(0, 600, 30))
    event = torch.tensor(rng.random(30) < 0.5)
    found = objective.loss(eta, time=time, event=event).item()
    assert found == pytest.approx(slow(objective, eta, time, event), rel=1e-6)


def test_the_loss_of_a_patient_depends_on_no_other():
    objective = DiscreteTimeObjective(FOUR)
    eta, time = torch.tensor([0.3, -1.0]), torch.tensor([120.0, 310.0])
    event = torch.tensor([True, False])
    alone = [one(objective, day=t, event=d, log_hazard=e) for e, t, d in
             zip(eta.tolist(), time.tolist(), event.tolist(), strict=True)]  # fmt: skip
    together = objective.loss(eta, time=time, event=event).item()
    assert together == pytest.approx(sum(alone) / 2)
    assert not objective.couples_patients


@pytest.mark.parametrize("size", [500.0, -500.0])
def test_extreme_risks_stay_finite(even, size):
    eta = torch.full((2,), size, requires_grad=True)
    loss = even.loss(eta, time=torch.tensor([50.0, 350.0]), event=torch.tensor([True, False]))
    loss.backward()
    assert torch.isfinite(loss)
    assert torch.isfinite(eta.grad).all()
    assert torch.isfinite(even.baseline.grad).all()


def test_nobody_gives_zero_with_a_graph(even):
    none = torch.zeros(0, requires_grad=True)
    loss = even.loss(none, time=torch.zeros(0), event=torch.zeros(0, dtype=torch.bool))
    loss.backward()
    assert loss.item() == 0
    assert even.baseline.grad.tolist() == [0, 0, 0, 0]


def test_hazards_start_at_the_federations_rates():
    # .5 a year over 100 days: 1 - exp(-.5 * 100 / 365.25)
    objective = DiscreteTimeObjective(FOUR, np.full(4, 0.5))
    hazards = torch.sigmoid(objective.baseline).tolist()
    assert hazards == pytest.approx([1 - math.exp(-50 / 365.25)] * 4)


def test_survival_is_the_product_of_the_intervals_survived(even):
    times = np.array([0.0, 100.0, 200.0, 400.0, 9999.0])
    curve = even.survival(np.zeros(1), times=times, baseline=None)[0]
    assert curve == pytest.approx([1, 0.5, 0.25, 0.0625, 0.0625])


def test_survival_falls_evenly_in_logarithm_inside_an_interval(even):
    curve = even.survival(np.zeros(1), times=np.array([50.0, 150.0]), baseline=None)[0]
    assert curve == pytest.approx([0.5**0.5, 0.5**1.5])


def test_survival_falls_with_time_and_risk(even):
    curves = even.survival(np.linspace(-3, 3, 7), times=np.linspace(0, 500, 40), baseline=None)
    assert (np.diff(curves, axis=1) <= 0).all()
    assert (np.diff(curves[:, 1:], axis=0) < 0).all()
    assert ((curves >= 0) & (curves <= 1)).all()
