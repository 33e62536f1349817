import torch
from torch import nn

from fusion.models.base import Shape
from fusion.models.cross_attention import Attention, CrossAttention


def build(tokens, modalities=("slides", "omics")):
    torch.manual_seed(0)
    shapes = {name: Shape(tokens, 3) for name in modalities}
    return CrossAttention(shapes, width=8, heads=2, hidden=5, dropout=0.0).double()


def embeddings(tokens):
    random = torch.Generator().manual_seed(1)
    return {
        name: torch.randn(4, tokens, 3, generator=random).double() for name in ("slides", "omics")
    }


def test_attention_equals_torch_multi_head_attention():
    ours, theirs = Attention(8, heads=2), nn.MultiheadAttention(8, 2, batch_first=True)
    parts = (ours.query, ours.key, ours.value)
    theirs.in_proj_weight.data = torch.cat([part.weight.data for part in parts])
    theirs.in_proj_bias.data = torch.cat([part.bias.data for part in parts])
    theirs.out_proj.weight.data, theirs.out_proj.bias.data = (
        ours.output.weight.data,
        ours.output.bias.data,
    )
    tokens, context = torch.randn(5, 3, 8), torch.randn(5, 4, 8)
    torch.testing.assert_close(ours(tokens, context), theirs(tokens, context, context)[0])


def test_with_one_token_queries_and_keys_get_no_gradient():
    model = build(tokens=1)
    model(embeddings(1)).square().sum().backward()
    for attention in model.attentions.values():
        assert not attention.query.weight.grad.any()
        assert not attention.key.weight.grad.any()
        assert attention.value.weight.grad.any()


def test_with_several_tokens_queries_and_keys_learn():
    model = build(tokens=3)
    model(embeddings(3)).square().sum().backward()
    for attention in model.attentions.values():
        assert attention.query.weight.grad.any()
        assert attention.key.weight.grad.any()


def test_each_modality_queries_the_other():
    model, tokens = build(tokens=2), embeddings(2)
    projected = {name: layer(tokens[name]) for name, layer in model.projections.items()}
    parts = [projected["slides"], projected["omics"]]
    for name, other in (("slides", "omics"), ("omics", "slides")):
        parts.append(model.norms[name](model.attentions[name](projected[name], projected[other])))
    expected = model.head(torch.cat([part.mean(1) for part in parts], 1))
    torch.testing.assert_close(model(tokens), expected)


def test_with_three_modalities_each_attends_to_both_others():
    model = build(tokens=2, modalities=("slides", "omics", "cnv"))
    tokens = {**embeddings(2), "cnv": torch.zeros(4, 2, 3).double().requires_grad_()}
    model(tokens).sum().backward()
    assert tokens["cnv"].grad.any()
