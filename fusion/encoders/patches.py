"""From bags of patch features to a few tokens a patient."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import reduce
from typing import Protocol, TypeVar, runtime_checkable

import torch
from jaxtyping import Float
from torch import Tensor, nn

from fusion.encoders.attention import AttentionPool, AttentionState, QueryPool
from fusion.encoders.base import AbstractEncoder
from fusion.encoders.dropout import PatientDropout
from fusion.types import Bags, Tokens

State = TypeVar("State")


@runtime_checkable
class ChunkedEncoder(Protocol[State]):
    """An encoder that reads a bag chunk by chunk.

    Source: own.
    """

    def partial(self, bags: Bags) -> State:
        """Return the state after one chunk."""

    def merge(self, first: State, second: State) -> State:
        """Return the state after two chunks."""

    def finish(self, state: State) -> Tokens:
        """Return the tokens of the chunks merged into `state`."""

    def __call__(self, inputs: Bags) -> Tokens:
        """Return the tokens of whole bags."""


def pool_chunks(encoder: ChunkedEncoder[State], chunks: Iterable[Bags]) -> State:
    """Return the state after bags that come in chunks, as if each bag came at once.

    Args:
        encoder: One of the patch encoders below.
        chunks: At least one; each holds the same patients and some of their patches.

    Returns:
        What `encoder.finish` turns into tokens.

    Source: own.
    """
    return reduce(encoder.merge, map(encoder.partial, chunks))


def encode_chunks(encoder: ChunkedEncoder, chunks: Iterable[Bags]) -> Tokens:
    """Return the tokens of bags that come in chunks, as `pool_chunks` reads them.

    Source: own.
    """
    return encoder.finish(pool_chunks(encoder, chunks))


@dataclass(frozen=True)
class MeanState:
    """Sums from which the mean of the real patches follows.

    Attributes:
        total: Sum of the patch features.
        count: Number of real patches.
    """

    total: Float[Tensor, "patient feature"]
    count: Float[Tensor, "patient 1"]


class MeanPatches(AbstractEncoder):
    """The mean of a patient's real patches, read as a vector; 0 for a bag without any.

    Args:
        vector: What turns the mean patch into tokens: an encoder of vectors.

    Source: own; mean pooling as in the reference inputs of arXiv 2603.29977.
    """

    def __init__(self, vector: AbstractEncoder) -> None:
        super().__init__(vector.tokens, vector.width)
        self.vector = vector

    def partial(self, bags: Bags) -> MeanState:
        """Return the sums of one chunk."""
        mask = bags.mask.to(bags.features.dtype)
        total = torch.bmm(mask[:, None], bags.features)[:, 0]
        return MeanState(total, mask.sum(1, keepdim=True))

    def merge(self, first: MeanState, second: MeanState) -> MeanState:
        """Return the sums of two chunks together."""
        return MeanState(first.total + second.total, first.count + second.count)

    def finish(self, state: MeanState) -> Tokens:
        """Return the tokens of the mean patch."""
        return self.vector(state.total / state.count.clamp(min=1))

    def forward(self, inputs: Bags) -> Tokens:
        """Return the tokens of whole bags."""
        return self.finish(self.partial(inputs))


class AttentionPatches(AbstractEncoder):
    """ReLU(linear) of each patch, then one attention mean a token: gated, or by learned queries.

    A dropped feature is dropped in every patch of the patient, so chunks and order do not matter.

    Args:
        width_in: Width of a patch feature vector.
        tokens: Tokens a patient, one attention head each.
        width: Width of the layer, and of a token of gated attention.
        dropout: Probability that a feature is dropped in training.
        pool: Pools `width` wide vectors into `tokens`; gated attention if None.

    Source: Ilse, Tomczak and Welling, ICML 2018; the input dropout is own.
    """

    def __init__(
        self,
        width_in: int,
        *,
        tokens: int,
        width: int,
        dropout: float,
        pool: AttentionPool | QueryPool | None = None,
    ) -> None:
        pool = pool or AttentionPool(width, tokens=tokens)
        super().__init__(tokens, pool.width)
        self.dropout = PatientDropout(dropout)
        self.project = nn.Linear(width_in, width)
        self.pool = pool

    def partial(self, bags: Bags) -> AttentionState:
        """Return the attention sums of one chunk."""
        features, mask = bags.features, bags.mask
        if features.shape[1] == 0:
            features = features.new_zeros(len(features), 1, features.shape[2])
            mask = mask.new_zeros(len(mask), 1)
        factor = self.dropout.multiplier(features[:, 0])
        features = features if factor is None else features * factor[:, None]
        return self.pool.partial(torch.relu(self.project(features)), mask)

    def merge(self, first: AttentionState, second: AttentionState) -> AttentionState:
        """Return the attention sums of two chunks together."""
        return self.pool.merge(first, second)

    def finish(self, state: AttentionState) -> Tokens:
        """Return the attended tokens."""
        return self.pool.finish(state)

    def forward(self, inputs: Bags) -> Tokens:
        """Return the tokens of whole bags."""
        return self.finish(self.partial(inputs))
