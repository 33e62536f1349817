import torch
from torch import nn

from fusion.encoders.dropout import PatientDropout
from fusion.models.head import RiskHead


def test_without_hidden_layers_the_risk_is_linear():
    head = RiskHead(2, hidden=(), dropout=0.0)
    head.layers[-1].weight.data, head.layers[-1].bias.data = (
        torch.tensor([[2.0, 3.0]]),
        torch.tensor([1.0]),
    )
    # 2 x 4 + 3 x 5 + 1 = 24.
    assert head(torch.tensor([[4.0, 5.0]])).tolist() == [24.0]


def test_dropout_stands_before_every_linear_layer():
    layers = list(RiskHead(8, hidden=(4, 3), dropout=0.5).layers)
    places = [place for place, layer in enumerate(layers) if isinstance(layer, nn.Linear)]
    assert [layers[place].out_features for place in places] == [4, 3, 1]
    assert all(isinstance(layers[place - 1], PatientDropout) for place in places)
