"""Multi-shot interactive fusion: modalities meet in stages, each through affinities of tokens.

A modality is a vector of T features; feature k with its three cyclic predecessors is token k (or
T learned queries over its patches bring the tokens). Shot 1 mixes the tokens of one modality, shot
2 those of two, shot 3 those of a pair and the third. A token has 4 channels from end to end.
"""

from collections.abc import Mapping

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.functional import leaky_relu, normalize

from fusion.config import ModelConfig
from fusion.encoders.attention import QueryPool
from fusion.encoders.base import AbstractEncoder
from fusion.encoders.dropout import PatientDropout
from fusion.encoders.patches import AttentionPatches, MeanPatches
from fusion.errors import ConfigError
from fusion.modalities import SLIDES
from fusion.models.base import AbstractFusion, Embeddings, Shapes
from fusion.types import Scores, Tokens

CHANNELS = 4
"""Channels of a token: a feature and its three predecessors."""

NORMS: Mapping[str, type[nn.Module]] = {"layer": nn.LayerNorm, "batch": nn.BatchNorm1d}

PAIRS = {2: ((0, 1), (1, 0)), 3: ((0, 1), (1, 2), (2, 0))}
"""Which modalities meet in shot 2, in order; with three, pair k meets modality k + 2 in shot 3."""

TokenSets = Float[Tensor, "*set token channel"]


class Features(AbstractEncoder):
    """LeakyReLU(W2 LeakyReLU(W1 x)): the vector h of T features that stands for a modality.

    Args:
        width_in: Length of the modality's vector x.
        width: T.
        dropout: Probability that an entry of x is dropped in training.

    Source: doi 10.1109/JBHI.2024.3363161; dropout of the input is own.
    """

    def __init__(self, width_in: int, *, width: int, dropout: float) -> None:
        super().__init__(1, width)
        self.dropout = PatientDropout(dropout)
        self.first, self.second = nn.Linear(width_in, width), nn.Linear(width, width)

    def forward(self, inputs: Float[Tensor, "patient feature"]) -> Tokens:
        """Return h of each patient as one token."""
        return leaky_relu(self.second(leaky_relu(self.first(self.dropout(inputs)))))[:, None]


def mif_encoder(modality: str, width: int, config: ModelConfig) -> AbstractEncoder:
    """Return the encoder of one modality: T = `model.width` features, or T tokens of patches.

    Patches become one vector (`model.pooling` = mean or attention), or T learned queries attend
    over them (queries) and give the tokens without a lift.

    Args:
        modality: Its name.
        width: Width of a patch feature vector, or length of the vector.
        config: T, dropout, and how patches are pooled.

    Source: own.
    """
    size, dropout = config.width, config.input_dropout
    if modality == SLIDES and config.pooling == "attention":
        return AttentionPatches(width, tokens=1, width=size, dropout=dropout)
    if modality == SLIDES and config.pooling == "queries":
        pool = QueryPool(size, tokens=size, width=CHANNELS)
        return AttentionPatches(width, tokens=size, width=size, dropout=dropout, pool=pool)
    features = Features(width, width=size, dropout=dropout)
    return MeanPatches(features) if modality == SLIDES else features


def lift(features: Float[Tensor, "patient token"]) -> Float[Tensor, "patient token 4"]:
    """Return token k = (h[k], h[k-1], h[k-2], h[k-3]), indices modulo T.

    Args:
        features: h, one row a patient.

    Source: doi 10.1109/JBHI.2024.3363161.
    """
    return torch.stack([features.roll(shift, 1) for shift in range(CHANNELS)], 2)


def unit(tokens: TokenSets) -> TokenSets:
    """Return each channel scaled to length 1 over the tokens of its set (this is no LayerNorm).

    Source: doi 10.1109/JBHI.2024.3363161.
    """
    return normalize(tokens, dim=-2)


