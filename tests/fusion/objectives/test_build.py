import numpy as np
import pytest
import torch

from fusion.config import ObjectiveConfig
from fusion.errors import ConfigError
from fusion.objectives.build import OBJECTIVES, SURVIVAL_OBJECTIVES, build_objective
from fusion.objectives.cox import CoxObjective
from fusion.objectives.federated_cox import FederatedCoxObjective
from fusion.objectives.intervals import Intervals

INTERVALS = Intervals((0.0, 200.0, 700.0))


@pytest.fixture(params=SURVIVAL_OBJECTIVES)
def objective(request):
    return build_objective(ObjectiveConfig(name=request.param), INTERVALS, np.array([0.1, 0.3]))


def patients(number=20):
    random = torch.Generator().manual_seed(4)
    time = torch.rand(number, generator=random) * 1000
    return {"time": time, "event": torch.arange(number) % 2 == 0}


def test_there_are_four_objectives():
    survival = ["cox", "federated-cox", "discrete-time", "piecewise-exponential"]
    assert list(OBJECTIVES) == [*survival, "classification"]
    assert list(SURVIVAL_OBJECTIVES) == survival


def test_every_objective_says_whether_it_couples_patients(objective):
    coupled = isinstance(objective, (CoxObjective, FederatedCoxObjective))
    assert objective.couples_patients is coupled


def test_every_loss_rewards_ranking_events_first(objective):
    told = patients()
    right = (1 - told["time"] / 500).where(told["event"], torch.tensor(-1.0))
    losses = [objective.loss(sign * right, **told).item() for sign in (1, 0, -1)]
    assert losses == sorted(losses)


def test_every_loss_has_a_gradient_for_its_own_parameters(objective):
    eta = torch.zeros(20, requires_grad=True)
    objective.loss(eta, **patients()).backward()
    assert eta.grad.abs().sum() > 0
    assert all(parameter.grad is not None for parameter in objective.parameters())


def test_an_objective_keeps_the_precision_of_the_risks(objective):
    assert objective.loss(torch.zeros(20), **patients()).dtype == torch.float32


def test_the_settings_choose_the_ties():
    built = build_objective(ObjectiveConfig(name="cox", ties="breslow"), INTERVALS)
    shared = build_objective(ObjectiveConfig(name="federated-cox", ties="breslow"), INTERVALS)
    assert (built.ties, shared.within.ties) == ("breslow", "breslow")


def test_an_unknown_objective_names_the_nearest():
    with pytest.raises(ConfigError, match=r"objective\.name must be .*'discrete'.*'discrete-time'"):
        build_objective(ObjectiveConfig(name="discrete"), INTERVALS)
