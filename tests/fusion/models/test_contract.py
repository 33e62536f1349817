"""What every registered model promises, whichever it is."""

import copy
from dataclasses import replace

import pytest
import torch

from fusion.encoders.dropout import PatientDropout, set_dropout_keys
from fusion.models.base import FusionModel
from fusion.models.entries import MODELS
from fusion.types import Bags, Batch

KEYS = torch.tensor([11, 22, 33, 44, 55])
POOLINGS = pytest.mark.parametrize("pooling", ["mean", "attention", "queries"])


def unsettled(model: FusionModel) -> FusionModel:
    """Move every weight off its start, so that zeros of the initialisation hide nothing."""
    random = torch.Generator().manual_seed(3)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter += 0.3 * torch.randn(parameter.shape, generator=random)
    return model


@POOLINGS
@pytest.mark.parametrize("training", [True, False])
def test_one_finite_log_hazard_a_patient_in_both_precisions(name, make, batch, pooling, training):
    model = make(name, pooling=pooling).train(training)
    log_hazard = model(batch)
    assert log_hazard.shape == (5,)
    assert log_hazard.dtype == torch.float32
    assert torch.isfinite(log_hazard).all()
    present = {key: torch.ones(5).bool() for key in model.modalities}
    embeddings = {key: model.encode(key, batch.inputs[key]).double() for key in model.modalities}
    assert model.double().fuse(embeddings, present).dtype == torch.float64


@POOLINGS
def test_gradient_reaches_every_parameter(name, make, batch, pooling):
    model = unsettled(make(name, pooling=pooling)).eval()
    model(batch).square().sum().backward()
    for key, parameter in model.named_parameters():
        assert parameter.grad is not None, key
        # The bias of a key shifts all its scores alike, and the softmax removes it.
        assert parameter.grad.abs().sum() > 0 or key.endswith("key.bias"), key


def test_placeholder_has_a_zero_gradient_when_nobody_lacks_the_modality(name, make, batch, pick):
    model = unsettled(make(name))
    model(pick(batch, [0, 1])).sum().backward()
    for key, parameter in model.placeholders.named_parameters():
        assert torch.equal(parameter.grad, torch.zeros_like(parameter)), key


def test_a_missing_modality_is_ignored_whatever_stands_in_its_place(name, make, batch):
    model = unsettled(make(name)).eval()
    bags, random = batch.inputs["slides"], torch.Generator().manual_seed(4)
    noise = {key: torch.rand(5, 9, generator=random) * 9 for key in ("omics", "mask")}
    absent = ~batch.present["slides"][:, None]
    mask = bags.mask | (absent & (noise["mask"][:, :7] > 4))
    omics = torch.where(batch.present["omics"][:, None], batch.inputs["omics"], noise["omics"])
    other = replace(
        batch, inputs={"slides": Bags(bags.features + 7 * absent[..., None], mask), "omics": omics}
    )
    assert torch.equal(model(other), model(batch))


def test_patients_who_lack_everything_are_alike_and_finite(name, make, batch):
    model = unsettled(make(name)).eval()
    nobody = {key: torch.zeros(5).bool() for key in batch.present}
    log_hazard = model(Batch(batch.inputs, nobody))
    assert torch.isfinite(log_hazard).all()
    torch.testing.assert_close(log_hazard, log_hazard[:1].expand(5))


@POOLINGS
def test_order_of_patches_and_padding_change_nothing(name, make, batch, pooling):
    model, bags = unsettled(make(name, pooling=pooling)).eval(), batch.inputs["slides"]
    order = torch.tensor([6, 2, 4, 0, 1, 5, 3, 7, 8])
    features = torch.cat([bags.features, torch.full((5, 2, 6), 5.0)], 1)[:, order]
    mask = torch.cat([bags.mask, torch.zeros(5, 2).bool()], 1)[:, order]
    other = replace(batch, inputs={**batch.inputs, "slides": Bags(features, mask)})
    torch.testing.assert_close(model(other), model(batch), rtol=1e-4, atol=1e-5)


@POOLINGS
def test_dropout_depends_on_the_patient_not_on_the_batch(name, make, batch, pick, pooling):
    model = unsettled(make(name, pooling=pooling, dropout=0.5, input_dropout=0.5))
    set_dropout_keys(model, KEYS)
    together = model(batch)
    for places in ([0], [3, 1], [4, 2, 0]):
        set_dropout_keys(model, KEYS[places])
        torch.testing.assert_close(
            model(pick(batch, places)), together[places], rtol=1e-4, atol=1e-5
        )
    set_dropout_keys(model, KEYS + 1)
    drops = any(isinstance(layer, PatientDropout) for layer in model.modules())
    assert drops != torch.allclose(model(batch)[:2], together[:2])


@POOLINGS
def test_no_layer_couples_patients(name, make, batch, pooling):
    model, inputs = unsettled(make(name, pooling=pooling)).eval(), copy.deepcopy(batch)
    inputs.inputs["omics"].requires_grad_()
    inputs.inputs["slides"].features.requires_grad_()
    model(inputs)[1].backward()
    for tensor in (inputs.inputs["omics"], inputs.inputs["slides"].features):
        assert tensor.grad is None or not tensor.grad[[0, 2, 3, 4]].any()


def test_initial_weights_follow_from_the_seed_alone(name, make):
    torch.manual_seed(1)
    state, first = torch.get_rng_state(), make(name, seed=5).state_dict()
    assert torch.equal(torch.get_rng_state(), state)
    torch.manual_seed(2)
    second, other = make(name, seed=5).state_dict(), make(name, seed=6).state_dict()
    assert all(torch.equal(first[key], second[key]) for key in first)
    assert not MODELS[name].deep or any(not torch.equal(first[key], other[key]) for key in first)


@POOLINGS
@pytest.mark.filterwarnings("ignore:Full backward hook is firing:UserWarning")  # of the engine
def test_gradient_engine_for_single_patients_agrees_with_one_patient_at_a_time(
    name, make, batch, pick, pooling
):
    opacus = pytest.importorskip("opacus", reason="the engine is an option of the project")
    model = unsettled(make(name, pooling=pooling, dropout=0.0, input_dropout=0.0))
    engine = opacus.GradSampleModule(copy.deepcopy(model), loss_reduction="sum")
    engine(batch).square().sum().backward()
    for place in range(5):
        model.zero_grad()
        model(pick(batch, [place])).square().sum().backward()
        for alone, each in zip(model.parameters(), engine.parameters(), strict=True):
            torch.testing.assert_close(each.grad_sample[place], alone.grad, rtol=1e-3, atol=1e-4)
