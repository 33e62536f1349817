import math

import pytest
import torch

from fusion.objectives.discrete_time import DiscreteTimeObjective
from fusion.objectives.intervals import Intervals
from fusion.training import loop
from fusion.training.coordination import coordinated
from fusion.training.data import Draw
from fusion.training.loop import train_round
from fusion.training.plan import build_network

ROWS, DRAW = list(range(24)), Draw(1, "lyon", 1, 0)
HALF = math.sqrt(0.5)
CONFLICT = torch.tensor([[1.0, 0.0, -HALF, HALF]])
"""g_t = (1, 0), g_m = (-1, 1)/sqrt 2."""


@pytest.mark.parametrize(
    ("mode", "expected"),
    # proj = (g·o) o = -.7071 (-.7071, .7071) = (.5, -.5). g - proj = (.5, .5), length .7071.
    # g - 2 proj = (0, 1), of length 1, so reflect gives (0, .7071).
    [("project", [0.5, 0.5]), ("reflect", [0.0, HALF])],
)
def test_the_less_confident_half_gives_way(mode, expected):
    changed = coordinated(CONFLICT, (0.2, 0.6), mode)
    torch.testing.assert_close(changed, torch.tensor([[*expected, -HALF, HALF]]))


def test_the_other_half_gives_way_when_it_is_the_less_confident():
    changed = coordinated(CONFLICT, (0.6, 0.2), "project")
    # (-.7071, .7071) without its part along (1, 0) is (0, .7071).
    torch.testing.assert_close(changed, torch.tensor([[1.0, 0.0, 0.0, HALF]]))


@pytest.mark.parametrize("mode", ["project", "reflect"])
def test_without_a_conflict_or_with_equal_confidence_nothing_changes(mode):
    along, across = torch.tensor([[1.0, 0, 1, 1]]), torch.tensor([[1.0, 0, 0, 1]])
    for gradient in (along, across):
        assert torch.equal(coordinated(gradient, (0.2, 0.6), mode), gradient)
    assert torch.equal(coordinated(CONFLICT, (0.4, 0.4), mode), CONFLICT)


@pytest.mark.parametrize("mode", ["project", "reflect"])
def test_zero_gradients_stay_zero(mode):
    for gradient in (torch.zeros(1, 4), torch.tensor([[0.0, 0, 1, 1]])):
        assert torch.equal(coordinated(gradient, (0.2, 0.6), mode), gradient)


@pytest.mark.parametrize("mode", ["project", "reflect"])
def test_every_row_is_settled_by_itself(mode):
    rows = torch.cat([CONFLICT, torch.tensor([[1.0, 0, 1, 1]]), 3 * CONFLICT])
    changed = coordinated(rows, (0.2, 0.6), mode)
    each = torch.cat([coordinated(row[None], (0.2, 0.6), mode) for row in rows])
    torch.testing.assert_close(changed, each)
    torch.testing.assert_close(changed[2], 3 * changed[0])


def test_projection_ends_the_conflict_and_reflection_turns_it():
    random = torch.Generator().manual_seed(1)
    rows = torch.randn(50, 12, generator=random).double()
    before = (rows[:, :6] * rows[:, 6:]).sum(1)
    project, reflect = (coordinated(rows, (0.0, 1.0), mode) for mode in ("project", "reflect"))
    after = (project[:, :6] * project[:, 6:]).sum(1)
    assert (after > -1e-12).all()
    cosines = [
        torch.cosine_similarity(changed[:, :6], changed[:, 6:], dim=1)[before < 0]
        for changed in (rows, reflect)
    ]
    torch.testing.assert_close(cosines[1], -cosines[0])
    lengths = [changed[:, :6].norm(dim=1) for changed in (project, reflect)]
    torch.testing.assert_close(*lengths)


def test_discrete_time_confidence_is_the_probability_of_the_true_interval():
    objective = DiscreteTimeObjective(Intervals((0.0, 100.0, 200.0)))
    with torch.no_grad():
        objective.baseline.zero_()
    # Hazards of half 1 (score 0) are .5: an event in interval 1 has .5 x .5 = .25, in 0 .5.
    # Half 2 (score log 3): hazards .75; .25 x .75 = .1875, and .75. Censored patients do not count.
    halves = torch.tensor([[0.0, math.log(3)]] * 3)
    time, event = torch.tensor([150.0, 50.0, 20.0]), torch.tensor([True, True, False])
    found = objective.confidence(halves, time=time, event=event)
    assert found == pytest.approx((0.375, 0.46875))


