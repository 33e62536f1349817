import pytest
import torch

from fusion.config import ModelConfig
from fusion.models.build import build_model
from fusion.models.entries import MODELS
from fusion.types import Bags, Batch

WIDTHS = {"slides": 6, "omics": 9}
GROUPS = {"first": (0, 1, 2, 3), "second": (3, 4, 5, 6, 7)}


@pytest.fixture(params=list(MODELS))
def name(request):
    return request.param


@pytest.fixture
def make():
    def make(name, widths=None, seed=1, **settings):
        return build_model(ModelConfig(name=name, **settings), widths or WIDTHS, seed, GROUPS)

    return make


@pytest.fixture
def batch():
    """Five patients: the third lacks slides, the fourth omics, the fifth both."""
    random = torch.Generator().manual_seed(2)
    mask = torch.arange(7) < torch.tensor([[7], [3], [0], [5], [0]])
    features = torch.randn(5, 7, 6, generator=random) * mask[..., None]
    has_omics = torch.tensor([True, True, True, False, False])
    omics = torch.randn(5, 9, generator=random) * has_omics[:, None]
    inputs = {"slides": Bags(features, mask), "omics": omics}
    return Batch(inputs, {"slides": mask.any(1), "omics": has_omics})


@pytest.fixture
def pick():
    """Some patients of a batch, by their places."""

    def pick(batch, places):
        bags = batch.inputs["slides"]
        inputs = {
            "slides": Bags(bags.features[places], bags.mask[places]),
            "omics": batch.inputs["omics"][places],
        }
        return Batch(inputs, {key: mask[places] for key, mask in batch.present.items()})

    return pick
