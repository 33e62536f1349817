"""A patient's vector read off a gradient, and off a noisy one."""

import numpy as np
import pytest
import torch
from torch import nn

from privacy.attacks.leakage import compare, read_input
from privacy.engine import NoisyGradient


@pytest.fixture
def genes():
    return torch.randn(50, generator=torch.Generator().manual_seed(1))


@pytest.fixture
def network():
    torch.manual_seed(2)
    return nn.Sequential(nn.Linear(50, 8), nn.Tanh(), nn.Linear(8, 1))


def gradients(network):
    first = network[0]
    return first.weight.grad.double().numpy(), first.bias.grad.double().numpy()


def test_a_plain_gradient_of_one_patient_reveals_the_vector_exactly(network, genes):
    network(genes[None])[0, 0].square().backward()
    leak = compare(read_input(*gradients(network)), genes.double().numpy())
    assert leak.revealed == 1.0
    assert leak.cosine == pytest.approx(1.0, abs=1e-9)


def test_a_private_gradient_reveals_no_more_than_chance(network, genes, full, seeded):
    class Losses(nn.Module):
        def __init__(self):
            super().__init__()
            self.network = network

        def forward(self, patients):
            return self.network(patients["genes"])[:, 0].square()

    NoisyGradient(Losses(), full, randomness=seeded(1)).step([{"genes": genes[None]}])
    leak = compare(read_input(*gradients(network)), genes.double().numpy())
    assert leak.revealed < 0.1
    assert abs(leak.cosine) < 0.5
    assert leak.chance == pytest.approx(1.96 / 50**0.5)


def test_a_gradient_without_a_bias_says_nothing():
    assert (read_input(np.ones((2, 3)), np.zeros(2)) == 0).all()
    assert compare(np.zeros(3), np.ones(3)).cosine == 0.0
