"""What the model says with some modalities hidden: encode once, fuse 2^M times."""

from collections.abc import Callable, Mapping

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from fusion.errors import FederationError
from fusion.types import LogHazards

Fuse = Callable[[Mapping[str, Tensor]], LogHazards]
"""Embeddings of every modality (patient x token x width) to log-hazards."""


@torch.no_grad()
def coalition_values(
    fuse: Fuse,
    embeddings: Mapping[str, Float[Tensor, "patient _ _"]],
    background: Mapping[str, Float[Tensor, "_ _"]],
) -> Float[np.ndarray, "patient coalition"]:
    """Return the model's output for every coalition of visible modalities.

    A hidden modality (the patient has it, the audit replaces it) becomes its background. Patients
    who lack a modality are to be left out before. Not for an output on the hazard scale: exp()
    of an additive model interacts.

    Args:
        fuse: The fusion part of a model in evaluation mode and float64.
        embeddings: One tensor a modality; their order numbers the modalities.
        background: What replaces each hidden modality, token x width, never from test patients.

    Returns:
        Log-hazards, patient x 2^M; column S has the modalities visible whose bits are set in S.

    Raises:
        FederationError: Fewer than two modalities, a background that is absent or of another
            shape, or a model output that is not finite.

    Privacy: The values are one patient's each and stay at the site; `audit_tally` sums them.

    Source: own.
    """
    names = _checked(embeddings, background)
    shown = {name: embeddings[name].double() for name in names}
    hidden = {name: background[name].to(shown[name]).expand_as(shown[name]) for name in names}
    columns = []
    for coalition in range(1 << len(names)):
        visible = {
            n: shown[n] if coalition >> bit & 1 else hidden[n] for bit, n in enumerate(names)
        }
        columns.append(fuse(visible).double())
    values = torch.stack(columns, dim=1).cpu().numpy()
    bad = int((~np.isfinite(values)).any(axis=1).sum())
    if bad:
        raise FederationError(
            f"Model output must be finite, got NaN or inf for {bad} of {len(values)} patients. "
            "Train with a smaller training.lr."
        )
    return values


def _checked(embeddings: Mapping[str, Tensor], background: Mapping[str, Tensor]) -> list[str]:
    """Return the modalities' names once every embedding has a background of its shape."""
    names = list(embeddings)
    if len(names) < 2:
        raise FederationError(
            f"An audit must have two or more modalities, got {names}. Skip it for this model."
        )
    for name in names:
        if name not in background:
            raise FederationError(
                f"Background must cover every modality, got none for '{name}'. Add its mean."
            )
        wanted, got = tuple(embeddings[name].shape[1:]), tuple(background[name].shape)
        if wanted != got:
            raise FederationError(
                f"Background of '{name}' must have shape {wanted}, got {got}. "
                "Take it from the same model."
            )
    return names
