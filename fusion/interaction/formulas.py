"""The cohort figures as functions of means over patients, for one mean or for many at once.

Made of differentiable torch operations on the last axis, so that the delta method can take their
slope and the bootstrap can evaluate all replicates together.
"""

import numpy as np
from jaxtyping import Float
from torch import Tensor, cat, stack


def averaged(mean: Float[Tensor, "*many part"]) -> Float[Tensor, "*many part"]:
    """Return shares that are means of each patient's own: the mean itself.

    Source: own.
    """
    return mean


def ratio_of_sums(mean: Float[Tensor, "*many part"]) -> Float[Tensor, "*many share"]:
    """Return interaction and modalities over the sum of all absolute entries.

    Args:
        mean: Of synergy, redundancy and each modality's absolute entry.

    Returns:
        Interaction, then one share a modality.

    Source: own, on the InterSHAP matrix.
    """
    together = mean[..., :2].sum(-1, keepdim=True)
    return cat([together, mean[..., 2:]], dim=-1) / mean.sum(-1, keepdim=True)


def sizes_of_means(mean: Float[Tensor, "*many entry"]) -> Float[Tensor, "*many share"]:
    """Return the absolute entries of an averaged matrix over their sum.

    Args:
        mean: The matrix' entries i <= j, row by row.

    Returns:
        Interaction (both entries of every pair), then one share a modality.

    Source: Wenderoth et al. 2025 (InterSHAP).
    """
    own, pairs = diagonal_of(mean.shape[-1])
    diagonal = mean[..., own].abs()
    together = 2 * mean[..., pairs].abs().sum(-1, keepdim=True)
    return cat([together, diagonal], dim=-1) / (together + diagonal.sum(-1, keepdim=True))


def diagonal_of(entries: int) -> tuple[list[int], list[int]]:
    """Return which entries i <= j of a symmetric matrix are on its diagonal, and which are not.

    Source: own.
    """
    size = round((np.sqrt(8 * entries + 1) - 1) / 2)
    i, j = np.triu_indices(size)
    return np.flatnonzero(i == j).tolist(), np.flatnonzero(i != j).tolist()


def unexplained(mean: Float[Tensor, "*many 5"]) -> Float[Tensor, "*many 2"]:
    """Return the interaction's part of the variance, and 1 - SSR / SST of the additive part.

    Args:
        mean: Of additive part A, interaction I, A A, A I, I I.

    Source: own.
    """
    additive, interaction, square, product, interaction2 = mean.unbind(-1)
    total = square + 2 * product + interaction2 - (additive + interaction) ** 2
    parts = stack([interaction2 - interaction**2, total - interaction2], dim=-1)
    return parts / total[..., None]


def correlated(mean: Float[Tensor, "*many 5"]) -> Float[Tensor, "*many 1"]:
    """Return the squared correlation of additive part and eta, from centred moments.

    Args:
        mean: As for `unexplained`.

    Source: Pearson.
    """
    additive, interaction, square, product, interaction2 = mean.unbind(-1)
    own, rest = square - additive**2, interaction2 - interaction**2
    shared = own + product - additive * interaction
    total = 2 * shared - own + rest
    return (shared**2 / (own * total)).clamp(max=1.0)[..., None]
