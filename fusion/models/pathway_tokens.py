"""Pathways as tokens: they look at each other and at the patches, the patches at them alone."""

import torch
from torch import nn

from fusion.encoders.patch_set import presence, present_mean
from fusion.modalities import OMICS, SLIDES
from fusion.models.base import AbstractFusion, Embeddings, Shapes
from fusion.models.cross_attention import Attention, check_heads
from fusion.models.head import RiskHead
from fusion.types import Scores, Tokens


class PathwayTokens(AbstractFusion):
    """One transformer layer over pathways and patches without its patch x patch part.

    One set of queries, keys and values serves both kinds of token. A pathway's attention is
    over all pathways and patches together, a patch's over the pathways; the cost is
    G x (G + P) + P x G. Each kind is then averaged, and both means go to the head.

    Args:
        shapes: Size of each modality's embedding: patches as tokens, one token a pathway.
        heads: Attention heads.
        hidden: Width of the head's layer.
        dropout: Probability of dropout before each of the head's layers.
        outputs: Scores a patient; 1 = the log hazard.

    Raises:
        ConfigError: `heads` does not divide the width of a token.

    Source: in the spirit of Jaume et al., Modeling dense multimodal interactions between
        biological pathways and histology for survival prediction, CVPR 2024; own code.
    """

    def __init__(
        self, shapes: Shapes, *, heads: int, hidden: int, dropout: float, outputs: int = 1
    ) -> None:
        super().__init__()
        width = shapes[OMICS].width
        check_heads(heads, width, "model.width")
        self.before = nn.LayerNorm(width)
        self.attention = Attention(width, heads=heads)
        self.between = nn.LayerNorm(width)
        self.perceptron = nn.Sequential(nn.Linear(width, width), nn.ReLU(), nn.Linear(width, width))
        self.after = nn.LayerNorm(width)
        self.head = RiskHead(2 * width, hidden=(hidden,), dropout=dropout, outputs=outputs)

    def forward(self, embeddings: Embeddings) -> Scores:
        """Return each patient's scores."""
        pathways = embeddings[OMICS]
        patches, present = presence(embeddings[SLIDES])
        normed, others = self.before(pathways), self.before(patches)
        both = torch.cat([normed, others], 1)
        counted = torch.cat([present.new_ones(pathways.shape[:2]), present], 1)
        pathways = self._refined(pathways + self.attention(normed, both, counted))
        patches = self._refined(patches + self.attention(others, normed))
        means = [pathways.mean(1), present_mean(patches, present)]
        return self.head(torch.cat(means, 1))

    def _refined(self, tokens: Tokens) -> Tokens:
        return self.after(tokens + self.perceptron(self.between(tokens)))
