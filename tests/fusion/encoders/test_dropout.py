import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from fusion.encoders.dropout import (
    GOLDEN,
    PatientAlphaDropout,
    PatientDropout,
    mixed,
    set_dropout_keys,
)


def keyed(probability, keys):
    layer = PatientDropout(probability)
    set_dropout_keys(layer, torch.tensor(keys))
    return layer


def test_hash_is_splitmix64():
    # First outputs of splitmix64 seeded with 1234567, from its published test vector.
    counters = 1234567 + torch.arange(1, 4) * GOLDEN
    expected = [6457827717110365317, 3203168211198807973, 9817491932198370423]
    assert [value % 2**64 for value in mixed(counters).tolist()] == expected


@given(st.lists(st.integers(-(2**63), 2**63 - 1), min_size=2, max_size=6), st.integers(1, 9))
def test_mask_of_a_patient_ignores_who_shares_the_batch(keys, width):
    together = keyed(0.5, keys)(torch.ones(len(keys), width))
    alone = [keyed(0.5, [key])(torch.ones(1, width))[0] for key in keys]
    assert torch.equal(together, torch.stack(alone))


def test_two_passes_see_the_same_mask():
    layer, values = keyed(0.3, [5, 6]), torch.ones(2, 100)
    assert torch.equal(layer(values), layer(values))


def test_a_longer_vector_keeps_the_mask_of_its_first_elements():
    layer = keyed(0.5, [3, 4])
    assert torch.equal(layer(torch.ones(2, 30))[:, :7], layer(torch.ones(2, 7)))


def test_layers_and_patients_have_masks_of_their_own():
    model = nn.Sequential(PatientDropout(0.5), PatientDropout(0.5))
    set_dropout_keys(model, torch.tensor([1, 2]))
    masks = torch.cat([layer(torch.ones(2, 4096)) > 0 for layer in model])
    agreement = (masks[:, None] == masks[None]).float().mean(2)
    # Independent masks agree on half of 4,096 elements, SD 1/128.
    assert (agreement[~torch.eye(4).bool()] - 0.5).abs().max() < 5 / 128


@pytest.mark.parametrize("probability", [0.1, 0.25, 0.5, 0.9])
def test_share_dropped_is_the_probability_and_the_mean_stays(probability):
    values = keyed(probability, list(range(100)))(torch.ones(100, 1000))
    tolerance = 5 * (probability * (1 - probability) / 100_000) ** 0.5
    assert (values == 0).float().mean().item() == pytest.approx(probability, abs=tolerance)
    assert values.mean().item() == pytest.approx(1, abs=tolerance / (1 - probability))


def test_neighbouring_elements_are_dropped_independently():
    # Four elements share one hash: their masks must not be correlated.
    masks = (keyed(0.5, list(range(1000)))(torch.ones(1000, 8)) > 0).float()
    correlation = torch.corrcoef(masks.T)
    assert correlation[~torch.eye(8).bool()].abs().max() < 5 / 1000**0.5


def test_evaluation_and_probability_zero_change_nothing():
    values = torch.randn(2, 5)
    assert torch.equal(keyed(0.5, [1, 2]).eval()(values), values)
    assert torch.equal(keyed(0.0, [1, 2])(values), values)


def test_without_keys_training_falls_back_to_ordinary_dropout():
    layer = keyed(0.5, [1])
    set_dropout_keys(layer, None)
    torch.manual_seed(0)
    first = layer(torch.ones(3, 200))
    assert not torch.equal(first, layer(torch.ones(3, 200)))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_multiplier_is_what_forward_applies(dtype):
    layer, values = keyed(0.5, [7, 8]), torch.randn(2, 3, 4, dtype=dtype)
    assert torch.equal(values * layer.multiplier(values), layer(values))
    assert layer(values).dtype == dtype


def test_keys_leave_the_global_random_state_alone():
    state = torch.get_rng_state()
    keyed(0.5, [1])(torch.ones(1, 9))
    assert torch.equal(torch.get_rng_state(), state)


def test_almost_certain_dropping_stays_finite():
    assert torch.isfinite(keyed(0.9999999, [1])(torch.ones(1, 50))).all()


@pytest.mark.parametrize("probability", [0.1, 0.5])
def test_alpha_dropout_keeps_mean_and_variance(probability):
    layer = PatientAlphaDropout(probability)
    set_dropout_keys(layer, torch.arange(100))
    values = torch.randn(100, 4000, generator=torch.Generator().manual_seed(1))
    dropped = layer(values)
    # 400,000 draws: standard errors 1/632 of the mean and about 1/400 of the variance.
    assert dropped.mean().item() == pytest.approx(0, abs=5 / 632)
    assert dropped.var().item() == pytest.approx(1, abs=5 / 400)


def test_alpha_dropout_is_torchs_with_a_mask_of_the_patient():
    layer, values = PatientAlphaDropout(0.25), torch.randn(3, 50)
    set_dropout_keys(layer, torch.tensor([4, 5, 6]))
    found, kept = layer(values), layer.mask.multiplier(values) > 0
    # torch's constants for p = .25: a = (.75 (1 + .25 * 1.7580993^2))^-1/2 = .86737.
    limit, a = -1.7580993408473766, (0.75 * (1 + 0.25 * 1.7580993408473766**2)) ** -0.5
    expected = a * torch.where(kept, values, limit) - a * 0.25 * limit
    torch.testing.assert_close(found, expected)
    set_dropout_keys(layer, torch.tensor([5]))
    assert torch.equal(layer(values[1:2]), found[1:2])
    assert torch.equal(layer.eval()(values), values)
