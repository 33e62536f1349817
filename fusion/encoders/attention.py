"""Gated attention over the patches of a bag, in sums that merge over chunks of the bag."""

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn


@dataclass(frozen=True)
class AttentionState:
    """Sums from which the softmax-weighted means of the patches follow.

    Attributes:
        peak: Largest attention score so far; the lowest float without a real patch.
        mass: Sum of exp(score - peak); at least 1 with a real patch, 0 without.
        total: Sum of the patch vectors under those weights.
    """

    peak: Float[Tensor, "patient token"]
    mass: Float[Tensor, "patient token"]
    total: Float[Tensor, "patient token width"]


class AttentionPool(nn.Module):
    """Gated attention with one set of weights a token: a_i ∝ exp(w·(tanh(V h_i) ⊙ sigmoid(U h_i))).

    The softmax is accumulated with a running peak, so a bag in chunks equals the bag at once.

    Args:
        width: Width of a patch vector h_i, and of a token.
        tokens: Number of attention heads, each giving one token.

    Source: Ilse, Tomczak and Welling, Attention-based deep multiple instance learning, ICML 2018;
        running softmax: Milakov and Gimelshein, arXiv 1805.02867.
    """

    def __init__(self, width: int, *, tokens: int) -> None:
        super().__init__()
        self.width = width
        self.content = nn.Linear(width, width)
        self.gate = nn.Linear(width, width)
        self.score = nn.Linear(width, tokens, bias=False)  # a bias would cancel in the softmax

    def partial(
        self, patches: Float[Tensor, "patient patch width"], mask: Bool[Tensor, "patient patch"]
    ) -> AttentionState:
        """Return the sums of one chunk (with at least one patch, real or padded)."""
        scores = self.score(torch.tanh(self.content(patches)) * torch.sigmoid(self.gate(patches)))
        return softmax_sums(scores, patches, mask)

    def merge(self, first: AttentionState, second: AttentionState) -> AttentionState:
        """Return the sums of two chunks together."""
        return merged(first, second)

    def finish(self, state: AttentionState) -> Float[Tensor, "patient token width"]:
        """Return the tokens of each patient; 0 for a bag without a real patch."""
        return weighted_mean(state)


class QueryPool(nn.Module):
    """Learned queries q_t over the patches: a_i ∝ exp(q_t·h_i / √width), then a linear value.

    The value layer is applied to the weighted mean, which equals the weighted mean of values.

    Args:
        width_in: Width of a patch vector h_i.
        tokens: Number of queries, each giving one token.
        width: Width of a token.

    Source: own; learned queries as in Lee et al., Set Transformer, ICML 2019.
    """

    def __init__(self, width_in: int, *, tokens: int, width: int) -> None:
        super().__init__()
        self.width = width
        self.queries = nn.Linear(width_in, tokens, bias=False)
        self.value = nn.Linear(width_in, width)

    def partial(
        self, patches: Float[Tensor, "patient patch width"], mask: Bool[Tensor, "patient patch"]
    ) -> AttentionState:
        """Return the sums of one chunk (with at least one patch, real or padded)."""
        return softmax_sums(self.queries(patches) / patches.shape[2] ** 0.5, patches, mask)

    def merge(self, first: AttentionState, second: AttentionState) -> AttentionState:
        """Return the sums of two chunks together."""
        return merged(first, second)

    def finish(self, state: AttentionState) -> Float[Tensor, "patient token width"]:
        """Return the tokens of each patient; the value of 0 for a bag without a real patch."""
        return self.value(weighted_mean(state))


def softmax_sums(
    scores: Float[Tensor, "patient patch token"],
    patches: Float[Tensor, "patient patch width"],
    mask: Bool[Tensor, "patient patch"],
) -> AttentionState:
    """Return the sums of one chunk under exp(score).

    Args:
        scores: One a patch and token.
        patches: What is averaged.
        mask: True = real patch.

    Source: Milakov and Gimelshein, arXiv 1805.02867.
    """
    real = mask[:, :, None]
    peak = scores.detach().masked_fill(~real, torch.finfo(scores.dtype).min).amax(1)
    weights = (scores - peak[:, None]).masked_fill(~real, -torch.inf).exp()
    return AttentionState(peak, weights.sum(1), weights.transpose(1, 2) @ patches)


def merged(first: AttentionState, second: AttentionState) -> AttentionState:
    """Return the sums of two chunks together.

    Source: Milakov and Gimelshein, arXiv 1805.02867.
    """
    peak = torch.maximum(first.peak, second.peak)
    left, right = (first.peak - peak).exp(), (second.peak - peak).exp()
    return AttentionState(
        peak,
        first.mass * left + second.mass * right,
        first.total * left[..., None] + second.total * right[..., None],
    )


def weighted_mean(state: AttentionState) -> Float[Tensor, "patient token width"]:
    """Return the weighted mean patch of each token; 0 for a bag without a real patch.

    Source: own.
    """
    return state.total / state.mass.clamp(min=1)[..., None]
