"""What each modality, and modalities together, add to one patient's log-hazard.

Coalition values are a table patient x 2^M: column S is the model's output with only the modalities
of S visible, S a bitmask in which modality i is bit i. Values must be on an additive scale
(log-hazard, logit); exp() of them makes an additive model look like an interacting one.
"""

import numpy as np
from jaxtyping import Float

from fusion.errors import FederationError

SMALLEST = 1e-12
"""A contribution below this is rounding, not a contribution."""


def num_modalities(values: Float[np.ndarray, "patient coalition"]) -> int:
    """Return M for a table of 2^M coalition values a patient.

    Args:
        values: Model outputs, patient x 2^M.

    Returns:
        The number of modalities, >= 2.

    Raises:
        FederationError: The number of columns is not 4, 8, 16, ...

    Source: own.
    """
    columns = values.shape[1]
    number = columns.bit_length() - 1
    if columns != 1 << number or number < 2:
        raise FederationError(
            f"Coalition values must have 2^M columns for M >= 2 modalities, got {columns}. "
            "Give one column for each subset of the modalities, the empty one first."
        )
    return number


def members(number: int) -> Float[np.ndarray, "coalition modality"]:
    """Return 1 where a modality is in a coalition, else 0, for all 2^number coalitions.

    Args:
        number: Number of modalities.

    Returns:
        Coalition x modality, coalitions in bitmask order.

    Source: own.
    """
    return ((np.arange(1 << number)[:, None] >> np.arange(number)) & 1).astype(np.float64)


def dividends(
    values: Float[np.ndarray, "patient coalition"],
) -> Float[np.ndarray, "patient coalition"]:
    """Return the Harsanyi dividends (Moebius transform) m(S) = sum_{T in S} (-1)^{|S|-|T|} v(T).

    For two modalities m(1) = v1 - v0, m(2) = v2 - v0 and m(12) = v12 - v1 - v2 + v0.

    Args:
        values: Model outputs, patient x 2^M.

    Returns:
        Dividends in the unit of the values; column 0 is v(empty).

    Source: Harsanyi 1963, "A simplified bargaining model for the n-person cooperative game".
    """
    number = num_modalities(values)
    result = np.array(values, dtype=np.float64, order="C")
    for bit in range(number):
        cube = result.reshape(len(result), 1 << (number - 1 - bit), 2, 1 << bit)
        cube[:, :, 1] -= cube[:, :, 0]
    return result


def shapley(
    values: Float[np.ndarray, "patient coalition"],
) -> Float[np.ndarray, "patient modality"]:
    """Return Shapley values, phi_i = sum_{S with i} m(S) / |S|.

    Equal to the mean marginal contribution sum_S |S|!(M-|S|-1)!/M! (v(S+i) - v(S)).

    Args:
        values: Model outputs, patient x 2^M.

    Returns:
        Contributions in the unit of the values; they sum to v(all) - v(empty).

    Source: Shapley 1953, "A value for n-person games".
    """
    member = members(num_modalities(values))
    return dividends(values) @ (member / np.maximum(member.sum(axis=1), 1)[:, None])


def interaction_matrix(
    values: Float[np.ndarray, "patient coalition"],
) -> Float[np.ndarray, "patient modality modality"]:
    """Return the InterSHAP matrix: main effects on the diagonal, pair entries beside it.

    phi_ij = sum_{S without i, j} |S|!(M-|S|-2)! / (2 (M-1)!) * (second difference of v at S),
    in dividends half of sum_{S with i, j} m(S) / (|S| - 1); phi_ii = phi_i - sum_{j != i} phi_ij.
    The entries sum to v(all) - v(empty). For M = 2, phi_12 = m(12) / 2 and phi_ii = m(i). Not for
    interactions of order three alone: `moebius_shares` keeps those apart.

    Args:
        values: Model outputs, patient x 2^M.

    Returns:
        A symmetric matrix a patient, in the unit of the values.

    Source: Wenderoth et al. 2025, "Measuring cross-modal interactions in multimodal models"
    (InterSHAP); Grabisch and Roubens 1999 for the pair index.
    """
    member = members(num_modalities(values))
    size = member.sum(axis=1)[:, None, None]
    weight = np.einsum("si,sj->sij", member, member) / (2 * np.maximum(size - 1, 1))
    own = member / np.maximum(member.sum(axis=1), 1)[:, None]
    diagonal = np.arange(member.shape[1])
    weight[:, diagonal, diagonal] = own - (weight.sum(axis=2) - weight[:, diagonal, diagonal])
    return np.einsum("ps,sij->pij", dividends(values), weight)


