import copy
from itertools import product

import numpy as np
import pytest
import torch

from client.audit import Terms, audit, donors, embedding_means, own_background
from client.site import open_patients, open_site
from fusion.interaction.background import EmbeddingSums
from fusion.interaction.coalitions import coalition_values
from fusion.interaction.figures import audit_figures
from fusion.interaction.scales import Scale, time_scales
from fusion.interaction.tallies import AuditTally
from fusion.models.entries import MODELS
from fusion.training.evaluation import embed, embed_mean_input, encode, pool
from fusion.training.plan import build_network

BOTH = ("slides", "omics")


@pytest.fixture
def ready(settings_at, finished):
    plan = finished.plan
    settings = settings_at()
    data = open_patients(settings, plan)
    return build_network(data.plan, settings.run).model, data, open_site(settings)


def test_only_patients_with_every_modality_are_audited(ready):
    model, data, _ = ready
    background = embed_mean_input(model, data.plan.widths)
    tally = AuditTally.from_array(audit(model, data, list(range(24)), background)["audit"], BOTH)
    assert (tally.count, tally.excluded) == (20, 4)


def test_the_model_is_left_as_it_was(ready):
    model, data, _ = ready
    background = embed_mean_input(model, data.plan.widths)
    audit(model, data, [0, 1, 2], background)
    assert {p.dtype for p in model.parameters()} == {torch.float32}


@pytest.mark.parametrize("rows", [[], "without slides"])
def test_nobody_to_audit_is_an_empty_tally(ready, rows):
    model, data, site = ready
    rows = [int(r) for r in np.flatnonzero(~site.cohort.has_slides)] if rows else []
    background = embed_mean_input(model, data.plan.widths)
    tally = AuditTally.from_array(audit(model, data, rows, background)["audit"], BOTH)
    assert (tally.count, tally.excluded) == (0, len(rows))


def test_the_mean_embedding_leaves_out_who_lacks_the_modality(ready):
    model, data, _ = ready
    rows = list(range(24))
    array = embedding_means(model, data, rows).to_array()
    means = EmbeddingSums.from_array(array, {"slides": (2, 4), "omics": (2, 4)}).mean()
    embeddings, present = embed(model, data, rows)
    expected = embeddings["omics"][present["omics"]].double().mean(0)
    torch.testing.assert_close(means["omics"].double(), expected, rtol=1e-5, atol=1e-6)


LOCAL = ("donors", "own means")


@pytest.fixture
def hospital(settings_at, finished):
    def hospital(changes=None, site="lyon"):
        settings = settings_at(site, changes)
        data, site = open_patients(settings, finished.plan), open_site(settings)
        return build_network(data.plan, settings.run), data, site

    return hospital


def background_of(kind, model, data, rows):
    """What stands for a hidden modality, made from some training patients."""
    if kind == "donors":
        return donors(model, data, rows, number=100, seed=1)
    if kind in ("embedding-mean", "own means"):
        return embedding_means(model, data, rows).mean()
    found = embed_mean_input(model, data.plan.widths)
    return found if kind == "input-mean" else {n: torch.zeros_like(t) for n, t in found.items()}


def shares(tally):
    found = audit_figures(tally, {})["shares"]
    names = ("value", "standard_error", "slides", "omics")
    return np.array([[share[name] for name in names] for share in found.values()
                     if share["value"] is not None and "slides" in share])  # fmt: skip


PARTS = ((0, 3, 5, 6, 10, 11, 17), (1, 2, 4, 7, 8, 9, 12, 13), (14, 15, 16, *range(18, 24)))
"""Three sites' patients out of one cohort, so that all of them together are the pooled data."""


def added(model, data, backgrounds):
    tallies = [
        AuditTally.from_array(audit(model, data, part, background)["audit"], BOTH)
        for part, background in zip(PARTS, backgrounds, strict=True)
    ]
    return shares(tallies[0] + tallies[1] + tallies[2])


@pytest.mark.parametrize("pooling", ["mean", "attention"])
@pytest.mark.parametrize("kind", ["embedding-mean", "input-mean", "zero"])
def test_with_a_shared_background_the_sites_add_up_to_the_pooled_figures(hospital, kind, pooling):
    network, data, _ = hospital({"model.pooling": pooling})
    model, everyone = network.model, sorted(sum(PARTS, ()))
    means = [embedding_means(model, data, part) for part in PARTS]
    shared = background_of(kind, model, data, everyone)
    if kind == "embedding-mean":
        shared = (means[0] + means[1] + means[2]).mean()
        pooled = background_of(kind, model, data, everyone)
        whole = AuditTally.from_array(audit(model, data, everyone, pooled)["audit"], BOTH)
    else:
        whole = AuditTally.from_array(audit(model, data, everyone, shared)["audit"], BOTH)
    found = added(model, data, [shared] * 3)
    np.testing.assert_allclose(found, shares(whole), rtol=0, atol=1e-10)


@pytest.mark.parametrize("kind", LOCAL)
def test_with_local_backgrounds_they_do_not(hospital, kind):
    network, data, _ = hospital()
    everyone = sorted(sum(PARTS, ()))
    pooled = background_of(kind, network.model, data, everyone)
    whole = AuditTally.from_array(audit(network.model, data, everyone, pooled)["audit"], BOTH)
    local = [background_of(kind, network.model, data, part) for part in PARTS]
    gap = np.abs(added(network.model, data, local) - shares(whole))
    assert gap.max() > 1e-3


