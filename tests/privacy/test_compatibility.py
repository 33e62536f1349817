import pytest
from torch import nn

from fusion.config import ModelConfig
from fusion.models.build import build_model
from fusion.models.entries import MODELS
from fusion.objectives.build import OBJECTIVES
from privacy.compatibility import check_layers, check_loss
from privacy.errors import PrivacyError

WIDTHS = {"slides": 6, "omics": 9}
GROUPS = {"first": (0, 1, 2, 3), "second": (3, 4, 5, 6, 7)}


@pytest.mark.parametrize("name", list(OBJECTIVES))
def test_a_loss_is_refused_exactly_if_it_couples_patients(name):
    if not OBJECTIVES[name].couples_patients:
        check_loss(OBJECTIVES[name], name)
        return
    told = f"got '{name}', which couples patients.* Use objective.name = discrete-time, "
    with pytest.raises(PrivacyError, match=told):
        check_loss(OBJECTIVES[name], name)


def test_both_kinds_of_loss_are_registered():
    assert {OBJECTIVES[name].couples_patients for name in OBJECTIVES} == {True, False}


def test_a_loss_that_does_not_say_is_taken_to_couple_patients():
    with pytest.raises(PrivacyError, match="got 'consistency', which couples patients"):
        check_loss(nn.MSELoss(), "consistency")


@pytest.mark.parametrize("pooling", ["mean", "attention"])
def test_every_registered_model_may_be_trained(model_name, pooling):
    config = ModelConfig(name=model_name, pooling=pooling, consistency=0.0)
    check_layers(build_model(config, WIDTHS, 1, GROUPS))


def test_consistency_between_patients_is_refused_with_the_way_out():
    model = build_model(ModelConfig(name="subspace", consistency=0.5), WIDTHS, 1, GROUPS)
    with pytest.raises(PrivacyError, match=r"loss between patients.*Set model\.consistency = 0"):
        check_layers(model)


@pytest.mark.parametrize("name", [name for name in MODELS if "batch" in MODELS[name].norms])
def test_batch_norm_is_refused_with_the_way_out(name):
    model = build_model(ModelConfig(name=name, norm="batch"), WIDTHS, 1)
    with pytest.raises(PrivacyError, match=r"BatchNorm1d.*normalises by the batch. Use model.norm"):
        check_layers(model)


@pytest.mark.parametrize(
    ("layer", "told"),
    [
        (nn.BatchNorm1d(3, track_running_stats=False), "BatchNorm1d"),
        (nn.InstanceNorm1d(3, track_running_stats=True), "InstanceNorm1d"),
        (nn.GRU(3, 3), "GRU"),
        (nn.MultiheadAttention(4, 2), "attention of linear layers"),
        (nn.TransformerEncoderLayer(4, 2), "MultiheadAttention"),
        (nn.Bilinear(3, 3, 1), "a linear layer of each input"),
    ],
)
def test_layers_that_couple_patients_or_have_no_gradient_of_one_are_refused(layer, told):
    with pytest.raises(PrivacyError, match=told):
        check_layers(nn.Sequential(nn.Linear(3, 3), layer))


def test_what_a_model_sends_without_noise_is_refused():
    module = nn.Linear(2, 2)
    module.register_buffer("running_mean", nn.Linear(2, 1).weight.data)
    with pytest.raises(PrivacyError, match="got 'running_mean', which is no parameter"):
        check_layers(module)
