import pytest
import torch
from torch import nn

from fusion.encoders.dropout import PatientDropout
from fusion.models.build import build_reference
from fusion.models.cost import count_macs, count_parameters


def test_a_linear_layer_multiplies_each_weight_once_a_patient():
    # 3 inputs x 5 outputs = 15 products, twice for two patients; biases are additions.
    assert count_macs(nn.Linear(3, 5), torch.zeros(2, 3)) == 30
    assert count_parameters(nn.Linear(3, 5)) == 20


def test_early_reference_multiplies_each_of_its_weights_once():
    tokens = {"slides": torch.zeros(1, 1, 2048), "omics": torch.zeros(1, 1, 2048)}
    assert count_macs(build_reference("early"), tokens) == 4096 * 2048 + 2048 * 200 + 200


def test_frozen_parameters_are_not_counted():
    layer = nn.Linear(3, 5)
    layer.bias.requires_grad_(False)
    assert count_parameters(layer) == 15


@pytest.mark.parametrize("training", [True, False])
def test_counting_leaves_the_mode_as_it_was(training):
    layer = PatientDropout(0.5).train(training)
    count_macs(layer, torch.zeros(1, 2))
    assert layer.training is training
