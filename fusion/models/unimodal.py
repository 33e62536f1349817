"""One modality alone: its encoder and linear scores, the measure of what fusion adds."""

from fusion.models.base import AbstractFusion, Embeddings, Shapes, flattened
from fusion.models.head import RiskHead
from fusion.types import Scores


class Unimodal(AbstractFusion):
    """Linear scores on the tokens of the one modality the model reads.

    Args:
        shapes: Size of the embedding of that modality.
        dropout: Probability of dropout before the linear scores.
        outputs: Scores a patient; 1 = the log hazard.

    Source: arXiv 2603.29977 (unimodal models).
    """

    def __init__(self, shapes: Shapes, *, dropout: float, outputs: int = 1) -> None:
        super().__init__()
        (shape,) = shapes.values()
        self.head = RiskHead(shape.flat, hidden=(), dropout=dropout, outputs=outputs)

    def forward(self, embeddings: Embeddings) -> Scores:
        """Return each patient's scores."""
        (vector,) = flattened(embeddings)
        return self.head(vector)
