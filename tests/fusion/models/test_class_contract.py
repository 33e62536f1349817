import pytest
import torch

from fusion.config import ModelConfig
from fusion.models.build import build_model

WIDTHS = {"slides": 6, "omics": 9}
GROUPS = {"first": (0, 1, 2, 3), "second": (3, 4, 5, 6, 7)}
CLASSES = 3


@pytest.fixture
def model(name):
    """A model of three classes whose parameters are all away from 0."""
    built = build_model(ModelConfig(name=name), WIDTHS, 1, GROUPS, CLASSES).eval()
    random = torch.Generator().manual_seed(3)
    with torch.no_grad():
        for parameter in built.parameters():
            parameter += 0.3 * torch.randn(parameter.shape, generator=random)
    return built


def test_one_finite_logit_a_class_and_patient(model, batch):
    logits = model(batch)
    assert logits.shape == (5, CLASSES)
    assert torch.isfinite(logits).all()


def test_every_class_has_a_logit_of_its_own(model, batch):
    logits = model(batch)
    for one, other in ((0, 1), (0, 2), (1, 2)):
        gap = logits[:, one] - logits[:, other]
        assert gap[:3].std() > 1e-4  # not one score moved by a constant


@pytest.mark.parametrize("place", range(CLASSES))
def test_the_gradient_of_each_class_reaches_every_shared_parameter(model, batch, place):
    model(batch)[:, place].square().sum().backward()
    for key, parameter in model.named_parameters():
        assert parameter.grad is not None, key
        # The bias of a key shifts all its scores alike, and the softmax removes it.
        assert parameter.grad.abs().sum() > 0 or key.endswith("key.bias"), key


def test_a_patients_logits_do_not_depend_on_the_others(model, batch, pick):
    torch.testing.assert_close(model(pick(batch, [1, 0])), model(batch)[[1, 0]])


def test_a_model_of_survival_has_one_score_as_before(name, make, batch):
    assert make(name).classes == 0
    assert make(name)(batch).shape == (5,)
