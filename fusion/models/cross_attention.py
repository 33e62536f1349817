"""Cross-attention fusion: each modality's tokens look at the tokens of the others."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from fusion.encoders.patch_set import FAINT
from fusion.errors import ConfigError
from fusion.models.base import AbstractFusion, Embeddings, Shapes
from fusion.models.head import RiskHead
from fusion.types import Scores, Tokens


class Attention(nn.Module):
    """Multi-head scaled dot-product attention out of plain linear layers.

    Plain, because engines that clip gradients patient by patient refuse `nn.MultiheadAttention`.

    Args:
        width: Width of a token, a multiple of `heads`.
        heads: Number of heads.

    Source: Vaswani et al., Attention is all you need, NeurIPS 2017.
    """

    def __init__(self, width: int, *, heads: int) -> None:
        super().__init__()
        self.heads, self.scale = heads, (width // heads) ** -0.5
        self.query, self.key = nn.Linear(width, width), nn.Linear(width, width)
        self.value, self.output = nn.Linear(width, width), nn.Linear(width, width)

    def forward(
        self,
        tokens: Tokens,
        context: Float[Tensor, "patient other width"],
        counted: Float[Tensor, "patient other"] | None = None,
    ) -> Tokens:
        """Return, for each of `tokens`, what it gathers from `context`.

        Args:
            tokens: Those that look.
            context: What they look at.
            counted: How much each of `context` counts, from 0 to 1; None = fully.
        """
        queries, keys = self._split(self.query(tokens)), self._split(self.key(context))
        scores = queries @ keys.transpose(-1, -2) * self.scale
        if counted is not None:
            scores = scores + torch.log(counted.clamp(min=FAINT))[:, None, None]
        weights = torch.softmax(scores, -1)
        gathered = weights @ self._split(self.value(context))
        return self.output(gathered.transpose(1, 2).flatten(2))

    def _split(self, tokens: Tensor) -> Tensor:
        return tokens.unflatten(2, (self.heads, -1)).transpose(1, 2)


class CrossAttention(AbstractFusion):
    """Projected tokens and what they gather from the other modalities, each averaged, to a head.

    With one token a modality the softmax over a single key is 1, so queries and keys do nothing
    and the layer is linear: use several tokens, except to reproduce the publication.

    Args:
        shapes: Size of each modality's embedding.
        width: Width of a projected token, a multiple of `heads`.
        heads: Attention heads.
        hidden: Width of the head's layer.
        dropout: Probability of dropout before each of the head's layers.
        outputs: Scores a patient; 1 = the log hazard.

    Raises:
        ConfigError: `heads` does not divide `width`.

    Source: arXiv 2603.29977 (cross-attention); several tokens and modalities are own.
    """

    def __init__(
        self,
        shapes: Shapes,
        *,
        width: int,
        heads: int,
        hidden: int,
        dropout: float,
        outputs: int = 1,
    ) -> None:
        super().__init__()
        check_heads(heads, width, "model.hidden")
        self.projections = nn.ModuleDict(
            {name: nn.Linear(shape.width, width) for name, shape in shapes.items()}
        )
        self.attentions = nn.ModuleDict({name: Attention(width, heads=heads) for name in shapes})
        self.norms = nn.ModuleDict({name: nn.LayerNorm(width) for name in shapes})
        self.head = RiskHead(
            2 * len(shapes) * width, hidden=(hidden,), dropout=dropout, outputs=outputs
        )

    def forward(self, embeddings: Embeddings) -> Scores:
        """Return each patient's scores."""
        tokens = {name: project(embeddings[name]) for name, project in self.projections.items()}
        attended = [
            self.norms[name](attention(tokens[name], _others(tokens, name)))
            for name, attention in self.attentions.items()
        ]
        return self.head(torch.cat([part.mean(1) for part in (*tokens.values(), *attended)], 1))


def _others(tokens: Embeddings, name: str) -> Tensor:
    """Return the tokens of every modality but `name`, one after the other."""
    others = [value for other, value in tokens.items() if other != name]
    return torch.cat(others, 1) if len(others) > 1 else others[0]


def check_heads(heads: int, width: int, setting: str) -> None:
    """Raise unless the heads share the width evenly.

    Args:
        heads: Attention heads.
        width: Of a token.
        setting: Which decides the width.

    Raises:
        ConfigError: They do not.

    Source: own.
    """
    if width % heads:
        raise ConfigError(
            f"model.heads must divide {setting}, got {heads} and {width}. "
            f"Set {setting} to {heads * -(-width // heads)}."
        )
