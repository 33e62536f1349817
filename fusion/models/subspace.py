"""Knowledge-driven subspaces: two groups of genes, each looking at the slides for itself."""

from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.functional import gelu, normalize

from fusion.encoders.dropout import PatientDropout
from fusion.encoders.patch_set import FAINT, presence, present_mean
from fusion.errors import ConfigError
from fusion.modalities import OMICS, SLIDES
from fusion.models.base import AbstractFusion, Embeddings, Outputs, Shapes
from fusion.models.cross_attention import check_heads
from fusion.types import Scores, Tokens

KERNEL, STRIDE, PADDING = 6, 4, 1
"""Of the convolution that finds offsets."""

REACH = 1 / 3
"""Largest offset, as a share of the grid of keys: 4 of the 12 steps of the published grid."""


class Sampled(NamedTuple):
    """What deformable attention looked at.

    Attributes:
        gathered: What each patch gathers.
        offsets: How far each head moved its keys from the regular grid: y, then x.
    """

    gathered: Tokens
    offsets: Float[Tensor, "patient head move"]


class DeformableAttention(nn.Module):
    """Attention of S x S queries to keys sampled from the patches at learned places.

    Each head reads its own channels. A small convolution over its map of queries moves a coarse
    grid of about (S/4)² points by up to a third of its side; the patches there, bilinear, are its
    keys and values. Beside q·k stands a learned function of the signed-log distance. The cost is
    S² x (S/4)², never S² x S².

    Args:
        width: Width of a token, a multiple of `heads`.
        heads: Number of heads; each works in 4 * width / heads numbers.
        side: Side S of the map.

    Source: MICCAI 2024 (deformable cross-modal attention); deformable attention after Xia et al.,
        CVPR 2022; positions after Liu et al., Swin v2, CVPR 2022. One bias network for all heads,
        each at its own positions. Places without a patch count by their share: own.
    """

    def __init__(self, width: int, *, heads: int, side: int) -> None:
        super().__init__()
        inner = 4 * width
        self.heads, self.side = heads, side
        self.points = (side + 2 * PADDING - KERNEL) // STRIDE + 1
        self.query, self.key, self.value = (
            nn.Conv1d(width, inner, 1, groups=heads, bias=False) for _ in range(3)
        )
        self.spread = nn.Conv2d(inner, inner, KERNEL, STRIDE, PADDING, groups=inner)
        self.offset = nn.Conv2d(inner, 2 * heads, 1, groups=heads, bias=False)
        # No constant in the last layer: the softmax would remove it.
        self.distance = nn.Sequential(
            *(nn.Linear(2, 32), nn.ReLU(), nn.Linear(32, 32), nn.ReLU()),
            nn.Linear(32, 1, bias=False),
        )
        self.output = nn.Linear(inner, width)

    def forward(
        self, tokens: Tokens, patches: Tokens, present: Float[Tensor, "patient token"]
    ) -> Sampled:
        """Return what each token gathers from the patches, and the offsets."""
        queries = self.query((tokens * present[..., None]).transpose(1, 2))
        spread = gelu(self.spread(queries.unflatten(2, (self.side, self.side))))
        moves = torch.tanh(self.offset(spread)).flatten(2).unflatten(1, (self.heads, 2))
        offsets = REACH * self.points * moves
        places = self._places(offsets)
        weights = tent_weights(places, self.side)
        real = patches * present[..., None]
        slices = real.unflatten(2, (self.heads, -1)).transpose(1, 2)
        found = (weights @ slices).transpose(2, 3).flatten(1, 2)
        keys, values = (self._split(part(found)) for part in (self.key, self.value))
        scores = self._split(queries) @ keys.transpose(2, 3) / keys.shape[3] ** 0.5
        scores = scores + self._bias(places) + _seen(weights, present)[:, :, None]
        gathered = torch.softmax(scores, 3) @ values
        return Sampled(self.output(gathered.transpose(1, 2).flatten(2)), offsets.flatten(2))

    def _places(self, offsets: Float[Tensor, "_ _ 2 _"]) -> Float[Tensor, "_ _ _ 2"]:
        """Return where the keys lie, y and x from -1 to 1 over the map and beyond."""
        axis = torch.arange(self.points, dtype=offsets.dtype, device=offsets.device)
        grid = torch.cartesian_prod(axis, axis).T
        return (2 * (grid + offsets) / max(self.points - 1, 1) - 1).transpose(2, 3)

    def _bias(self, places: Float[Tensor, "_ _ _ 2"]) -> Float[Tensor, "_ _ _ _"]:
        axis = torch.linspace(-1, 1, self.side, dtype=places.dtype, device=places.device)
        apart = torch.cartesian_prod(axis, axis)[:, None] - places[:, :, None]
        return self.distance(apart.sign() * torch.log1p(apart.abs()))[..., 0]

    def _split(self, values: Float[Tensor, "_ _ _"]) -> Float[Tensor, "_ _ _ _"]:
        return values.unflatten(1, (self.heads, -1)).transpose(2, 3)


