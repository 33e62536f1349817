import torch

from fusion.models.base import Shape
from fusion.models.unimodal import Unimodal


def test_unimodal_risk_is_linear_in_the_tokens():
    model = Unimodal({"omics": Shape(2, 3)}, dropout=0.0)
    first, second = torch.randn(4, 2, 3), torch.randn(4, 2, 3)
    middle = model({"omics": (first + second) / 2})
    torch.testing.assert_close(middle, (model({"omics": first}) + model({"omics": second})) / 2)


def test_a_unimodal_model_reads_nothing_else(make, batch):
    model = make("omics_only").eval()
    assert model.modalities == ("omics",)
    batch.inputs["slides"].features.fill_(float("nan"))
    assert torch.isfinite(model(batch)).all()
