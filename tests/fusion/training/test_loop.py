import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fusion.errors import ConcordError
from fusion.models.entries import MODELS
from fusion.objectives.build import SURVIVAL_OBJECTIVES
from fusion.training import loop
from fusion.training.data import Draw, PatientData
from fusion.training.loop import train_round
from fusion.training.optimisers import optimiser_for, rate_of
from fusion.training.plan import build_network, weights

ROWS = list(range(24))
DRAW = Draw(1, "lyon", 3, 2)


@pytest.fixture
def gradient(plan, data, settings):
    """The gradient of one step, as one vector."""

    def gradient(changes=None, *, rows=ROWS, draw=DRAW, data=data):
        config = settings(changes)
        network = build_network(plan, config).double()
        data.vectors["omics"] = data.vectors["omics"].double()
        loss = loop._accumulate(network, doubled(data), rows, config.training, draw)
        flat = torch.cat([p.grad.flatten() for p in network.parameters()])
        return loss, flat

    return gradient


def doubled(data):
    """Patients in float64, so that the order of sums is no excuse."""
    if hasattr(data, "single"):
        return data
    data.single = data.pad

    def pad(bags):
        found = data.single(bags)
        return type(found)(found.features.double(), found.mask)

    data.pad = pad
    return data


@pytest.mark.parametrize("pooling", ["mean", "attention", "queries"])
@pytest.mark.parametrize("objective", SURVIVAL_OBJECTIVES)
@pytest.mark.parametrize("size", [1, 5])
def test_two_passes_have_the_gradient_of_one(gradient, objective, size, pooling):
    chosen = {"objective.name": objective, "model.pooling": pooling}
    loss, whole = gradient(chosen | {"training.micro-batch": 24})
    other, pieces = gradient(chosen | {"training.micro-batch": size})
    assert other == pytest.approx(loss, rel=1e-12)
    assert whole.abs().max() > 1e-3
    torch.testing.assert_close(pieces, whole, rtol=1e-9, atol=1e-11)


@pytest.mark.parametrize(
    "name", [n for n in MODELS if set(MODELS[n].takes) in (set(), {"slides", "omics"})]
)
def test_two_passes_have_the_gradient_of_one_for_every_model(gradient, name):
    # The consistency of subspace compares the patients of a micro-batch, so it is left out.
    chosen = {"model.name": name, "model.consistency": 0.0}
    _, whole = gradient(chosen | {"training.micro-batch": 24})
    _, pieces = gradient(chosen | {"training.micro-batch": 7})
    torch.testing.assert_close(pieces, whole, rtol=1e-9, atol=1e-11)


def test_dropout_and_patches_are_at_work_in_those_gradients(gradient):
    plain = {"model.dropout": 0.0, "model.input-dropout": 0.0}
    one, other = gradient()[1], gradient(draw=Draw(1, "lyon", 3, 3))[1]
    assert not torch.allclose(one, other)
    assert not torch.allclose(one, gradient(plain)[1])
    patches = [gradient(plain, draw=Draw(1, "lyon", 3, step))[1] for step in (2, 3)]
    assert not torch.allclose(*patches)


def test_both_passes_see_the_same_patches_and_masks(data, plan, settings, monkeypatch):
    seen = {}
    forward = loop._outputs

    def spy(network, data, rows, draw):
        outputs = forward(network, data, rows, draw)
        for row, value in zip(rows, outputs.scores.tolist(), strict=True):
            seen.setdefault(row, []).append(value)
        return outputs

    monkeypatch.setattr(loop, "_outputs", spy)
    config = settings({"training.micro-batch": 5})
    loop._accumulate(build_network(plan, config), data, ROWS, config.training, DRAW)
    assert {len(values) for values in seen.values()} == {2}
    assert all(one == pytest.approx(other, abs=1e-6) for one, other in seen.values())


def test_a_patients_output_does_not_depend_on_the_rest_of_the_batch(network, data):
    network.train()
    together = loop._forward(network, data, ROWS, DRAW)
    alone = torch.cat([loop._forward(network, data, [row], DRAW) for row in ROWS])
    backwards = loop._forward(network, data, ROWS[::-1], DRAW).flip(0)
    torch.testing.assert_close(alone, together, rtol=0, atol=2e-6)
    torch.testing.assert_close(backwards, together, rtol=0, atol=2e-6)


