"""Genomics-guided co-attention: groups of genes are queries over the patches."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from fusion.encoders.attention import AttentionPool
from fusion.encoders.dropout import PatientDropout
from fusion.encoders.patch_set import presence
from fusion.modalities import OMICS, SLIDES
from fusion.models.base import AbstractFusion, Embeddings, Shapes
from fusion.models.cross_attention import Attention, check_heads
from fusion.models.head import RiskHead
from fusion.types import Scores, Tokens

LAYERS = 2
"""Transformer layers over the groups, as published."""


class Layer(nn.Module):
    """A transformer layer over a few tokens: each looks at all, then a perceptron; normed after.

    Args:
        width: Width of a token.
        heads: Attention heads.
        dropout: Probability that an element is dropped before it is added.

    Source: Vaswani et al., NeurIPS 2017.
    """

    def __init__(self, width: int, *, heads: int, dropout: float) -> None:
        super().__init__()
        self.attention = Attention(width, heads=heads)
        self.perceptron = nn.Sequential(
            nn.Linear(width, 2 * width), nn.ReLU(), nn.Linear(2 * width, width)
        )
        self.norms = nn.ModuleList(nn.LayerNorm(width) for _ in range(2))
        self.drops = nn.ModuleList(PatientDropout(dropout) for _ in range(2))

    def forward(self, tokens: Tokens) -> Tokens:
        """Return the tokens, each with what it saw in the others."""
        tokens = self.norms[0](tokens + self.drops[0](self.attention(tokens, tokens)))
        return self.norms[1](tokens + self.drops[1](self.perceptron(tokens)))


class Tower(nn.Module):
    """Transformer layers over one token a group, then gated attention into one vector.

    Args:
        width: Width of a token and of the vector.
        heads: Attention heads.
        dropout: Probability of dropout in the layers.

    Source: Chen et al., ICCV 2021.
    """

    def __init__(self, width: int, *, heads: int, dropout: float) -> None:
        super().__init__()
        layers = (Layer(width, heads=heads, dropout=dropout) for _ in range(LAYERS))
        self.layers = nn.Sequential(*layers)
        self.pool = AttentionPool(width, tokens=1)
        self.output = nn.Linear(width, width)

    def forward(self, tokens: Tokens) -> Float[Tensor, "patient width"]:
        """Return one vector a patient."""
        seen = self.layers(tokens)
        everywhere = torch.ones(seen.shape[:2], dtype=torch.bool, device=seen.device)
        pooled = self.pool.finish(self.pool.partial(seen, everywhere))
        return torch.relu(self.output(pooled[:, 0]))


class Mcat(AbstractFusion):
    """Each group of genes gathers the patches that concern it; a tower reads each of the two.

    The attention is groups x patches; patches never look at patches.

    Args:
        shapes: Size of each modality's embedding: patches as tokens, one token a group of genes.
        heads: Attention heads of the towers; the co-attention has one, as published.
        hidden: Width of the head's layer.
        dropout: Probability of dropout in the towers and before each of the head's layers.
        outputs: Scores a patient; 1 = the log hazard.

    Raises:
        ConfigError: `heads` does not divide the width of a token.

    Source: Chen et al., Multimodal co-attention transformer for survival prediction in gigapixel
        whole slide images, ICCV 2021.
    """

    def __init__(
        self, shapes: Shapes, *, heads: int, hidden: int, dropout: float, outputs: int = 1
    ) -> None:
        super().__init__()
        width = shapes[OMICS].width
        check_heads(heads, width, "model.width")
        self.guided = Attention(width, heads=1)
        self.slides, self.genes = (Tower(width, heads=heads, dropout=dropout) for _ in range(2))
        self.head = RiskHead(2 * width, hidden=(hidden,), dropout=dropout, outputs=outputs)

    def forward(self, embeddings: Embeddings) -> Scores:
        """Return each patient's scores."""
        genes = embeddings[OMICS]
        patches, present = presence(embeddings[SLIDES])
        gathered = self.guided(genes, patches, present)
        return self.head(torch.cat([self.slides(gathered), self.genes(genes)], 1))
