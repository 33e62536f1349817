"""The last layers of a fusion network: from one vector to one log hazard, or a logit a class."""

from jaxtyping import Float
from torch import Tensor, nn

from fusion.encoders.dropout import PatientDropout
from fusion.types import Scores


class RiskHead(nn.Module):
    """Linear layers with ReLU between and dropout before each, ending in the scores.

    Args:
        width: Length of the vector it reads.
        hidden: Widths of the layers in between; none gives a linear risk.
        dropout: Probability that an element is dropped before a layer in training.
        outputs: Scores a patient; 1 = the log hazard.

    Source: own.
    """

    def __init__(
        self, width: int, *, hidden: tuple[int, ...], dropout: float, outputs: int = 1
    ) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for size in hidden:
            layers += [PatientDropout(dropout), nn.Linear(width, size), nn.ReLU()]
            width = size
        self.layers = nn.Sequential(*layers, PatientDropout(dropout), nn.Linear(width, outputs))

    def forward(self, vector: Float[Tensor, "patient feature"]) -> Scores:
        """Return one log hazard a patient, or one logit a class."""
        return self.layers(vector).squeeze(1)
