"""Multi-shot interactive fusion against its formulas, a patient and a head at a time."""

import pytest
import torch
from torch.nn.functional import leaky_relu, softmax

from fusion.config import ModelConfig
from fusion.encoders.patches import encode_chunks
from fusion.errors import ConfigError, FederationError
from fusion.models.base import Shape
from fusion.models.build import build_model, build_reference
from fusion.models.cost import count_macs, count_parameters
from fusion.models.entries import MODELS
from fusion.models.mif import ACGI, AGI, Features, Mif, lift, unit
from fusion.types import Bags

THREE = ("rna", "pathology", "cnv")
LGG, BRCA = (384, 128, 64), (256, 64)


def make(modalities=THREE, *, size=6, heads=2, hidden=(5,), **options):
    torch.manual_seed(0)
    shapes = {name: Shape(1, size) for name in modalities}
    return Mif(shapes, heads=heads, sizes=(*hidden, 1), dropout=0.0, **options).double().eval()


def features(modalities=THREE, *, patients=3, size=6):
    random = torch.Generator().manual_seed(1)
    return {name: torch.randn(patients, 1, size, generator=random).double() for name in modalities}


def heads_of(layer, tokens):
    """Tokens x 4 under each head's own 4 x 4 weights."""
    weights, constants = layer.weight.split(4), layer.bias.split(4)
    return [tokens @ w.T + b for w, b in zip(weights, constants, strict=True)]


def slow_unit(tokens):
    return tokens / tokens.square().sum(0).sqrt()


def slow_feed(feed, tokens):
    return leaky_relu(feed[1](feed[0](tokens)), 0.01)


def slow_agi(agi, tokens):
    parts = [heads_of(layer, tokens) for layer in (agi.query, agi.key, agi.value)]
    gathered = [softmax(q @ k.T / 2, 1) @ v for q, k, v in zip(*parts, strict=True)]
    mixed = slow_unit(tokens + agi.mix(sum(gathered) / len(gathered)))
    return slow_unit(mixed + slow_feed(agi.feed, mixed))


def slow_acgi(acgi, first, second):
    theta, rho = heads_of(acgi.query, first), heads_of(acgi.first, first)
    phi, psi = heads_of(acgi.key, second), heads_of(acgi.second, second)
    affinities = [a @ b.T / 2 for a, b in zip(theta, phi, strict=True)]
    if acgi.transpose:
        z = [[m @ p, m.T @ r] for m, r, p in zip(affinities, rho, psi, strict=True)]
    else:
        z = [[m @ r, m @ p] for m, r, p in zip(affinities, rho, psi, strict=True)]
    means = [sum(side) / len(z) for side in zip(*z, strict=True)]
    mixed = [slow_unit(x + acgi.mix(m)) for x, m in zip((first, second), means, strict=True)]
    both = [slow_agi(acgi.each, slow_feed(acgi.feed, one)) for one in mixed]
    return slow_agi(acgi.both, both[0] + both[1])


@pytest.mark.parametrize(
    ("modalities", "size", "hidden", "expected"),
    [(3, 80, LGG, 197_665), (3, 80, BRCA, 125_729), (3, 32, LGG, 109_537)],
)
def test_published_configurations_have_the_published_number_of_parameters(
    modalities, size, hidden, expected
):
    # 80 features: encoders 3 x 2 x 6,480 = 38,880; interactions 8,160; norm 2 x 240 = 480;
    # predictor 240 x 384 + 384 + 384 x 128 + 128 + 128 x 64 + 64 + 65 = 150,145.
    encoders = [Features(size, width=size, dropout=0.0) for _ in range(modalities)]
    fusion = make(size=size, heads=5, hidden=hidden, norm="batch")
    assert sum(map(count_parameters, encoders)) + count_parameters(fusion) == expected


def test_the_reference_listing_counts_encoders_too():
    reference = build_reference("mif")
    tokens = {name: torch.zeros(1, 1, 80) for name in MODELS["mif"].reference_shapes}
    assert count_parameters(reference) == 197_665
    # Encoders 38,400, interactions 3 x 279,040 + 6 x 1,254,400, predictor 149,568.
    assert count_macs(reference, tokens) == 38_400 + 8_363_520 + 149_568


def test_interactions_are_small():
    # AGI: 3 x 5 heads x (16 + 4), and three layers of 20. ACGI: 4 x 5 x 20 + 3 x 20 + 2 AGIs.
    assert count_parameters(AGI(5)) == 360
    assert count_parameters(ACGI(5, transpose=False)) == 1_180
    fusion = make(size=80, heads=5)
    parts = (fusion.within, fusion.between, fusion.across)
    assert sum(map(count_parameters, parts)) == 3 * 360 + 6 * 1_180 == 8_160


def test_settings_reach_the_published_predictor():
    config = ModelConfig("mif", width=32, heads=5, layers="384,128,64", norm="batch")
    model = build_model(config, {"rna": 32, "pathology": 32, "cnv": 32}, 1)
    # Placeholders, 32 a modality, are not the publication's.
    assert count_parameters(model) == 109_537 + 3 * 32


def test_a_token_is_a_feature_and_its_three_predecessors():
    tokens = lift(torch.arange(80.0)[None])
    assert tokens.shape == (1, 80, 4)
    assert tokens[0, 0].tolist() == [0, 79, 78, 77]
    assert tokens[0, 5].tolist() == [5, 4, 3, 2]


def test_rolled_features_give_rolled_tokens():
    agi, features = AGI(5).double(), torch.randn(2, 80).double()
    torch.testing.assert_close(agi(lift(features.roll(7, 1))), agi(lift(features)).roll(7, 1))


