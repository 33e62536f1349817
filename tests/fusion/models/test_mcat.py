import pytest
import torch

from fusion.errors import ConfigError
from fusion.models.base import Shape
from fusion.models.cost import count_macs
from fusion.models.cross_attention import Attention
from fusion.models.mcat import Mcat
from fusion.models.pathway_tokens import PathwayTokens

KINDS = pytest.mark.parametrize("kind", [Mcat, PathwayTokens])


def make(kind, patches=20, groups=3, **changes):
    torch.manual_seed(1)
    shapes = {"slides": Shape(patches, 9), "omics": Shape(groups, 8)}
    given = {"heads": 2, "hidden": 6, "dropout": 0.0} | changes
    return kind(shapes, **given).double().eval()


def embeddings(patches=20, groups=3, absent=0, seed=0):
    random = torch.Generator().manual_seed(seed)
    slides = torch.randn(4, patches, 9, generator=random)
    slides[..., -1] = 0.0
    slides[:, patches - absent :, -1] = 1.0
    genes = torch.randn(4, groups, 8, generator=random)
    return {"slides": slides.double(), "omics": genes.double()}


@KINDS
def test_absent_patches_change_nothing_however_many_there_are(kind):
    fusion, given = make(kind), embeddings(absent=8)
    other = {**given, "slides": given["slides"].clone()}
    other["slides"][:, 12:, :-1] = 7.0
    torch.testing.assert_close(fusion(other), fusion(given), rtol=0, atol=1e-9)
    fewer = {**given, "slides": given["slides"][:, :12]}
    torch.testing.assert_close(fusion(fewer), fusion(given), rtol=0, atol=1e-9)


@KINDS
def test_the_order_of_patches_changes_nothing(kind):
    fusion, given = make(kind), embeddings(absent=3)
    order = torch.randperm(20, generator=torch.Generator().manual_seed(1))
    shuffled = {**given, "slides": given["slides"][:, order]}
    torch.testing.assert_close(fusion(shuffled), fusion(given), rtol=0, atol=1e-12)


@KINDS
def test_cost_is_linear_in_patches(kind):
    macs = [count_macs(make(kind, n), embeddings(n)) for n in (1000, 2000, 3000)]
    assert macs[2] - macs[1] == macs[1] - macs[0]


@KINDS
def test_a_share_of_a_patch_counts_by_its_share(kind):
    # Two half patches that are alike weigh as much as one whole patch.
    fusion, given = make(kind, 2), embeddings(3)
    one = {**given, "slides": given["slides"][:, :2]}
    halves = {**given, "slides": given["slides"][:, [0, 1, 1]].clone()}
    halves["slides"][:, 1:, -1] = 0.5
    torch.testing.assert_close(fusion(halves), fusion(one), rtol=0, atol=1e-12)


@KINDS
def test_heads_that_do_not_divide_the_width_are_refused(kind):
    with pytest.raises(ConfigError, match=r"heads must divide model\.width, got 3 and 8.*to 9"):
        make(kind, heads=3)


def test_a_group_gathers_patches_by_its_own_softmax():
    # The definition, one group, one patch at a time.
    torch.manual_seed(0)
    attention = Attention(4, heads=1).double()
    groups, patches = torch.randn(1, 2, 4).double(), torch.randn(1, 5, 4).double()
    counted = torch.tensor([[1.0, 1, 0, 1, 0.25]]).double()
    for group in range(2):
        query = attention.query(groups[0, group])
        weights = [
            counted[0, p] * torch.exp(query @ attention.key(patches[0, p]) / 2) for p in range(5)
        ]
        total = sum(w * attention.value(patches[0, p]) for p, w in enumerate(weights))
        expected = attention.output(total / sum(weights))
        found = attention(groups, patches, counted)[0, group]
        torch.testing.assert_close(found, expected, rtol=0, atol=1e-9)


def test_guided_attention_reads_every_patch_for_every_group():
    fusion, given = make(Mcat), embeddings()
    given["slides"].requires_grad_()
    gathered = fusion.guided(given["omics"], given["slides"][..., :-1])
    for group in range(3):
        (slope,) = torch.autograd.grad(
            gathered[0, group].square().sum(), given["slides"], retain_graph=True
        )
        assert (slope[0].abs().sum(1) > 0).all()


def test_a_patch_looks_at_pathways_and_never_at_another_patch():
    fusion, given, seen = make(PathwayTokens), embeddings(), []
    given["slides"].requires_grad_()
    fusion.after.register_forward_hook(lambda *call: seen.append(call[-1]))
    fusion(given)
    _, patches = seen
    (slope,) = torch.autograd.grad(patches[0, 4].square().sum(), given["slides"])
    assert slope.abs().sum(2).nonzero().tolist() == [[0, 4]]


def test_a_pathway_looks_at_pathways_and_patches():
    fusion, given, seen = make(PathwayTokens), embeddings(), []
    for tokens in given.values():
        tokens.requires_grad_()
    fusion.after.register_forward_hook(lambda *call: seen.append(call[-1]))
    fusion(given)
    slopes = torch.autograd.grad(seen[0][0, 1].square().sum(), list(given.values()))
    assert all((slope[0].abs().sum(1) > 0).all() for slope in slopes)
