import math
from dataclasses import replace

import pytest
import torch
from torch.nn.functional import grid_sample

from fusion.config import ModelConfig
from fusion.errors import ConfigError
from fusion.models.base import Shape
from fusion.models.build import build_model
from fusion.models.cost import count_macs
from fusion.models.subspace import (
    DeformableAttention,
    SubspaceFusion,
    consistency_loss,
    half_scores,
    tent_weights,
)
from fusion.types import Bags

SHAPES = {"slides": Shape(144, 17), "omics": Shape(2, 8)}


def embeddings(patients=5, seed=0, absent=0):
    random = torch.Generator().manual_seed(seed)
    tokens = torch.randn(patients, 144, 17, generator=random)
    tokens[..., -1] = 0.0
    tokens[:, 144 - absent :, :] = torch.tensor([0.0] * 16 + [1.0]) if absent else tokens[:, :0]
    genes = torch.rand(patients, 2, 8, generator=random)
    return {"slides": tokens.double(), "omics": genes.double()}


@pytest.fixture
def fusion():
    torch.manual_seed(3)
    return SubspaceFusion(SHAPES, heads=4, dropout=0.0, consistency=0.5).double()


def test_the_two_halves_add_up_to_the_log_hazard(fusion):
    found = fusion.outputs(embeddings())
    torch.testing.assert_close(found.halves.sum(1), found.scores, rtol=0, atol=1e-14)
    torch.testing.assert_close(fusion(embeddings()), found.scores, rtol=0, atol=0)


def test_a_half_is_its_own_weights_and_half_the_constant():
    head = torch.nn.Linear(4, 1)
    with torch.no_grad():
        head.weight.copy_(torch.tensor([[1.0, 2.0, 3.0, 4.0]]))
        head.bias.fill_(0.5)
    # (1, 1) x (1, 2) + .25 = 3.25; (1, 0) x (3, 4) + .25 = 3.25.
    assert half_scores(head, torch.tensor([[1.0, 1.0, 1.0, 0.0]])).tolist() == [[3.25, 3.25]]


def test_consistency_by_hand():
    # Genes (1,0), (0,1): A is the identity. Offsets alike: every row of B is (1,1)/sqrt 2.
    # Diagonal (1 - .7071)^2 twice, else .5 twice; over N = 2: .0858 + .5 = .5858.
    genes, offsets = torch.eye(2), torch.ones(2, 1, 3)
    expected = (1 - math.sqrt(0.5)) ** 2 + 0.5
    assert consistency_loss(genes, offsets).item() == pytest.approx(expected, abs=1e-6)


def test_consistency_is_zero_when_genes_and_offsets_say_the_same():
    genes = torch.rand(4, 3)
    offsets = torch.stack([genes, 2 * genes], 1)
    assert consistency_loss(genes, offsets).item() == pytest.approx(0, abs=1e-12)


def test_consistency_does_not_mix_patients_with_heads():
    # A slow double loop over patients and heads, with the definition's cosines.
    random = torch.Generator().manual_seed(1)
    genes = torch.rand(3, 4, generator=random)
    offsets = torch.randn(3, 2, 6, generator=random)

    def rows(vectors):
        gram = [[float(a @ b) for b in vectors] for a in vectors]
        return [[x / math.sqrt(sum(y * y for y in row)) for x in row] for row in gram]

    wanted, heads = rows(genes), [rows(offsets[:, head]) for head in range(2)]
    total = sum(
        (wanted[i][j] - (heads[0][i][j] + heads[1][i][j]) / 2) ** 2
        for i in range(3)
        for j in range(3)
    )
    assert consistency_loss(genes, offsets).item() == pytest.approx(total / 3, rel=1e-5)


def test_consistency_does_not_depend_on_the_order_of_patients():
    random = torch.Generator().manual_seed(1)
    genes, offsets = torch.rand(6, 4, generator=random), torch.randn(6, 8, 10, generator=random)
    order = torch.tensor([3, 0, 5, 1, 4, 2])
    torch.testing.assert_close(
        consistency_loss(genes[order], offsets[order]), consistency_loss(genes, offsets)
    )


def test_consistency_of_nothing_is_zero_and_its_gradient_finite():
    genes = torch.zeros(3, 4, requires_grad=True)
    offsets = torch.zeros(3, 2, 6, requires_grad=True)
    loss = consistency_loss(genes, offsets)
    loss.backward()
    assert loss.item() == 0
    assert torch.isfinite(genes.grad).all()
    assert torch.isfinite(offsets.grad).all()


def test_consistency_reads_offsets_alone_and_never_the_regular_grid(fusion):
    seen = []
    attention = fusion.subspaces[0].attention
    attention.register_forward_hook(lambda *call: seen.append(call[-1].offsets))
    with torch.no_grad():
        attention.offset.weight.zero_()
    fusion.outputs(embeddings())
    assert seen[0].shape == (5, 4, 2 * 9)
    assert not seen[0].any()


def test_penalty_is_the_weighted_sum_of_both_subspaces(fusion):
    given, moves = embeddings(), []
    for subspace in fusion.subspaces:
        subspace.attention.register_forward_hook(lambda *call: moves.append(call[-1].offsets))
    penalty = fusion.outputs(given).penalty
    each = [consistency_loss(given["omics"][:, s], moves[s]) for s in range(2)]
    torch.testing.assert_close(penalty, 0.5 * each[0] + 0.5 * each[1])
    assert penalty > 0