class AGI(nn.Module):
    """Affinity-guided interaction of the tokens X inside a set.

    A head's affinity M = softmax(X A (X B)ᵀ / 2), over rows, gathers X C; with the mean Z over
    heads, R = unit(X + Z D) and the output is unit(R + LeakyReLU(R E F)), every product with a
    constant. It knows no position: tokens rolled along the set come out rolled.

    Args:
        heads: Affinities averaged.

    Source: doi 10.1109/JBHI.2024.3363161.
    """

    def __init__(self, heads: int) -> None:
        super().__init__()
        self.query, self.key, self.value = (nn.Linear(CHANNELS, CHANNELS * heads) for _ in range(3))
        self.mix, self.feed = nn.Linear(CHANNELS, CHANNELS), _feed_forward()

    def forward(self, tokens: TokenSets) -> TokenSets:
        """Return the tokens of each set after they met each other."""
        queries, keys, values = map(
            _by_head, (self.query(tokens), self.key(tokens), self.value(tokens))
        )
        gathered = (torch.softmax(_products(queries, keys), -1) @ values).mean(-3)
        mixed = unit(tokens + self.mix(gathered))
        return unit(mixed + self.feed(mixed))


class ACGI(nn.Module):
    """Affinity-guided interaction of two token sets X and Y of one size; their order matters.

    A head's affinity M = X A (Y B)ᵀ / 2, without softmax, gathers X C for the first set and Y D
    for the second: as published, one M for the own values of both. With `transpose` each gathers
    from the other, M Y D and Mᵀ X C. Both sets then pass the same layers and the same AGI; the
    sum passes another.

    Args:
        heads: Affinities averaged.
        transpose: Whether each set gathers from the other.

    Source: doi 10.1109/JBHI.2024.3363161; `transpose` is cross-attention as usual.
    """

    def __init__(self, heads: int, *, transpose: bool) -> None:
        super().__init__()
        self.transpose = transpose
        self.query, self.key = (nn.Linear(CHANNELS, CHANNELS * heads) for _ in range(2))
        self.first, self.second = (nn.Linear(CHANNELS, CHANNELS * heads) for _ in range(2))
        self.mix, self.feed = nn.Linear(CHANNELS, CHANNELS), _feed_forward()
        self.each, self.both = AGI(heads), AGI(heads)

    def forward(self, first: Tokens, second: Tokens) -> Tokens:
        """Return one set: what the two became together."""
        affinity = _products(_by_head(self.query(first)), _by_head(self.key(second)))
        values = _by_head(self.first(first)), _by_head(self.second(second))
        if self.transpose:
            gathered = torch.stack([affinity @ values[1], affinity.mT @ values[0]], 1)
        else:
            gathered = torch.stack([affinity @ values[0], affinity @ values[1]], 1)
        mixed = unit(torch.stack([first, second], 1) + self.mix(gathered.mean(-3)))
        return self.both(self.each(self.feed(mixed)).sum(1))


