import pytest
import torch

from fusion.encoders.dropout import set_dropout_keys
from fusion.encoders.genes import RawVector, VectorEncoder
from fusion.encoders.patches import AttentionPatches, MeanPatches, encode_chunks
from fusion.types import Bags


def build(kind):
    torch.manual_seed(0)
    return {
        "raw": lambda: MeanPatches(RawVector(5, dropout=0.5)),
        "mean": lambda: MeanPatches(VectorEncoder(5, tokens=3, width=4, dropout=0.5)),
        "attention": lambda: AttentionPatches(5, tokens=3, width=4, dropout=0.5),
    }[kind]()


@pytest.fixture(params=["raw", "mean", "attention"])
def encoder(request):
    return build(request.param)


def bags(patches=6):
    torch.manual_seed(1)
    mask = torch.arange(patches) < torch.tensor([[patches], [2], [0]])
    return Bags(torch.randn(3, patches, 5) * mask[..., None], mask)


def test_tokens_have_the_stated_shape_and_are_finite(encoder):
    tokens = encoder(bags())
    assert tokens.shape == (3, encoder.tokens, encoder.width)
    assert torch.isfinite(tokens).all()


def test_padding_changes_nothing_whatever_it_holds(encoder):
    whole = bags()
    padded = Bags(
        torch.cat([whole.features, torch.full((3, 4, 5), 9.0)], 1),
        torch.cat([whole.mask, torch.zeros(3, 4).bool()], 1),
    )
    torch.testing.assert_close(encoder.eval()(padded), encoder(whole))


def test_order_of_patches_changes_nothing(encoder):
    whole, order = bags(), torch.tensor([3, 1, 5, 0, 4, 2])
    shuffled = Bags(whole.features[:, order], whole.mask[:, order])
    torch.testing.assert_close(encoder.eval()(shuffled), encoder(whole))


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("size", [1, 4, 6])
def test_a_bag_in_chunks_equals_the_bag_at_once(encoder, training, size):
    whole = bags()
    encoder.train(training)
    set_dropout_keys(encoder, torch.tensor([1, 2, 3]))
    parts = zip(whole.features.split(size, 1), whole.mask.split(size, 1), strict=True)
    torch.testing.assert_close(encode_chunks(encoder, (Bags(*p) for p in parts)), encoder(whole))


@pytest.mark.parametrize("patches", [0, 3])
def test_a_bag_without_patches_is_finite_and_so_is_its_gradient(encoder, patches):
    empty = Bags(torch.zeros(2, patches, 5), torch.zeros(2, patches).bool())
    tokens = encoder(empty)
    assert torch.isfinite(tokens).all()
    if tokens.requires_grad:
        tokens.sum().backward()
    assert all(torch.isfinite(parameter.grad).all() for parameter in encoder.parameters())


def test_no_patients_give_no_tokens(encoder):
    assert encoder(Bags(torch.zeros(0, 2, 5), torch.zeros(0, 2).bool())).shape[0] == 0


def test_raw_patches_give_their_mean():
    # Patches (1, 2) and (3, 6); the third is padding: mean (2, 4).
    features = torch.tensor([[[1.0, 2.0], [3.0, 6.0], [7.0, 7.0]]])
    tokens = MeanPatches(RawVector(2, dropout=0.0))(
        Bags(features, torch.tensor([[True, True, False]]))
    )
    assert tokens.tolist() == [[[2.0, 4.0]]]


def test_attention_drops_a_feature_in_all_patches_of_a_patient():
    encoder = AttentionPatches(5, tokens=1, width=4, dropout=0.5)
    set_dropout_keys(encoder, torch.tensor([1, 2, 3]))
    factor = encoder.dropout.multiplier(torch.ones(3, 5))
    whole = bags()
    dropped = encoder(whole)
    multiplied = Bags(whole.features * factor[:, None], whole.mask)
    torch.testing.assert_close(dropped, encoder.eval()(multiplied))
