"""Late fusion: one risk a modality, joined by a weighted sum, so that nothing can interact."""

import torch
from torch import nn

from fusion.models.base import AbstractFusion, Embeddings, Shapes, flattened
from fusion.models.head import RiskHead
from fusion.types import LogHazards


class Late(AbstractFusion):
    """A small perceptron a modality; their log hazards are combined linearly.

    The combination starts as the plain sum. Additive on the log-hazard scale, so an audit must
    find no interaction.

    Args:
        shapes: Size of each modality's embedding.
        hidden: Width of each perceptron's hidden layer.
        dropout: Probability of dropout before each layer of a perceptron.

    Source: arXiv 2603.29977 (late fusion); weights learned with the rest are own.
    """

    def __init__(self, shapes: Shapes, *, hidden: int, dropout: float) -> None:
        super().__init__()
        self.heads = nn.ModuleList(
            RiskHead(shape.flat, hidden=(hidden,), dropout=dropout) for shape in shapes.values()
        )
        self.combine = nn.Linear(len(shapes), 1)
        nn.init.ones_(self.combine.weight)
        nn.init.zeros_(self.combine.bias)

    def forward(self, embeddings: Embeddings) -> LogHazards:
        """Return the log hazard of each patient."""
        vectors = flattened(embeddings)
        risks = [head(vector) for head, vector in zip(self.heads, vectors, strict=True)]
        return self.combine(torch.stack(risks, 1)).squeeze(1)