def tent_weights(
    places: Float[Tensor, "patient head point 2"], side: int
) -> Float[Tensor, "patient head point cell"]:
    """Return how much of each cell of a map bilinear sampling takes at each place.

    Args:
        places: y and x; the map spans -1 to 1, cells have their values in their middles.
        side: Cells along one side.

    Returns:
        Weights whose product with a map of cells, row by row, is the sample; beyond the map is 0.

    Source: own; equals `torch.nn.functional.grid_sample`, but repeats itself on a GPU.
    """
    cells = torch.arange(side, dtype=places.dtype, device=places.device)
    centres = ((places + 1) * side - 1) / 2
    near = (1 - (centres[..., None] - cells).abs()).clamp(min=0)
    return (near[..., 0, :, None] * near[..., 1, None, :]).flatten(3)


def _seen(
    weights: Float[Tensor, "patient head point cell"], present: Float[Tensor, "patient cell"]
) -> Float[Tensor, "patient head point"]:
    """Return the log of the share of real patches at each place; 0 on a full map and beyond it."""
    inside = weights.sum(3)
    real = (weights @ present[:, None, :, None])[..., 0]
    return torch.log(((real + FAINT) / (inside + FAINT)).clamp(min=FAINT))


class Subspace(nn.Module):
    """One group of genes beside every patch, their deformable attention, averaged to one vector.

    Args:
        width: Width of the gene token, of a patch, and of the vector.
        heads: Attention heads.
        side: Side of the map that the patches are laid out on.

    Source: MICCAI 2024, knowledge-driven subspace fusion.
    """

    def __init__(self, width: int, *, heads: int, side: int) -> None:
        super().__init__()
        self.join = nn.Linear(2 * width, width)
        self.before = nn.LayerNorm(width)
        self.attention = DeformableAttention(width, heads=heads, side=side)
        self.after = nn.LayerNorm(width)
        self.pooler = nn.Linear(width, width)
        self.output = nn.Linear(width, width)

    def forward(
        self,
        genes: Float[Tensor, "patient width"],
        patches: Tokens,
        present: Float[Tensor, "patient token"],
    ) -> tuple[Float[Tensor, "patient width"], Float[Tensor, "patient head move"]]:
        """Return each patient's vector, and where the attention looked."""
        beside = genes[:, None].expand(-1, patches.shape[1], -1)
        tokens = self.join(torch.cat([patches, beside], 2))
        found = self.attention(self.before(tokens), self.before(patches), present)
        tokens = self.after(tokens + found.gathered)
        mean = present_mean(tokens, present)
        return self.output(torch.tanh(self.pooler(mean))), found.offsets