@pytest.mark.parametrize("objective", SURVIVAL_OBJECTIVES)
def test_the_gradient_of_some_patients_is_right_on_average(gradient, objective, monkeypatch):
    """Four disjoint batches of six: each is as likely as the others, their mean must be exact."""
    chosen = {"objective.name": objective, "training.batch-patients": 6}
    _, whole = gradient({"objective.name": objective})
    parts = []
    for place in range(4):
        picked = ROWS[place::4]
        monkeypatch.setattr(loop, "_choose", lambda *_, picked=picked: picked)
        parts.append(gradient(chosen)[1])
    torch.testing.assert_close(torch.stack(parts).mean(0), whole, rtol=1e-9, atol=1e-11)


def test_a_coupled_objective_compares_some_patients_with_everybody(gradient):
    everybody, _ = gradient()
    some, _ = gradient({"training.batch-patients": 3})
    assert some == pytest.approx(everybody, rel=1e-12)


def test_patients_of_a_step_are_drawn_without_repetition_and_evenly():
    drawn = [loop._choose(ROWS, 6, Draw(1, "lyon", 1, step)) for step in range(400)]
    assert all(len(set(rows)) == 6 and rows == sorted(rows) for rows in drawn)
    counts = np.bincount(np.concatenate(drawn), minlength=24)
    # 400 * 6 / 24 = 100 each, standard deviation sqrt(400 * .25 * .75) = 8.7
    assert counts.min() > 65
    assert counts.max() < 135


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=20)
@given(st.integers(1, 30), st.lists(st.integers(0, 99), max_size=40))
def test_micro_batches_hold_everybody_once_in_order(size, rows):
    parts = loop._parts(rows, size)
    assert [row for part in parts for row in part] == rows
    assert all(0 < len(part) <= size + 1 for part in parts)


def test_nobody_is_left_alone_in_a_micro_batch():
    assert [len(part) for part in loop._parts(list(range(9)), 4)] == [4, 5]
    assert [len(part) for part in loop._parts(list(range(3)), 1)] == [1, 1, 1]


def round_of(plan, data, config, rows=ROWS, number=1):
    network = build_network(plan, config)
    done = train_round(network, data, rows, config, round_number=number)
    return weights(network), done


def test_a_round_takes_the_local_steps_and_moves_every_weight(plan, data, settings):
    config = settings({"training.local-steps": 3})
    before = weights(build_network(plan, config))
    after, done = round_of(plan, data, config)
    assert done.steps == 3
    assert np.isfinite(done.loss)
    assert all((after[name] != before[name]).any() for name in before)


def test_a_round_is_the_same_again_whatever_is_drawn_elsewhere(plan, data, settings):
    torch.manual_seed(1)
    one, first = round_of(plan, data, settings())
    torch.manual_seed(2)
    np.random.seed(3)
    other, second = round_of(plan, data, settings())
    assert first == second
    assert all((one[name] == other[name]).all() for name in one)


def test_global_randomness_is_not_moved(plan, data, settings):
    before = torch.get_rng_state()
    round_of(plan, data, settings())
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize("change", [{"seed": 2}, {"number": 2}])
def test_another_seed_or_round_draws_anew(plan, data, settings, change):
    fixed = {"training.schedule": "constant"}
    network = weights(build_network(plan, settings(fixed)))
    one, _ = round_of(plan, data, settings(fixed))
    config = settings(fixed | {k: v for k, v in change.items() if k == "seed"})
    other, _ = round_of(plan, data, config, number=change.get("number", 1))
    assert any((one[name] != other[name]).any() for name in network)


@pytest.mark.parametrize("optimiser", ["adamw", "adam", "sgd"])
@pytest.mark.parametrize("objective", SURVIVAL_OBJECTIVES)
def test_training_lowers_the_loss(plan, data, settings, optimiser, objective):
    plain = {
        "model.dropout": 0.0, "model.input-dropout": 0.0, "training.local-steps": 15,
        "training.lr": 0.01, "training.optimiser": optimiser, "objective.name": objective,
    }  # fmt: skip
    config = settings(plain)
    network = build_network(plan, config)
    losses = [train_round(network, data, ROWS, config, round_number=1).loss for _ in range(2)]
    assert losses[1] < losses[0]


