import pytest
import torch

from fusion.encoders.dropout import set_dropout_keys
from fusion.encoders.patch_set import PatchSet, presence
from fusion.encoders.patches import encode_chunks
from fusion.types import Bags


@pytest.fixture
def encoder():
    torch.manual_seed(1)
    return PatchSet(5, tokens=6, width=3, dropout=0.0)


def bag(patches, seed=0, rank=None):
    random = torch.Generator().manual_seed(seed)
    features = torch.randn(1, patches, 5, generator=random)
    places = None if rank is None else torch.tensor([rank])
    return Bags(features, torch.ones(1, patches).bool(), places)


def kept(encoder, bags):
    """Which of the bag's patches each token is; -1 = none."""
    tokens, present = presence(encoder(bags))
    projected = torch.relu(encoder.project(bags.features[0]))
    found = []
    for token, there in zip(tokens[0], present[0], strict=True):
        same = (projected == token).all(1).nonzero()[:, 0].tolist()
        found.append(same[0] if there and len(same) == 1 else -1)
    return found


def test_every_patch_of_a_small_bag_is_a_token_and_the_rest_is_absent(encoder):
    with torch.no_grad():
        encoder.project.bias.fill_(5.0)  # no two patches alike after the ReLU
    found = kept(encoder, bag(4))
    assert sorted(found) == [-1, -1, 0, 1, 2, 3]
    assert found[4:] == [-1, -1]
    tokens = encoder(bag(4))
    assert tokens[0, 4:].tolist() == [[0.0, 0.0, 0.0, 1.0]] * 2


def test_coordinates_order_the_tokens(encoder):
    with torch.no_grad():
        encoder.project.bias.fill_(5.0)
    assert kept(encoder, bag(4, rank=[2, 0, 3, 1]))[:4] == [1, 3, 0, 2]


def test_a_large_bag_is_sampled_alike_in_any_order_and_in_chunks(encoder):
    whole = bag(50)
    order = torch.randperm(50, generator=torch.Generator().manual_seed(2))
    shuffled = Bags(whole.features[:, order], whole.mask)
    assert torch.equal(encoder(shuffled), encoder(whole))
    parts = [
        Bags(whole.features[:, some], whole.mask[:, some])
        for some in (slice(0, 3), slice(3, 40), slice(40, 50))
    ]
    assert torch.equal(encode_chunks(encoder, parts), encoder(whole))


def test_the_sample_favours_no_patch():
    encoder = PatchSet(5, tokens=6, width=1, dropout=0.0)
    with torch.no_grad():
        encoder.project.weight.zero_()
        encoder.project.bias.fill_(1.0)
    first = torch.zeros(30)
    for seed in range(400):
        draw = encoder.partial(bag(30, seed)).draw
        whole = PatchSet(5, tokens=30, width=1, dropout=0.0).partial(bag(30, seed)).draw
        first += torch.isin(whole[0], draw[0]).float()
    # Each of 30 places is kept in 6 of 30 draws: 80 of 400 expected, standard deviation 8.
    assert (first - 80).abs().max() < 5 * 8


def test_ranks_survive_chunks_and_sampling(encoder):
    with torch.no_grad():
        encoder.project.bias.fill_(5.0)
    whole = bag(50, rank=list(range(49, -1, -1)))
    found = kept(encoder, whole)
    assert found == sorted(found, reverse=True)
    parts = [
        Bags(whole.features[:, some], whole.mask[:, some], whole.rank[:, some])
        for some in (slice(0, 20), slice(20, 50))
    ]
    assert torch.equal(encode_chunks(encoder, parts), encoder(whole))


def test_a_patient_without_coordinates_stands_beside_one_with(encoder):
    one, other = bag(4, seed=1), bag(4, seed=2)
    ranks = torch.tensor([[3, 2, 1, 0], [-1, -1, -1, -1]])
    both = Bags(torch.cat([one.features, other.features]), torch.ones(2, 4).bool(), ranks)
    tokens = encoder(both)
    torch.testing.assert_close(tokens[:1], encoder(bag(4, seed=1, rank=[3, 2, 1, 0])))
    torch.testing.assert_close(tokens[1:], encoder(other))


@pytest.mark.parametrize("patches", [0, 2])
def test_a_bag_without_patches_is_all_absent(encoder, patches):
    empty = Bags(torch.zeros(1, patches, 5), torch.zeros(1, patches).bool())
    tokens, present = presence(encoder(empty))
    assert not tokens.any()
    assert not present.any()


def test_the_same_patch_has_the_same_number_in_both_precisions_of_a_machine(encoder):
    twice = [encoder.partial(bag(20)).draw for _ in range(2)]
    assert torch.equal(*twice)
    assert encoder.double()(Bags(bag(9).features.double(), bag(9).mask)).dtype == torch.float64


def test_a_dropped_feature_is_dropped_in_every_patch():
    encoder = PatchSet(5, tokens=6, width=5, dropout=0.5)
    with torch.no_grad():
        encoder.project.weight.copy_(torch.eye(5))
        encoder.project.bias.zero_()
    set_dropout_keys(encoder, torch.tensor([7]))
    ones = Bags(torch.ones(1, 6, 5), torch.ones(1, 6).bool())
    tokens, _ = presence(encoder(ones))
    assert (tokens == tokens[:, :1]).all()
    assert 0 < (tokens[0, 0] == 0).sum() < 5


def test_presence_of_a_mean_embedding_is_a_share():
    _, present = presence(torch.tensor([[[1.0, 0.25], [1.0, -3.0], [1.0, 2.0]]]))
    assert present.tolist() == [[0.75, 1.0, 0.0]]
