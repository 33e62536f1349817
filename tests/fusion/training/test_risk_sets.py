import numpy as np
import pytest
import torch

from fusion.errors import FederationError
from fusion.survival.bins import TimeGrid
from fusion.survival.risk_sets import RiskSums, risk_sums
from fusion.training import loop
from fusion.training.data import Draw
from fusion.training.evaluation import scores
from fusion.training.plan import build_network, weights
from fusion.training.risk_sets import RISK_SET, beside, tell_risk_set

GRID = TimeGrid(182.625, 20)
ROWS = list(range(24))


@pytest.fixture
def shared(plan, settings):
    return build_network(plan, settings({"objective.name": "federated-cox"}))


@pytest.fixture
def others():
    rng = np.random.default_rng(5)
    time, event = rng.exponential(900, 40), rng.random(40) < 0.6
    sums = risk_sums(rng.normal(size=40), time=time, event=event, time_grid=GRID)
    return {RISK_SET: sums.without_small_bins().to_array()}


def test_a_site_tells_the_hazards_of_the_received_model_without_small_bins(shared, data):
    told = RiskSums.from_array(tell_risk_set(shared, data, ROWS, GRID)[RISK_SET], GRID)
    risk, cohort = scores(shared, data, ROWS), data.cohort
    exact = risk_sums(risk, time=cohort.time, event=cohort.event, time_grid=GRID)
    assert 1 in exact.patients
    np.testing.assert_array_equal(told.to_array(), exact.without_small_bins().to_array())
    assert np.exp(told.leaving).sum() == pytest.approx(np.exp(risk).sum())


def test_nobody_is_told_as_nobody(shared, data):
    assert not tell_risk_set(shared, data, [], GRID)[RISK_SET].any()


def test_other_objectives_tell_nothing_and_stay_as_they_are(network, data, others):
    assert tell_risk_set(network, data, ROWS, GRID) == {}
    assert beside(network, others, GRID) is network


def test_without_others_the_network_stays_as_it_is(shared):
    assert beside(shared, {}, GRID) is shared


def test_a_network_beside_others_trains_the_same_weights(plan, data, settings, others):
    config = settings({"objective.name": "federated-cox"})
    network = build_network(plan, config)
    joined = beside(network, others, GRID)
    loop.train_round(joined, data, ROWS, config, round_number=1)
    trained, same = weights(network), weights(joined)
    assert set(trained) == set(same)
    assert all((trained[name] == same[name]).all() for name in trained)
    alone = build_network(plan, config)
    loop.train_round(alone, data, ROWS, config, round_number=1)
    assert any((trained[name] != value).any() for name, value in weights(alone).items())
    assert network.objective.others is None


@pytest.mark.parametrize("size", [1, 5])
def test_two_passes_have_the_gradient_of_one_beside_others(plan, data, settings, others, size):
    def gradient(micro_batch):
        chosen = {"objective.name": "federated-cox", "training.micro-batch": micro_batch}
        config = settings(chosen | {"data.max-patches": 8})
        network = beside(build_network(plan, config), others, GRID)
        loss = loop._accumulate(network, data, ROWS, config.training, Draw(1, "lyon", 3, 2))
        return loss, torch.cat([p.grad.flatten() for p in network.parameters()])

    loss, whole = gradient(24)
    other, pieces = gradient(size)
    assert other == pytest.approx(loss, rel=1e-5)
    assert whole.abs().max() > 1e-3
    torch.testing.assert_close(pieces, whole, rtol=1e-4, atol=1e-6)


def test_sums_on_another_grid_are_refused(shared, others):
    with pytest.raises(FederationError, match=r"3 rows of 7 bins, got \(3, 20\)"):
        beside(shared, others, TimeGrid(182.625, 7))