@pytest.mark.parametrize("kind", ["embedding-mean", "input-mean", "zero", "donors"])
def test_late_fusion_audits_to_zero_under_every_background(hospital, kind):
    network, data, site = hospital({"model.name": "late"})
    background = background_of(kind, network.model, data, site.rows("train"))
    tally = AuditTally.from_array(audit(network.model, data, range(24), background)["audit"], BOTH)
    assert tally.count == 20
    assert abs(shares(tally)[:, 0]).max() < 1e-12


@pytest.mark.parametrize("name", [name for name in MODELS if not MODELS[name].takes])
def test_every_model_audits_with_donors_as_in_a_double_loop(hospital, name):
    """One patient and one donor at a time, through the model as it is evaluated in double."""
    network, data, site = hospital({"model.name": name})
    held = donors(network.model, data, site.rows("train"), number=4, seed=1)
    pooled = pool(network.model, data, [0, 1])
    exact = network.model.double().requires_grad_(False)
    shown = encode(exact, pooled)
    expected = np.zeros((2, 4))
    for patient, coalition, donor in product(range(2), range(4), range(4)):
        mixed = {
            name: shown[name][[patient]] if coalition & bit else held[name][[donor]]
            for name, bit in (("slides", 1), ("omics", 2))
        }
        expected[patient, coalition] += exact.fusion(mixed).item() / 4
    found = coalition_values(exact.fusion, shown, held)
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-12)


def test_what_follows_the_patches_is_float64(hospital):
    network, data, _ = hospital()
    rows, exact = list(range(24)), copy.deepcopy(network.model).double().eval()
    pooled = pool(network.model, data, rows)
    means = embedding_means(network.model, data, rows, pooled).mean()
    expected = encode(exact, pooled)["omics"][pooled.present["omics"]].mean(0).detach()
    torch.testing.assert_close(means["omics"], expected, rtol=0, atol=1e-14)
    rough = encode(network.model, pooled)["omics"][pooled.present["omics"]].double().mean(0)
    assert not torch.allclose(means["omics"], rough.detach(), rtol=0, atol=1e-12)


def test_donors_are_training_patients_who_have_every_modality(hospital, monkeypatch):
    network, data, site = hospital()
    asked = []
    chunks = data.bags.chunks
    monkeypatch.setattr(
        data.bags, "chunks", lambda row, size: asked.append(row) or chunks(row, size)
    )
    held = donors(network.model, data, site.rows("train"), number=100, seed=1)
    complete = data.present["slides"] & data.present["omics"]
    expected = [row for row in site.rows("train") if complete[row]]
    assert asked == expected  # each read once
    assert not set(asked) & {*site.rows("test"), *site.rows("validation")}
    assert {len(tokens) for tokens in held.values()} == {len(expected)}


def test_the_same_donors_are_drawn_again_and_others_with_another_seed(hospital):
    network, data, site = hospital()

    def draw(seed):
        return donors(network.model, data, site.rows("train"), number=3, seed=seed)["omics"]

    torch.testing.assert_close(draw(1), draw(1), rtol=0, atol=0)
    assert not torch.equal(draw(1), draw(2))


def test_who_is_tested_does_not_change_the_donors(hospital, tiny):
    """What a test patient looks like is in no background: without test patients it is the same."""
    network, data, site = hospital({"audit.background": "marginal"})
    config, rows = tiny({"audit.background": "marginal"}), site.rows("train")
    before = own_background(config, network.model, data, rows)
    for row in {*range(24)} - {*rows}:
        data.vectors["omics"][row] = 99.0
    after = own_background(config, network.model, data, rows)
    for name, tokens in before.items():
        torch.testing.assert_close(after[name], tokens, rtol=0, atol=0)


@pytest.mark.parametrize("rows", [[], "one"])
def test_a_site_without_two_complete_training_patients_has_no_donors(hospital, rows):
    network, data, _ = hospital()
    complete = (data.present["slides"] & data.present["omics"]).nonzero()[:, 0].tolist()
    training = complete[:1] if rows else []
    assert donors(network.model, data, training, number=100, seed=1) == {}


def test_other_scales_come_from_the_same_fusions(hospital, monkeypatch):
    network, data, site = hospital({"objective.name": "discrete-time"})
    scales = time_scales((Scale("survival", 500.0),), network.objective, None)
    held, calls = background_of("zero", network.model, data, []), []
    hook = type(network.model.fusion).forward
    monkeypatch.setattr(
        type(network.model.fusion),
        "forward",
        lambda self, embeddings: calls.append(1) or hook(self, embeddings),
    )
    found = audit(network.model, data, site.rows("test"), held, terms=Terms(scales))
    assert list(found) == ["audit", "audit:survival@500.0"]
    assert len(calls) == 4
    assert not np.array_equal(*found.values())


def test_a_mean_embedding_of_patches_holds_no_lone_patients_patch(settings_at, tiny, lead):
    changes = {"model.name": "subspace", "rounds": 1}
    plan = lead(tiny(changes)).plan
    settings = settings_at("lyon", changes)
    data = open_patients(settings, plan)
    model, rows = build_network(data.plan, settings.run).model, list(range(24))
    tokens, present = embed(model, data, rows)
    alone = (tokens["slides"][present["slides"], :, -1] < 1).sum(0)
    shapes = {name: tuple(value.shape[1:]) for name, value in tokens.items()}
    sums = EmbeddingSums.from_array(embedding_means(model, data, rows).to_array(), shapes)
    total = torch.tensor(sums.totals["slides"])
    torch.testing.assert_close(total, total[:1].expand_as(total))  # no place has a sum of its own
    expected = tokens["slides"][present["slides"]].double().mean(1).sum(0)
    torch.testing.assert_close(total[0], expected, rtol=1e-5, atol=1e-6)
    assert alone.min() < len(rows)
