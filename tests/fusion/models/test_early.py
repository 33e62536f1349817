import torch

from fusion.models.base import Shape
from fusion.models.early import Early


def test_early_fusion_is_a_perceptron_over_all_tokens_side_by_side():
    shapes = {"slides": Shape(2, 3), "omics": Shape(1, 4)}
    model = Early(shapes, hidden=(5, 6), dropout=0.0)
    slides, omics = torch.randn(7, 2, 3), torch.randn(7, 1, 4)
    vector = torch.cat([slides[:, 0], slides[:, 1], omics[:, 0]], 1)
    first, second, last = (
        layer for layer in model.head.layers if isinstance(layer, torch.nn.Linear)
    )
    expected = last(torch.relu(second(torch.relu(first(vector)))))[:, 0]
    torch.testing.assert_close(model({"slides": slides, "omics": omics}), expected)