def signed_parts(
    values: Float[np.ndarray, "patient coalition"],
) -> Float[np.ndarray, "patient part"]:
    """Return the absolute InterSHAP entries: synergy, redundancy, then one column a modality.

    Synergy sums the off-diagonal entries above 0, redundancy the size of those below 0.

    Args:
        values: Model outputs, patient x 2^M.

    Returns:
        Patient x (2 + M), in the unit of the values, all >= 0.

    Source: own, on the InterSHAP matrix.
    """
    matrix = interaction_matrix(values)
    own = np.diagonal(matrix, axis1=1, axis2=2)
    beside = matrix * (1 - np.eye(matrix.shape[1]))
    synergy = np.maximum(beside, 0).sum(axis=(1, 2))
    redundancy = np.maximum(-beside, 0).sum(axis=(1, 2))
    return np.column_stack([synergy, redundancy, np.abs(own)])


def normalised(parts: Float[np.ndarray, "patient part"]) -> Float[np.ndarray, "patient part"]:
    """Return each patient's parts divided by their sum; all 0 where every part is < 1e-12.

    Args:
        parts: Absolute contributions.

    Returns:
        Fractions that sum to 1, or to 0 for an uninformative patient.

    Source: own.
    """
    informative = (parts >= SMALLEST).any(axis=1, keepdims=True)
    total = np.where(informative, parts.sum(axis=1, keepdims=True), 1.0)
    return np.where(informative, parts / total, 0.0)


def local_shares(
    values: Float[np.ndarray, "patient coalition"],
) -> Float[np.ndarray, "patient part"]:
    """Return the `local` shares: interaction, then one column a modality.

    Interaction is sum_{i != j} |phi_ij|, modality i is |phi_ii|, both over sum_ij |phi_ij|.

    Args:
        values: Model outputs, patient x 2^M.

    Returns:
        Fractions in [0, 1], patient x (1 + M).

    Source: Wenderoth et al. 2025 (InterSHAP), taken a patient at a time.
    """
    shares = normalised(signed_parts(values))
    return np.column_stack([shares[:, 0] + shares[:, 1], shares[:, 2:]])


def published_shares(
    values: Float[np.ndarray, "patient coalition"],
) -> Float[np.ndarray, "patient part"]:
    """Return the `published` shares: interaction, then one column a modality.

    sum_{i<j} |phi_ij| and |phi_i| over sum_i |phi_i| + sum_{i<j} |phi_ij|. Shapley values already
    hold their part of the interaction, so pure interaction of two scores 1/3, not 1.

    Args:
        values: Model outputs, patient x 2^M.

    Returns:
        Fractions in [0, 1], patient x (1 + M).

    Source: arXiv 2603.29977, there called variance decomposition.
    """
    pairs = signed_parts(values)[:, :2].sum(axis=1) / 2
    return normalised(np.column_stack([pairs, np.abs(shapley(values))]))


def moebius_shares(
    values: Float[np.ndarray, "patient coalition"],
) -> Float[np.ndarray, "patient part"]:
    """Return the `moebius` shares: interaction, then one column a modality.

    The sizes of the dividends of two or more modalities, and of each single one, over the sum of
    all. Equal to `local_shares` for M = 2; stays 1 for a product of any number of modalities.

    Args:
        values: Model outputs, patient x 2^M.

    Returns:
        Fractions in [0, 1], patient x (1 + M).

    Source: own, on Harsanyi dividends.
    """
    sizes = np.abs(dividends(values)[:, 1:])
    single = (1 << np.arange(num_modalities(values))) - 1
    fractions = normalised(sizes)
    together = np.delete(fractions, single, axis=1).sum(axis=1)
    return np.column_stack([together, fractions[:, single]])