def test_each_half_reads_half_of_the_shared_baseline():
    objective = DiscreteTimeObjective(Intervals((0.0, 100.0)))
    with torch.no_grad():
        objective.baseline.fill_(2 * math.log(3))
    found = objective.confidence(
        torch.zeros(1, 2), time=torch.tensor([50.0]), event=torch.tensor([True])
    )
    assert found == pytest.approx((0.75, 0.75))


def test_without_an_event_there_is_no_confidence(settings, plan):
    for name in ("discrete-time", "cox", "piecewise-exponential"):
        objective = build_network(plan, settings({"objective.name": name})).objective
        halves, time = torch.randn(3, 2), torch.tensor([1.0, 2.0, 3.0])
        assert objective.confidence(halves, time=time, event=torch.zeros(3).bool()) is None


def test_cox_confidence_is_each_halfs_concordance(settings, plan):
    objective = build_network(plan, settings()).objective
    # Deaths at 1, 2, 3: pairs (1,2), (1,3), (2,3). Half 1 has all right, half 2 one of three.
    halves = torch.tensor([[3.0, 2.0], [2.0, 3.0], [1.0, 2.5]])
    time, event = torch.tensor([1.0, 2.0, 3.0]), torch.ones(3).bool()
    found = objective.confidence(halves, time=time, event=event)
    assert found == pytest.approx((1.0, 1 / 3))


@pytest.fixture
def stepped(plan, data, settings):
    """Gradients of one step in float64, by parameter."""

    def stepped(**changes):
        given = {key.replace("__", ".").replace("_", "-"): value for key, value in changes.items()}
        config = settings({"model.name": "subspace", "objective.name": "discrete-time", **given})
        network = build_network(plan, config)
        loss = loop._accumulate(network, data, ROWS, config.training, DRAW)
        return loss, {n: p.grad.clone() for n, p in network.named_parameters()}

    return stepped


def test_a_step_changes_the_last_layers_gradient_alone(stepped):
    _, plain = stepped(training__coordination="none")
    _, changed = stepped(training__coordination="project")
    weight = "model.fusion.head.weight"
    halves = plain[weight].chunk(2, 1)
    assert (halves[0] * halves[1]).sum() < 0  # this step has a conflict to settle
    torch.testing.assert_close(
        (changed[weight].chunk(2, 1)[0] * changed[weight].chunk(2, 1)[1]).sum(), torch.tensor(0.0)
    )
    assert all(torch.equal(plain[n], changed[n]) for n in plain if n != weight)


@pytest.mark.parametrize("objective", ["discrete-time", "cox"])
def test_a_step_in_pieces_is_coordinated_as_a_whole(stepped, objective):
    told = {"objective__name": objective, "model__consistency": 0.0}
    one, whole = stepped(**told, training__micro_batch=24)
    other, pieces = stepped(**told, training__micro_batch=7)
    assert one == pytest.approx(other, rel=1e-5)
    for name in whole:
        torch.testing.assert_close(pieces[name], whole[name], rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize("objective", ["discrete-time", "cox"])
@pytest.mark.parametrize("size", [6, 24])
def test_consistency_joins_the_loss_and_the_gradient(stepped, objective, size):
    told = {"objective__name": objective, "training__micro_batch": size}
    plain, without = stepped(**told, model__consistency=0.0)
    loss, gradients = stepped(**told, model__consistency=0.5)
    double, _ = stepped(**told, model__consistency=1.0)
    assert loss > plain
    assert double - plain == pytest.approx(2 * (loss - plain), rel=1e-3)
    name = "model.fusion.subspaces.0.attention.offset.weight"
    assert not torch.allclose(gradients[name], without[name])


@pytest.mark.parametrize("mode", ["none", "project", "reflect"])
def test_a_round_trains_and_stays_finite(plan, data, settings, mode):
    config = settings({
        "model.name": "subspace", "objective.name": "discrete-time",
        "training.coordination": mode, "training.local-steps": 2,
    })  # fmt: skip
    network = build_network(plan, config)
    train_round(network, data, ROWS, config, round_number=1)
    assert all(torch.isfinite(parameter).all() for parameter in network.parameters())
