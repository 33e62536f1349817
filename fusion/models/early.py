"""Early fusion: the modalities side by side into one multilayer perceptron."""

import torch

from fusion.models.base import AbstractFusion, Embeddings, Shapes, flattened
from fusion.models.head import RiskHead
from fusion.types import Scores


class Early(AbstractFusion):
    """A perceptron over all embeddings laid end to end.

    Args:
        shapes: Size of each modality's embedding.
        hidden: Widths of the layers before the last.
        dropout: Probability of dropout before each layer.
        outputs: Scores a patient; 1 = the log hazard.

    Source: arXiv 2603.29977 (early fusion).
    """

    def __init__(
        self, shapes: Shapes, *, hidden: tuple[int, ...], dropout: float, outputs: int = 1
    ) -> None:
        super().__init__()
        width = sum(shape.flat for shape in shapes.values())
        self.head = RiskHead(width, hidden=hidden, dropout=dropout, outputs=outputs)

    def forward(self, embeddings: Embeddings) -> Scores:
        """Return each patient's scores."""
        return self.head(torch.cat(flattened(embeddings), 1))