class Mif(AbstractFusion):
    """Shots inside, between two and across three modalities, and a bounded log hazard 4σ(.) - 2.

    With two modalities there is no third shot, and both orders of the pair meet in the second.
    Logits of classes are not bounded: at most 2 they could not tell a sure class from a likely one.
    BatchNorm is the publication's; it couples patients and suffers where sites differ.

    Args:
        shapes: Of each modality one token of T features, or T tokens of 4 channels; two or three.
        heads: Affinities averaged in every interaction.
        sizes: Widths of the predictor's layers; the last but one is the width of `code`, the last
            the scores, 1 = the log hazard.
        dropout: Probability of dropout after each of them but the last.
        norm: `layer` or `batch`, of the fused features.
        affinity_transpose: As `transpose` of `ACGI`.

    Raises:
        ConfigError: Modalities differ in T, or T is below 4.

    Source: doi 10.1109/JBHI.2024.3363161; two modalities, LayerNorm and learned queries are own.
    """

    def __init__(
        self,
        shapes: Shapes,
        *,
        heads: int,
        sizes: tuple[int, ...],
        dropout: float,
        norm: str = "layer",
        affinity_transpose: bool = False,
    ) -> None:
        super().__init__()
        width, self.pairs = _tokens(shapes), PAIRS[len(shapes)]
        shots = 3 if len(shapes) == 3 else 2
        self.within = nn.ModuleList(AGI(heads) for _ in shapes)
        self.between, self.across = (
            nn.ModuleList(ACGI(heads, transpose=affinity_transpose) for _ in range(number))
            for number in (len(self.pairs), len(shapes) * (shots - 2))
        )
        self.norm = NORMS[norm](shots * width)
        layers: list[nn.Module] = []
        for size_in, size in zip((shots * width, *sizes), sizes, strict=False):
            layers += [nn.Linear(size_in, size), nn.Tanh(), PatientDropout(dropout)]
        self.head = nn.Sequential(*layers[:-2])

    def forward(self, embeddings: Embeddings) -> Scores:
        """Return the log hazard of each patient, between -2 and 2, or the logits."""
        scores = self.head[-1](self.code(embeddings))
        return scores if scores.shape[1] > 1 else 4.0 * torch.sigmoid(scores).squeeze(1) - 2.0

    def code(self, embeddings: Embeddings) -> Float[Tensor, "patient _"]:
        """Return the last hidden layer, from which the scores are read."""
        return self.head[:-1](self.norm(torch.cat(self.shots(embeddings), 1).sum(2)))

    def shots(self, embeddings: Embeddings) -> list[Tokens]:
        """Return the tokens of each shot."""
        sets = [lift(x[:, 0]) if x.shape[1] == 1 else x for x in embeddings.values()]
        alone = [meet(one) for meet, one in zip(self.within, sets, strict=True)]
        two = [
            meet(alone[i], alone[j]) for meet, (i, j) in zip(self.between, self.pairs, strict=True)
        ]
        three = [meet(two[k], alone[(k + 2) % 3]) for k, meet in enumerate(self.across)]
        return [sum(shot[1:], shot[0]) for shot in (alone, two, three) if shot]


class PublishedMif(AbstractFusion):
    """Encoders and network together, as the publication counts them.

    Args:
        shapes: Size of each modality's vector.
        network: The network behind them.

    Source: doi 10.1109/JBHI.2024.3363161.
    """

    def __init__(self, shapes: Shapes, network: Mif) -> None:
        super().__init__()
        self.encoders = nn.ModuleDict(
            {
                name: Features(shape.flat, width=shape.flat, dropout=0.0)
                for name, shape in shapes.items()
            }
        )
        self.network = network

    def forward(self, embeddings: Embeddings) -> Scores:
        """Return the log hazard of each patient from the modalities' vectors."""
        return self.network({name: self.encoders[name](x[:, 0]) for name, x in embeddings.items()})


def _feed_forward() -> nn.Sequential:
    layers = (nn.Linear(CHANNELS, CHANNELS), nn.Linear(CHANNELS, CHANNELS), nn.LeakyReLU())
    return nn.Sequential(*layers)


def _by_head(values: Tensor) -> Tensor:
    """Return ... x token x (head * channel) as ... x head x token x channel."""
    return values.unflatten(-1, (-1, CHANNELS)).transpose(-3, -2)


def _products(queries: Tensor, keys: Tensor) -> Tensor:
    return queries @ keys.mT / CHANNELS**0.5


def _tokens(shapes: Shapes) -> int:
    """Return T."""
    found = {s.width if s.tokens == 1 else s.tokens for s in shapes.values()}
    if len(found) > 1 or min(found) < CHANNELS:
        raise ConfigError(
            f"mif must read equally many tokens of each modality, {CHANNELS} or more, got "
            f"{', '.join(map(str, sorted(found)))}. Set model.width to {CHANNELS} or more."
        )
    return found.pop()