def test_every_channel_has_length_one_over_the_tokens():
    tokens = AGI(3).double()(torch.randn(4, 9, 4).double())
    torch.testing.assert_close(tokens.square().sum(1), torch.ones(4, 4).double())
    assert not torch.allclose(tokens.square().sum(2), torch.ones(4, 9).double())
    torch.testing.assert_close(unit(torch.tensor([[3.0], [4.0]])), torch.tensor([[0.6], [0.8]]))


def test_interaction_inside_a_set_equals_its_formula():
    agi, tokens = AGI(3).double(), torch.randn(2, 7, 4).double()
    expected = torch.stack([slow_agi(agi, one) for one in tokens])
    torch.testing.assert_close(agi(tokens), expected)


@pytest.mark.parametrize("transpose", [False, True])
def test_interaction_of_two_sets_equals_its_formula(transpose):
    acgi = ACGI(3, transpose=transpose).double()
    first, second = torch.randn(2, 2, 7, 4).double()
    expected = [slow_acgi(acgi, a, b) for a, b in zip(first, second, strict=True)]
    torch.testing.assert_close(acgi(first, second), torch.stack(expected))
    assert not torch.allclose(acgi(second, first), acgi(first, second))


@pytest.mark.parametrize("transpose", [False, True])
def test_three_modalities_meet_in_three_shots(transpose):
    model, inputs = make(affinity_transpose=transpose), features()
    for place in range(3):
        g, p, c = (
            slow_agi(agi, lift(x[:, 0])[place])
            for agi, x in zip(model.within, inputs.values(), strict=True)
        )
        gp, pc, cg = (
            slow_acgi(acgi, *pair)
            for acgi, pair in zip(model.between, ((g, p), (p, c), (c, g)), strict=True)
        )
        tri = (
            slow_acgi(acgi, *pair)
            for acgi, pair in zip(model.across, ((gp, c), (pc, g), (cg, p)), strict=True)
        )
        for shot, expected in zip(
            model.shots(inputs), (g + p + c, gp + pc + cg, sum(tri)), strict=True
        ):
            torch.testing.assert_close(shot[place], expected)


def test_two_modalities_meet_in_both_orders_and_have_no_third_shot():
    model, inputs = make(("slides", "omics")), features(("slides", "omics"))
    g, p = (
        slow_agi(agi, lift(x[:, 0])[1])
        for agi, x in zip(model.within, inputs.values(), strict=True)
    )
    alone, two = model.shots(inputs)
    torch.testing.assert_close(alone[1], g + p)
    first, second = model.between
    torch.testing.assert_close(two[1], slow_acgi(first, g, p) + slow_acgi(second, p, g))
    assert len(model.across) == 0


def test_the_log_hazard_is_read_from_a_normalised_sum_over_channels():
    model, inputs = make(hidden=(7, 5)), features()
    fused = torch.cat([shot.sum(2) for shot in model.shots(inputs)], 1)
    mean, spread = fused.mean(1, keepdim=True), fused.var(1, unbiased=False, keepdim=True)
    normed = (fused - mean) / (spread + 1e-5).sqrt()
    code = torch.tanh(model.head[3](torch.tanh(model.head[0](normed))))
    torch.testing.assert_close(model.code(inputs), code)
    expected = 4 / (1 + torch.exp(-model.head[-1](code)[:, 0])) - 2
    torch.testing.assert_close(model(inputs), expected)


def test_log_hazards_stay_between_minus_two_and_two():
    model = make()
    torch.nn.init.constant_(model.head[-1].weight, 3.0)
    log_hazard = model(features(patients=50))
    assert log_hazard.abs().max() < 2
    assert log_hazard.abs().max() > 1


def test_order_of_modalities_matters():
    model, inputs = make(), features()
    turned = dict(zip(inputs, reversed(inputs.values()), strict=True))
    assert not torch.allclose(model(turned), model(inputs))


def test_queries_give_one_token_each_whatever_the_chunks():
    config = ModelConfig("mif", width=8, pooling="queries", input_dropout=0.0)
    encoder = build_model(config, {"slides": 6, "omics": 9}, 1).encoders["slides"].double()
    bags = Bags(torch.randn(2, 11, 6).double(), torch.rand(2, 11) > 0.3)
    assert encoder(bags).shape == (2, 8, 4)
    cuts = (slice(3), slice(3, 4), slice(4, None))
    chunks = [Bags(bags.features[:, cut], bags.mask[:, cut]) for cut in cuts]
    torch.testing.assert_close(
        encode_chunks(encoder, chunks), encoder(bags), rtol=1e-12, atol=1e-13
    )


@pytest.mark.parametrize(("number", "rule"), [(1, "at least 2"), (4, "at most 3")])
def test_other_numbers_of_modalities_are_refused(number, rule):
    widths = dict(zip(("slides", "rna", "cnv", "clinical"), (6, 9, 4, 2), strict=True))
    chosen = dict(list(widths.items())[:number])
    with pytest.raises(FederationError, match=f"'mif' must fuse {rule} modalities, got slides"):
        build_model(ModelConfig("mif"), chosen, 1)


def test_too_few_features_are_refused():
    with pytest.raises(ConfigError, match=r"4 or more, got 3. Set model.width to 4 or more"):
        build_model(ModelConfig("mif", width=3), {"slides": 6, "omics": 9}, 1)


def test_modalities_of_different_size_are_refused():
    shapes = {"rna": Shape(1, 5), "cnv": Shape(6, 4)}
    with pytest.raises(ConfigError, match=r"equally many tokens of each modality, .* got 5, 6"):
        Mif(shapes, heads=1, sizes=(3, 1), dropout=0.0)
