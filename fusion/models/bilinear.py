"""Low-rank bilinear fusion: elementwise products of the modalities beside each of them alone."""

from itertools import combinations

import torch
from torch import nn

from fusion.models.base import AbstractFusion, Embeddings, Shapes, flattened
from fusion.models.head import RiskHead
from fusion.types import Scores

NORMS = {"layer": nn.LayerNorm, "batch": nn.BatchNorm1d}


class Bilinear(AbstractFusion):
    """Products F_a x_a ⊙ F_b x_b of each pair and a projection of each modality, all normalised.

    Args:
        shapes: Size of each modality's embedding; its tokens are laid end to end.
        rank: Width of the factors and of the projections.
        hidden: Width of the head's layer.
        dropout: Probability of dropout before each of the head's layers.
        norm: `layer`; or `batch`, which couples patients and suffers when sites differ.
        outputs: Scores a patient; 1 = the log hazard.

    Source: arXiv 2603.29977 (bilinear fusion); pairs of more than two modalities are own.
    """

    def __init__(
        self,
        shapes: Shapes,
        *,
        rank: int,
        hidden: int,
        dropout: float,
        norm: str = "layer",
        outputs: int = 1,
    ) -> None:
        super().__init__()
        sizes = [shape.flat for shape in shapes.values()]
        self.pairs = list(combinations(range(len(sizes)), 2))
        parts = len(self.pairs) + len(sizes)
        self.factors = nn.ModuleList(nn.Linear(size, rank) for size in sizes)
        self.projections = nn.ModuleList(nn.Linear(size, rank) for size in sizes)
        self.norms = nn.ModuleList(NORMS[norm](rank) for _ in range(parts))
        self.head = RiskHead(parts * rank, hidden=(hidden,), dropout=dropout, outputs=outputs)

    def forward(self, embeddings: Embeddings) -> Scores:
        """Return each patient's scores."""
        vectors = flattened(embeddings)
        factors = [factor(x) for factor, x in zip(self.factors, vectors, strict=True)]
        parts = [factors[first] * factors[second] for first, second in self.pairs]
        parts += [project(x) for project, x in zip(self.projections, vectors, strict=True)]
        normed = [norm(part) for norm, part in zip(self.norms, parts, strict=True)]
        return self.head(torch.cat(normed, 1))
