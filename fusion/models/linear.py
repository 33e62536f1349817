"""The linear Cox model: a weight for each feature, nothing else."""

import torch
from torch import nn

from fusion.models.base import AbstractFusion, Embeddings, Shapes, flattened
from fusion.types import Scores


class Linear(AbstractFusion):
    """A weighted sum of the mean patch and the omics vector; every weight starts at 0.

    Dropout of input features (`model.input-dropout`) acts on it as a ridge penalty; set it to 0
    for the plain model.

    Args:
        shapes: Size of each modality's raw vector.
        outputs: Scores a patient; 1 = the log hazard.

    Source: Cox, Regression models and life-tables, JRSS B 34, 1972.
    """

    def __init__(self, shapes: Shapes, outputs: int = 1) -> None:
        super().__init__()
        self.weights = nn.Linear(sum(shape.flat for shape in shapes.values()), outputs)
        nn.init.zeros_(self.weights.weight)
        nn.init.zeros_(self.weights.bias)

    def forward(self, embeddings: Embeddings) -> Scores:
        """Return each patient's scores."""
        return self.weights(torch.cat(flattened(embeddings), 1)).squeeze(1)
