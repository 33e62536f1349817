import torch
from torch import nn
from torch.nn.functional import layer_norm

from fusion.models.base import Shape
from fusion.models.bilinear import Bilinear

SHAPES = {"slides": Shape(1, 3), "omics": Shape(2, 2)}


def test_bilinear_fusion_equals_its_formula():
    model = Bilinear(SHAPES, rank=4, hidden=5, dropout=0.0)
    slides, omics = torch.randn(6, 1, 3), torch.randn(6, 2, 2)
    x = [slides.flatten(1), omics.flatten(1)]
    product = model.factors[0](x[0]) * model.factors[1](x[1])
    parts = [product, model.projections[0](x[0]), model.projections[1](x[1])]
    expected = model.head(torch.cat([layer_norm(part, (4,)) for part in parts], 1))
    torch.testing.assert_close(model({"slides": slides, "omics": omics}), expected)


def test_three_modalities_give_a_product_for_each_pair():
    model = Bilinear({**SHAPES, "cnv": Shape(1, 2)}, rank=4, hidden=5, dropout=0.0)
    assert model.pairs == [(0, 1), (0, 2), (1, 2)]
    # Three products and three projections of rank 4.
    assert model.head.layers[1].in_features == 24


def test_batch_normalisation_on_request_has_as_many_parameters():
    layer, batch = (
        Bilinear(SHAPES, rank=4, hidden=5, dropout=0.0, norm=norm) for norm in ("layer", "batch")
    )
    assert all(isinstance(norm, nn.BatchNorm1d) for norm in batch.norms)
    assert sum(p.numel() for p in layer.parameters()) == sum(p.numel() for p in batch.parameters())
