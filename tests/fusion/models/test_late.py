import torch

from fusion.models.base import Shape
from fusion.models.late import Late

SHAPES = {"slides": Shape(2, 3), "omics": Shape(1, 4)}


def test_late_fusion_starts_as_the_sum_of_the_risks():
    model = Late(SHAPES, hidden=5, dropout=0.0)
    slides, omics = torch.randn(6, 2, 3), torch.randn(6, 1, 4)
    expected = model.heads[0](slides.flatten(1)) + model.heads[1](omics.flatten(1))
    torch.testing.assert_close(model({"slides": slides, "omics": omics}), expected)


def test_late_fusion_has_no_interaction():
    torch.manual_seed(0)
    model = Late(SHAPES, hidden=5, dropout=0.5).double().eval()
    torch.nn.init.normal_(model.combine.weight)
    own = {"slides": torch.randn(9, 2, 3).double(), "omics": torch.randn(9, 1, 4).double()}
    hidden = {
        key: torch.randn(1, *tokens.shape[1:]).double().expand_as(tokens)
        for key, tokens in own.items()
    }
    both, neither = model(own), model(hidden)
    slides = model({"slides": own["slides"], "omics": hidden["omics"]})
    omics = model({"slides": hidden["slides"], "omics": own["omics"]})
    assert (both - slides - omics + neither).abs().max() < 1e-12
