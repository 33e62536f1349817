"""Stacked models do what each of them would do alone."""

import pytest
import torch
from torch import nn

from privacy.attacks.shadows import at_once, clipped_sums, losses_of, noisy, plain_sums, stack
from privacy.engine import clipped_sum
from privacy.gradients import functional_gradients

TAKEN = torch.tensor([[True, True, False, True], [False, True, True, False]])


class Losses(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(3, 2)

    def forward(self, patients):
        return self.layer(patients["x"]).square().sum(1)


@pytest.fixture
def module():
    torch.manual_seed(1)
    return Losses()


@pytest.fixture
def patients():
    return {"x": torch.randn(4, 3, generator=torch.Generator().manual_seed(2))}


@pytest.fixture
def stacked(module):
    """Two models that differ."""
    found = stack(module, 2)
    with torch.no_grad():
        for value in found.values():
            value[1] += 0.5
    return found


def alone(stacked, model):
    """One of the stacked models as a module."""
    twin = Losses()
    twin.load_state_dict({name: value[model].detach() for name, value in stacked.items()})
    return twin


def test_losses_are_those_of_each_model(module, stacked, patients):
    found = losses_of(module, stacked, patients)
    for model in (0, 1):
        torch.testing.assert_close(found[model], alone(stacked, model)(patients).detach())


def test_plain_gradients_are_those_of_each_models_own_patients(module, stacked, patients):
    found = plain_sums(module, stacked, patients, TAKEN.float())
    for model in (0, 1):
        twin = alone(stacked, model)
        twin(patients)[TAKEN[model]].sum().backward()
        for name, parameter in twin.named_parameters():
            torch.testing.assert_close(found[name][model], parameter.grad)


def test_clipped_sums_are_the_engines_over_each_models_own_patients(module, stacked, patients):
    found = clipped_sums(module, stacked, patients, TAKEN, 0.7)
    for model in (0, 1):
        own = {"x": patients["x"][TAKEN[model]]}
        gradients, _ = functional_gradients(alone(stacked, model), own)
        expected = clipped_sum(gradients, patients=len(own["x"]), max_grad_norm=0.7)
        for name, value in expected.items():
            torch.testing.assert_close(found[name][model].double(), value, rtol=1e-4, atol=1e-5)


def test_noise_is_the_plans_and_so_is_the_divisor(poisson):
    # deviation 2 * .5 = 1 over .2 * 100 patients; 40,000 numbers: standard error .35 %
    found = noisy({"w": torch.full((2, 20_000), 3.0)}, poisson, torch.Generator().manual_seed(1))
    assert float(found["w"].std()) == pytest.approx(1 / 20, rel=0.03)
    assert float(found["w"].mean()) == pytest.approx(3 / 20, abs=0.002)


def test_large_models_are_given_few_patients_at_once():
    assert at_once({"w": torch.zeros(2, 2**20)}) == 16
    assert at_once({"w": torch.zeros(2**6, 2**20)}) == 1