def test_consistency_couples_patients_and_without_it_nothing_does():
    alone = SubspaceFusion(SHAPES, heads=4, dropout=0.0, consistency=0.0).double()
    assert not alone.couples_patients
    assert alone.outputs(embeddings()).penalty == 0
    assert SubspaceFusion(SHAPES, heads=4, dropout=0.0, consistency=0.1).couples_patients


def test_published_map_has_144_keys_moved_by_at_most_4_of_12_steps():
    torch.manual_seed(0)
    attention = DeformableAttention(8, heads=2, side=50)
    assert attention.points**2 == 144
    with torch.no_grad():
        attention.offset.weight.mul_(1e4)
    tokens = torch.randn(1, 2500, 8)
    found = attention(tokens, tokens, torch.ones(1, 2500))
    assert found.gathered.shape == (1, 2500, 8)
    assert found.offsets.shape == (1, 2, 288)
    assert found.offsets.abs().max().item() == pytest.approx(4.0, abs=1e-4)


def test_attention_costs_patches_times_keys_never_patches_squared():
    torch.manual_seed(0)
    macs = {}
    for side in (8, 16, 32):
        attention = DeformableAttention(8, heads=2, side=side)
        tokens = torch.randn(1, side**2, 8)
        macs[side] = count_macs(Whole(attention), tokens)
    # 1,024 patches have 64 keys: 16 times the patches of 64 with 4 keys must cost less than the
    # 256 x of a square.
    assert macs[32] / macs[8] < 16 * 64 / 4
    assert macs[16] / macs[8] < 4 * 16 / 4


class Whole(torch.nn.Module):
    def __init__(self, attention):
        super().__init__()
        self.attention = attention

    def forward(self, tokens):
        return self.attention(tokens, tokens, torch.ones(tokens.shape[:2])).gathered


def test_bilinear_weights_equal_torchs_sampling():
    random = torch.Generator().manual_seed(2)
    places = (2.6 * torch.rand(2, 1, 30, 2, generator=random) - 1.3).double()
    cells = torch.randn(2, 3, 7, 7, generator=random).double()
    expected = grid_sample(cells, places.flip(3), align_corners=False)[:, :, 0]
    found = tent_weights(places, 7)[:, 0] @ cells.flatten(2).transpose(1, 2)
    torch.testing.assert_close(found.transpose(1, 2), expected)


def test_places_without_a_patch_change_nothing(fusion):
    given = embeddings(absent=100)
    other = {"slides": given["slides"].clone(), "omics": given["omics"]}
    other["slides"][:, 44:, :-1] = 7.0
    torch.testing.assert_close(fusion(other), fusion(given), rtol=0, atol=1e-12)


def test_a_full_map_is_seen_as_it_is():
    # With a patch everywhere the share of real patches must not enter the softmax at all.
    torch.manual_seed(0)
    attention = DeformableAttention(8, heads=2, side=12).double()
    tokens = torch.randn(2, 144, 8).double()
    found = attention(tokens, tokens, torch.ones(2, 144).double()).gathered
    queries = attention._split(attention.query(tokens.transpose(1, 2)))
    maps = queries.transpose(2, 3).reshape(2, 32, 12, 12)
    spread = torch.nn.functional.gelu(attention.spread(maps))
    moves = torch.tanh(attention.offset(spread)).flatten(2).unflatten(1, (2, 2))
    places = attention._places(moves * attention.points / 3)
    maps = tokens.transpose(1, 2).reshape(2, 2, 4, 12, 12).flatten(0, 1)
    sampled = grid_sample(maps, places.flatten(0, 1)[:, None].flip(3), align_corners=False)
    sampled = sampled[:, :, 0].reshape(2, 8, 9)
    keys, values = (attention._split(part(sampled)) for part in (attention.key, attention.value))
    weights = torch.softmax(queries @ keys.transpose(2, 3) / 4 + attention._bias(places), 3)
    expected = attention.output((weights @ values).transpose(1, 2).flatten(2))
    torch.testing.assert_close(found, expected)


def test_genes_enter_beside_every_patch(fusion):
    given = embeddings()
    given["omics"] = given["omics"].requires_grad_()
    fusion(given).sum().backward()
    assert (given["omics"].grad.abs().sum((0, 2)) > 0).all()


@pytest.mark.parametrize(
    ("settings", "groups", "message"),
    [
        ({"patch_tokens": 150}, 2, r"square from 16 for model 'subspace', got 150\. Write 144"),
        ({"patch_tokens": 9}, 2, r"got 9\. Write 16"),
        ({}, 3, r"two groups of genes, got 3\. Name two"),
        ({"heads": 5}, 2, r"model\.heads must divide model\.width, got 5 and 32.*to 35"),
    ],
)
def test_what_does_not_go_together_is_refused(settings, groups, message):
    places = {f"group{number}": (number,) for number in range(groups)}
    config = ModelConfig(name="subspace", **settings)
    with pytest.raises(ConfigError, match=message):
        build_model(config, {"slides": 6, "omics": 9}, 1, places)


def test_patches_are_read_where_their_coordinates_say(make, batch):
    model, bags = make("subspace").eval(), batch.inputs["slides"]
    rank = torch.arange(7).expand(5, 7)

    def risk(order, places):
        slides = Bags(bags.features[:, order], bags.mask[:, order], places[:, order])
        return model(replace(batch, inputs={**batch.inputs, "slides": slides}))[0]

    stored, shuffled = torch.arange(7), torch.tensor([6, 2, 4, 0, 1, 5, 3])
    torch.testing.assert_close(risk(shuffled, rank), risk(stored, rank))
    assert not torch.allclose(risk(stored, rank.flip(1)), risk(stored, rank), atol=1e-7)
