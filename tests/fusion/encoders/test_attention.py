import torch

from fusion.encoders.attention import AttentionPool, QueryPool


def slow(pool, patches):
    """One patient, one head at a time, straight from the formula."""
    tokens = []
    for weights in pool.score.weight:
        scores = [
            weights @ (torch.tanh(pool.content(h)) * torch.sigmoid(pool.gate(h))) for h in patches
        ]
        shares = torch.softmax(torch.stack(scores), 0)
        tokens.append(sum(share * h for share, h in zip(shares, patches, strict=True)))
    return torch.stack(tokens)


def test_pool_equals_the_formula_in_a_loop():
    pool, patches = AttentionPool(6, tokens=3).double(), torch.randn(1, 5, 6).double()
    pooled = pool.finish(pool.partial(patches, torch.ones(1, 5).bool()))
    torch.testing.assert_close(pooled[0], slow(pool, patches[0]))


def test_merged_chunks_equal_the_whole_even_with_extreme_scores():
    pool, patches = AttentionPool(4, tokens=2).double(), torch.randn(2, 9, 4).double()
    torch.nn.init.constant_(pool.score.weight, 400.0)
    mask = torch.rand(2, 9) > 0.3
    whole = pool.finish(pool.partial(patches, mask))
    parts = [pool.partial(patches[:, cut], mask[:, cut]) for cut in (slice(4), slice(4, None))]
    torch.testing.assert_close(pool.finish(pool.merge(*parts)), whole)


def test_gradient_through_the_running_softmax_equals_the_plain_one():
    pool, patches = AttentionPool(4, tokens=2).double(), torch.randn(1, 6, 4).double()
    pool.finish(pool.partial(patches, torch.ones(1, 6).bool())).square().sum().backward()
    found = pool.gate.weight.grad.clone()
    pool.zero_grad()
    slow(pool, patches[0]).square().sum().backward()
    torch.testing.assert_close(found, pool.gate.weight.grad)


def test_a_bag_without_a_real_patch_gives_zero_and_a_finite_gradient():
    pool = AttentionPool(4, tokens=2)
    pooled = pool.finish(pool.partial(torch.zeros(1, 3, 4), torch.zeros(1, 3).bool()))
    pooled.sum().backward()
    assert torch.equal(pooled, torch.zeros(1, 2, 4))
    assert all(torch.isfinite(parameter.grad).all() for parameter in pool.parameters())


def test_queries_equal_attention_over_values_in_a_loop():
    pool, patches = QueryPool(6, tokens=3, width=4).double(), torch.randn(1, 5, 6).double()
    pooled = pool.finish(pool.partial(patches, torch.ones(1, 5).bool()))
    for query, token in zip(pool.queries.weight, pooled[0], strict=True):
        shares = torch.softmax(patches[0] @ query / 6**0.5, 0)
        expected = sum(s * pool.value(h) for s, h in zip(shares, patches[0], strict=True))
        torch.testing.assert_close(token, expected)
