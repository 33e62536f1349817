import numpy as np
import pytest
import torch

from fusion.training.control import Control
from fusion.training.loop import train_round
from fusion.training.optimisers import BASELINE_SPEED
from fusion.training.plan import build_network, weights

ROWS = list(range(24))
PLAIN = {
    "training.optimiser": "sgd", "training.momentum": 0.0, "training.weight-decay": 0.0,
    "training.lr": 0.05, "training.local-steps": 3, "objective.name": "discrete-time",
}  # fmt: skip


def parameters(network):
    return {name: p.detach().numpy().copy() for name, p in network.named_parameters()}


def draws(arrays, size, seed=0):
    rng = np.random.default_rng(seed)
    return {n: rng.normal(0, size, v.shape).astype(v.dtype) for n, v in arrays.items()}


@pytest.fixture
def trained(plan, data, settings):
    """One round with a correction: parameters before and after, and what it reports."""

    def trained(changes=None, *, correction=None, rows=ROWS):
        config = settings(PLAIN | (changes or {}))
        network = build_network(plan, config)
        before = parameters(network)
        done = train_round(network, data, rows, config, round_number=1, correction=correction)
        return before, parameters(network), done

    return trained


@pytest.fixture
def correction(plan, settings):
    return draws(parameters(build_network(plan, settings(PLAIN))), 0.1)


def test_with_plain_gradient_descent_it_is_option_two_of_the_paper(trained, correction):
    # c_i+ = c_i - c + (x - y) / (K lr), and the correction is c - c_i
    before, after, done = trained(correction=correction)
    assert set(done.control) == set(before)
    for name, found in done.control.items():
        rate = 0.05 * (BASELINE_SPEED if name.startswith("objective") else 1.0)
        expected = (before[name] - after[name]) / (3 * rate) - correction[name]
        np.testing.assert_allclose(found, expected, atol=5e-6)
    assert max(np.abs(value).max() for value in done.control.values()) > 0.01


@pytest.mark.parametrize("optimiser", ["sgd", "adamw"])
def test_a_correction_of_zero_changes_nothing(trained, correction, optimiser):
    chosen = {"training.optimiser": optimiser}
    none = {name: np.zeros_like(value) for name, value in correction.items()}
    _, plain, without = trained(chosen)
    _, corrected, done = trained(chosen, correction=none)
    assert without.control == {}
    assert (done.steps, done.loss) == (without.steps, without.loss)
    assert all((plain[name] == corrected[name]).all() for name in plain)


def test_weight_decay_is_no_part_of_it(trained, correction):
    one = {"training.local-steps": 1}
    _, _, bare = trained(one, correction=correction)
    _, _, decayed = trained(one | {"training.weight-decay": 5.0}, correction=correction)
    assert all((bare.control[n] == decayed.control[n]).all() for n in bare.control)


def test_the_correction_reaches_adam_before_its_step(trained, correction):
    # Adam's first step is lr times the sign of what it is given: here almost only the correction
    huge = {name: 1e6 * np.sign(value) for name, value in correction.items()}
    chosen = {"training.optimiser": "adamw", "training.local-steps": 1, "training.lr": 1e-3}
    before, after, _ = trained(chosen, correction=huge)
    for name, value in huge.items():
        np.testing.assert_array_equal(np.sign(after[name] - before[name]), -np.sign(value))


def test_only_parameters_that_are_named_are_corrected(trained, correction):
    some = {name: v for name, v in correction.items() if name.startswith("objective")}
    _, plain, _ = trained({"training.local-steps": 1})
    _, after, done = trained({"training.local-steps": 1}, correction=some)
    assert set(done.control) == set(some)
    moved = {name for name in plain if (plain[name] != after[name]).any()}
    assert moved == set(some)


def test_running_means_and_counters_have_none(plan, data, settings):
    config = settings(PLAIN | {"model.name": "bilinear", "model.norm": "batch"})
    network = build_network(plan, config)
    names = draws(weights(network), 0.0)
    done = train_round(network, data, ROWS, config, round_number=1, correction=names)
    assert set(done.control) == {name for name, _ in network.named_parameters()}
    assert any("running_mean" in name for name in names)


def test_a_site_that_learns_nothing_follows_the_others(trained, correction, data):
    rows = [row for row in ROWS if not data.cohort.event[row]]
    cox = {"objective.name": "cox", "training.local-steps": 1}
    model = {name: v for name, v in correction.items() if name.startswith("model")}
    before, after, done = trained(cox, correction=model, rows=rows)
    for name, value in model.items():
        assert not done.control[name].any()
        np.testing.assert_allclose(before[name] - after[name], 0.05 * value, atol=1e-7)


def test_a_parameter_without_a_gradient_takes_the_correction():
    network = torch.nn.Linear(1, 1)
    control = Control(network, {"bias": np.array([2.0], np.float32)})
    control.correct()
    assert network.bias.grad == 2.0
    assert network.weight.grad is None
    assert control.mean() == {"bias": 0.0}