def test_a_site_without_events_trains_with_loss_zero_and_keeps_its_model(plan, data, settings):
    config = settings({"training.weight-decay": 0.0})
    rows = [row for row in ROWS if not data.cohort.event[row]]
    before = weights(build_network(plan, config))
    after, done = round_of(plan, data, config, rows=rows)
    assert done.loss == 0
    assert all((after[name] == before[name]).all() for name in before)


def test_one_patient_can_train(plan, data, settings):
    _, done = round_of(plan, data, settings({"objective.name": "discrete-time"}), rows=[3])
    assert np.isfinite(done.loss)


def test_fedprox_pulls_towards_the_received_model(plan, data, settings):
    far = {"training.optimiser": "sgd", "training.lr": 0.05}
    start = weights(build_network(plan, settings()))

    def distance(changes):
        after, _ = round_of(plan, data, settings(far | changes))
        return sum(float(((after[n] - start[n]) ** 2).sum()) for n in start)

    pulled = {"federation.strategy": "fedprox", "federation.proximal-mu": 5.0}
    assert distance(pulled) < 0.8 * distance({})
    assert distance(pulled | {"federation.proximal-mu": 0.0}) == pytest.approx(distance({}))


def test_l1_pulls_every_weight_of_the_model_towards_zero_by_one_slope(plan, data, settings):
    plain = {
        "training.optimiser": "sgd", "training.momentum": 0.0, "training.weight-decay": 0.0,
        "training.lr": 0.5, "training.local-steps": 1, "objective.name": "discrete-time",
    }  # fmt: skip
    start = weights(build_network(plan, settings(plain)))
    without, _ = round_of(plan, data, settings(plain))
    shrunk, _ = round_of(plan, data, settings(plain | {"training.l1": 0.02}))
    for name in start:
        # One step of .5 along .02 times the sign; the objective's baseline is left alone.
        pull = 0.5 * 0.02 * np.sign(start[name]) * name.startswith("model.")
        np.testing.assert_allclose(shrunk[name], without[name] - pull, rtol=0, atol=1e-6)


def test_weight_decay_spares_biases_placeholders_and_the_baseline(plan, settings):
    strong = {
        "training.weight-decay": 1.0, "training.lr": 0.1, "training.local-steps": 1,
        "objective.name": "discrete-time",
    }  # fmt: skip
    network = build_network(plan, settings(strong))
    groups = optimiser_for(network, settings(strong).training, 0.1).param_groups
    decayed = {id(p) for g in groups if g["weight_decay"] for p in g["params"]}
    named = dict(network.named_parameters())
    assert {n for n, p in named.items() if id(p) in decayed} == {
        n for n, p in named.items() if p.ndim > 1 and "placeholders" not in n
    }
    assert sum(len(g["params"]) for g in groups) == len(named)


def test_the_rate_falls_along_a_cosine_to_a_tenth(settings):
    config = settings({"rounds": 5, "training.lr": 1.0})
    rates = [rate_of(config, number) for number in range(1, 6)]
    # (.55 + .45 cos) at 0, 45, 90, 135 and 180 degrees
    assert rates == pytest.approx([1, 0.8682, 0.55, 0.2318, 0.1], abs=1e-4)


@pytest.mark.parametrize("changes", [{"rounds": 1}, {"training.schedule": "constant"}])
def test_a_constant_rate_stays(settings, changes):
    config = settings({"training.lr": 0.3} | changes)
    assert {rate_of(config, number) for number in range(1, config.rounds + 1)} == {0.3}


def test_a_loss_that_is_not_finite_is_named(plan, data, settings, monkeypatch):
    monkeypatch.setattr(loop, "_accumulate", lambda *_: float("nan"))
    with pytest.raises(ConcordError, match=r"finite, got nan in round 4, step 1\. Lower") as error:
        round_of(plan, data, settings(), number=4)
    assert error.value.public == str(error.value)


def test_memory_holds_one_micro_batch_at_a_time(plan, data, settings, monkeypatch):
    sizes, batch = [], PatientData.batch

    def spy(self, rows, keys):
        sizes.append(len(rows))
        return batch(self, rows, keys)

    monkeypatch.setattr(PatientData, "batch", spy)
    round_of(plan, data, settings({"training.micro-batch": 5, "training.local-steps": 1}))
    assert max(sizes) == 5
    assert sum(sizes) == 48
