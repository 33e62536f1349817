"""One modality alone: its encoder and a linear risk, the measure of what fusion adds."""

from fusion.models.base import AbstractFusion, Embeddings, Shapes, flattened
from fusion.models.head import RiskHead
from fusion.types import LogHazards


class Unimodal(AbstractFusion):
    """A linear risk on the tokens of the one modality the model reads.

    Args:
        shapes: Size of the embedding of that modality.
        dropout: Probability of dropout before the linear risk.

    Source: arXiv 2603.29977 (unimodal models).
    """

    def __init__(self, shapes: Shapes, *, dropout: float) -> None:
        super().__init__()
        (shape,) = shapes.values()
        self.head = RiskHead(shape.flat, hidden=(), dropout=dropout)

    def forward(self, embeddings: Embeddings) -> LogHazards:
        """Return the log hazard of each patient."""
        (vector,) = flattened(embeddings)
        return self.head(vector)
