"""The encoder of one modality: slides come as bags, all else as vectors."""

from fusion.config import ModelConfig
from fusion.encoders.attention import QueryPool
from fusion.encoders.base import AbstractEncoder
from fusion.encoders.fixed import FixedVector
from fusion.encoders.genes import RawVector, VectorEncoder
from fusion.encoders.patches import AttentionPatches, MeanPatches
from fusion.modalities import SLIDES


def learned_encoder(modality: str, width: int, config: ModelConfig) -> AbstractEncoder:
    """Return an encoder into `model.tokens` tokens of `model.width`.

    Args:
        modality: Its name.
        width: Width of a patch feature vector, or length of the vector.
        config: Sizes, dropout, and how patches become tokens.

    Source: own.
    """
    tokens, size, dropout = config.tokens, config.width, config.input_dropout
    if modality == SLIDES and config.pooling == "attention":
        return AttentionPatches(width, tokens=tokens, width=size, dropout=dropout)
    if modality == SLIDES and config.pooling == "queries":
        pool = QueryPool(size, tokens=tokens, width=size)
        return AttentionPatches(width, tokens=tokens, width=size, dropout=dropout, pool=pool)
    vector = VectorEncoder(width, tokens=tokens, width=size, dropout=dropout)
    return MeanPatches(vector) if modality == SLIDES else vector


def raw_encoder(modality: str, width: int, config: ModelConfig) -> AbstractEncoder:
    """Return an encoder that learns nothing: the mean patch, or the vector, as the one token.

    Args:
        modality: Its name.
        width: Width of a patch feature vector, or length of the vector.
        config: Dropout of the input.

    Source: own.
    """
    vector = RawVector(width, dropout=config.input_dropout)
    return MeanPatches(vector) if modality == SLIDES else vector


def fixed_encoder(modality: str, width: int, config: ModelConfig) -> AbstractEncoder:
    """Return an encoder that learns nothing: the mean patch, or the vector, made short.

    As long as what `learned_encoder` gives at most, `model.tokens` times `model.width`.

    Args:
        modality: Its name.
        width: Width of a patch feature vector, or length of the vector.
        config: Sizes.

    Source: own.
    """
    vector = FixedVector(width, width=config.tokens * config.width)
    return MeanPatches(vector) if modality == SLIDES else vector
