import torch
from torch.nn.functional import layer_norm

from fusion.models.base import Shape
from fusion.models.gated import Gated


def test_gated_fusion_equals_its_formula():
    model = Gated({"slides": Shape(1, 3), "omics": Shape(2, 2)}, width=5, hidden=4, dropout=0.0)
    slides, omics = torch.randn(6, 1, 3), torch.randn(6, 2, 2)
    x = [slides.flatten(1), omics.flatten(1)]
    parts = []
    for place in range(2):
        gate = 1 / (1 + torch.exp(-model.gates[place](torch.cat(x, 1))))
        parts.append(layer_norm(gate * model.projections[place](x[place]), (5,)))
    expected = model.head(torch.cat(parts, 1))
    torch.testing.assert_close(model({"slides": slides, "omics": omics}), expected)


def test_each_gate_sees_the_other_modality():
    model = Gated({"slides": Shape(1, 3), "omics": Shape(1, 2)}, width=5, hidden=4, dropout=0.0)
    assert [gate.in_features for gate in model.gates] == [5, 5]
    assert [projection.in_features for projection in model.projections] == [3, 2]
