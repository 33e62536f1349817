"""Gradients of linear layers in factors: equal to those that are written out."""

import pytest
import torch
from torch import nn

from privacy.engine import clipped_sum
from privacy.factors import Product
from privacy.gradients import factored_gradients, functional_gradients

PATIENTS = {"x": torch.randn(5, 3, 4, generator=torch.Generator().manual_seed(1))}


class Odd(nn.Module):
    """A layer called twice, one called never, a constant, and two that share a weight."""

    def __init__(self):
        super().__init__()
        self.twice, self.never = nn.Linear(4, 4), nn.Linear(4, 2)
        self.first, self.second = nn.Linear(4, 4, bias=False), nn.Linear(4, 4)
        self.second.weight = self.first.weight
        self.shift = nn.Parameter(torch.ones(4))
        self.last = nn.Linear(4, 1)

    def forward(self, patients):
        inner = self.twice(torch.tanh(self.twice(patients["x"])) + self.shift)
        return self.last(self.second(self.first(inner).mean(1)))[:, 0]


class Bypassing(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(4, 1)

    def forward(self, patients):
        return self.layer(patients["x"]).sum((1, 2)) + self.layer.weight.square().sum()


def test_shared_repeated_and_idle_layers_have_the_gradients_that_are_written_out():
    module = Odd()
    expected, losses = functional_gradients(module, PATIENTS)
    found, same = factored_gradients(module, PATIENTS)
    torch.testing.assert_close(losses, same)
    assert found.keys() == expected.keys()
    for name, value in found.items():
        each = value.each() if isinstance(value, Product) else value
        torch.testing.assert_close(each, expected[name])
    cut = [clipped_sum(all_, patients=5, max_grad_norm=0.1) for all_ in (found, expected)]
    for name, value in cut[0].items():
        torch.testing.assert_close(value, cut[1][name], rtol=1e-5, atol=1e-7)


def test_the_layers_work_as_before_when_gradients_are_there():
    module = Odd()
    before = module(PATIENTS)
    factored_gradients(module, PATIENTS)
    assert "forward" not in module.twice.__dict__
    torch.testing.assert_close(module(PATIENTS), before)


def test_a_weight_that_is_read_beside_its_layer_is_no_silent_error():
    functional_gradients(Bypassing(), PATIENTS)
    with pytest.raises(RuntimeError):
        factored_gradients(Bypassing(), PATIENTS)


def test_the_length_of_a_product_needs_no_writing_out():
    # slope (3, 4) has length 5, input (1, 2, 2) length 3: their product has 15
    product = Product(torch.tensor([[3.0, 4.0]]), torch.tensor([[1.0, 2.0, 2.0]]))
    assert product.squares().tolist() == [225.0]
    torch.testing.assert_close(
        product.weighted(torch.tensor([0.5]).double()),
        torch.tensor([[1.5, 3.0, 3.0], [2.0, 4.0, 4.0]]).double(),
    )


def test_a_product_that_is_not_finite_counts_as_nothing():
    gradients = {"w": Product(torch.tensor([[torch.inf], [2.0]]), torch.tensor([[0.0], [3.0]]))}
    # the second one: 2 * 3 = 6, cut to 1
    cut = clipped_sum(gradients, patients=2, max_grad_norm=1.0)
    torch.testing.assert_close(cut["w"], torch.tensor([[1.0]]).double())
