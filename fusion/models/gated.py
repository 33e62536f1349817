"""Gated fusion: each modality passes a gate that sees all of them."""

import torch
from torch import nn

from fusion.models.base import AbstractFusion, Embeddings, Shapes, flattened
from fusion.models.head import RiskHead
from fusion.types import Scores


class Gated(AbstractFusion):
    """LayerNorm(sigmoid(G_m [x_1..x_M]) ⊙ P_m x_m) of each modality, side by side, to a small head.

    Args:
        shapes: Size of each modality's embedding; its tokens are laid end to end.
        width: Width of a projection and of its gate.
        hidden: Width of the head's layer.
        dropout: Probability of dropout before each of the head's layers.
        outputs: Scores a patient; 1 = the log hazard.

    Source: arXiv 2603.29977 (gated architecture); any number of modalities is own.
    """

    def __init__(
        self, shapes: Shapes, *, width: int, hidden: int, dropout: float, outputs: int = 1
    ) -> None:
        super().__init__()
        sizes = [shape.flat for shape in shapes.values()]
        self.projections = nn.ModuleList(nn.Linear(size, width) for size in sizes)
        self.gates = nn.ModuleList(nn.Linear(sum(sizes), width) for _ in sizes)
        self.norms = nn.ModuleList(nn.LayerNorm(width) for _ in sizes)
        self.head = RiskHead(len(sizes) * width, hidden=(hidden,), dropout=dropout, outputs=outputs)

    def forward(self, embeddings: Embeddings) -> Scores:
        """Return each patient's scores."""
        vectors = flattened(embeddings)
        everything = torch.cat(vectors, 1)
        layers = zip(vectors, self.projections, self.gates, self.norms, strict=True)
        gated = [
            norm(project(x) * torch.sigmoid(gate(everything))) for x, project, gate, norm in layers
        ]
        return self.head(torch.cat(gated, 1))
