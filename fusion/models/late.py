"""Late fusion: scores a modality, joined by a weighted sum, so that nothing can interact."""

import torch
from torch import nn

from fusion.models.base import AbstractFusion, Embeddings, Shapes, flattened
from fusion.models.head import RiskHead
from fusion.types import Scores


class Late(AbstractFusion):
    """A small perceptron a modality; their log hazards, or logits, are combined linearly.

    The combination starts as the plain sum. Additive on the scale of the scores, so an audit must
    find no interaction.

    Args:
        shapes: Size of each modality's embedding.
        hidden: Width of each perceptron's hidden layer.
        dropout: Probability of dropout before each layer of a perceptron.
        outputs: Scores a patient; 1 = the log hazard.

    Source: arXiv 2603.29977 (late fusion); weights learned with the rest are own.
    """

    def __init__(self, shapes: Shapes, *, hidden: int, dropout: float, outputs: int = 1) -> None:
        super().__init__()
        self.heads = nn.ModuleList(
            RiskHead(shape.flat, hidden=(hidden,), dropout=dropout, outputs=outputs)
            for shape in shapes.values()
        )
        self.combine = nn.Linear(len(shapes), 1)
        nn.init.ones_(self.combine.weight)
        nn.init.zeros_(self.combine.bias)

    def forward(self, embeddings: Embeddings) -> Scores:
        """Return each patient's scores."""
        vectors = flattened(embeddings)
        scores = [head(vector) for head, vector in zip(self.heads, vectors, strict=True)]
        return self.combine(torch.stack(scores, -1)).squeeze(-1)