class SubspaceFusion(AbstractFusion):
    """Two subspaces, tumour and microenvironment, whose two scores add up to the model's.

    The slides' tokens are maps of S x S patches, read once for each subspace; the genes' tokens
    are one for each subspace.

    Args:
        shapes: Size of each modality's embedding.
        heads: Attention heads.
        dropout: Probability that an element of the vectors is dropped before the linear scores.
        consistency: Weight of the gene-guided consistency of each subspace; it compares the
            patients of a micro-batch. 0 = none.
        outputs: Scores a patient; 1 = the log hazard.

    Raises:
        ConfigError: The patches make no square, the widths do not go together, or there are not
            two groups of genes.

    Source: MICCAI 2024, knowledge-driven subspace fusion and gradient coordination.
    """

    def __init__(
        self, shapes: Shapes, *, heads: int, dropout: float, consistency: float, outputs: int = 1
    ) -> None:
        super().__init__()
        (cells, _), (groups, width) = shapes[SLIDES], shapes[OMICS]
        side = round(cells**0.5)
        _check(cells, side, groups, width, heads)
        self.consistency, self.couples_patients = consistency, consistency > 0
        self.subspaces = nn.ModuleList(
            Subspace(width, heads=heads, side=side) for _ in range(groups)
        )
        self.dropout = PatientDropout(dropout)
        self.head = nn.Linear(groups * width, outputs)

    def forward(self, embeddings: Embeddings) -> Scores:
        """Return each patient's scores."""
        vectors, _ = self._vectors(embeddings)
        return self.head(vectors).squeeze(1)

    def outputs(self, embeddings: Embeddings) -> Outputs:
        """Return the scores, the consistency of both subspaces, and each one's own scores."""
        vectors, offsets = self._vectors(embeddings)
        penalty = vectors.new_zeros(())
        if self.couples_patients:
            genes = embeddings[OMICS].unbind(1)
            penalty = self.consistency * sum(map(consistency_loss, genes, offsets), penalty)
        halves = half_scores(self.head, vectors).detach()
        return Outputs(self.head(vectors).squeeze(1), penalty, halves)

    def _vectors(self, embeddings: Embeddings) -> tuple[Tensor, list[Tensor]]:
        patches, present = presence(embeddings[SLIDES])
        parts = zip(self.subspaces, embeddings[OMICS].unbind(1), patches.chunk(2, 2), strict=True)
        found = [subspace(genes, own, present) for subspace, genes, own in parts]
        vectors = torch.cat([vector for vector, _ in found], 1)
        return self.dropout(vectors), [offsets for _, offsets in found]


def half_scores(
    head: nn.Linear, vectors: Float[Tensor, "patient feature"]
) -> Float[Tensor, "patient 2 *class"]:
    """Return what each half of the vector adds to the head's outputs, with half their constants.

    Args:
        head: Of one output, or one a class.
        vectors: What it reads; the first half belongs to the first subspace.

    Source: MICCAI 2024.
    """
    parts = zip(vectors.chunk(2, 1), head.weight.chunk(2, 1), strict=True)
    return torch.stack([part @ weight.T + head.bias / 2 for part, weight in parts], 1).squeeze(2)


def consistency_loss(
    genes: Float[Tensor, "patient width"], offsets: Float[Tensor, "patient head move"]
) -> Float[Tensor, ""]:
    """Return how far patients alike in genes are from attending alike.

    sum_ij (A_ij - mean_g B_gij)² / N with A the rows of O Oᵀ, and B_g those of V_g V_gᵀ, each of
    length 1; O are the genes' tokens and V_g the offsets of head g. Offsets alone: the regular
    grid is the same in all patients and would hide them. Couples patients.

    Args:
        genes: Tokens of a batch.
        offsets: Of the same patients.

    Source: MICCAI 2024 (gene-guided consistency).
    """
    likeness = normalize(genes @ genes.T, dim=1)
    moves = offsets.transpose(0, 1)
    together = normalize(moves @ moves.transpose(1, 2), dim=2).mean(0)
    return (likeness - together).square().sum() / max(len(genes), 1)


def _check(cells: int, side: int, groups: int, width: int, heads: int) -> None:
    if side**2 != cells or side < STRIDE:
        raise ConfigError(
            f"model.patch-tokens must be a square from {STRIDE**2} for model 'subspace', got "
            f"{cells}. Write {max(side, STRIDE) ** 2}."
        )
    if groups != 2:
        raise ConfigError(
            f"Model 'subspace' must have two groups of genes, got {groups}. Name two in the "
            "signature table, and leave model.ungrouped at leave-out."
        )
    check_heads(heads, width, "model.width")
