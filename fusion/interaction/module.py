"""The audit of anybody's torch module, in a notebook: give its two halves, `encode` and `fuse`."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from fusion.errors import FederationError
from fusion.interaction.coalitions import coalition_values
from fusion.interaction.figures import audit_figures
from fusion.interaction.tallies import audit_tally

Encode = Callable[[str, Any], Tensor]
"""A modality's name and all patients' input of it, to its embedding, patients first."""

FuseAny = Callable[[Mapping[str, Tensor]], Tensor]
"""Embeddings of all modalities to one log-hazard (or logit) a patient."""


def module_values(
    inputs: Mapping[str, Any],
    background: Mapping[str, Tensor],
    *,
    encode: Encode,
    fuse: FuseAny,
) -> Float[np.ndarray, "patient coalition"]:
    """Return the coalition values of any torch module that works in two parts.

    The contract: `encode(name, inputs[name])` gives a tensor, patients first and of any shape
    behind, that depends on that modality alone; `fuse(embeddings)` gives one number a patient on
    an additive scale, each from that patient's embeddings alone. Both in evaluation mode, and in
    float64 (`module.double()`) if shares near 0 matter: float32 rounds an additive model to
    about 1e-6.

    Args:
        inputs: Two to five modalities, in the audit's order, of patients who have them all.
        background: What stands for a hidden modality: one embedding, such as the mean over
            training patients, or those of R donors, donors first, over whom the output is
            averaged. Never of the patients audited.
        encode: From inputs to embeddings; called once a modality.
        fuse: From embeddings to outputs.

    Returns:
        Patient x 2^M; column S has the modalities visible whose bits are set in S.

    Raises:
        FederationError: The two halves or the background do not keep the contract.

    Privacy: One row a patient; stays where the patients are.

    Source: own.
    """
    with torch.no_grad():
        embeddings = {name: encode(name, given) for name, given in inputs.items()}
        _check(embeddings, background, fuse)

    def fuse_flat(tokens: Mapping[str, Tensor]) -> Tensor:
        return fuse({
            name: rows.reshape(len(rows), *embeddings[name].shape[1:]).to(embeddings[name].dtype)
            for name, rows in tokens.items()
        })  # fmt: skip

    flat = {name: e.reshape(len(e), 1, e.shape[1:].numel()) for name, e in embeddings.items()}
    hidden = {
        name: background[name].reshape(*_donors(background[name], embeddings[name]), 1, -1)
        for name in flat
    }
    return coalition_values(fuse_flat, flat, hidden)


def audit_module(
    inputs: Mapping[str, Any],
    background: Mapping[str, Tensor],
    *,
    encode: Encode,
    fuse: FuseAny,
    time: Float[np.ndarray, " patient"] | None = None,
    event: Bool[np.ndarray, " patient"] | None = None,
) -> dict[str, Any]:
    """Return every figure of the interaction audit of any torch module.

    Args:
        inputs: As in `module_values`, which states the contract.
        background: As there.
        encode: As there.
        fuse: As there.
        time: Follow-up in days, for concordance.
        event: True = event seen.

    Returns:
        What `audit_figures` returns: `shares` by definition, `primary`, `matrix`, `dividends`,
        `signed`, `concordance`. JSON-safe; what cannot be had is None with a reason.

    Raises:
        FederationError: The two halves or the background do not keep the contract.

    Privacy: Figures of a few patients are as private as the patients.

    Source: own.
    """
    values = module_values(inputs, background, encode=encode, fuse=fuse)
    nobody = np.zeros(len(values))
    tally = audit_tally(
        values,
        modalities=tuple(inputs),
        time=nobody if time is None else np.asarray(time, dtype=np.float64),
        event=nobody > 0 if event is None else np.asarray(event, dtype=np.bool_),
    )
    return audit_figures(tally, {})


def _check(
    embeddings: Mapping[str, Tensor], background: Mapping[str, Tensor], fuse: FuseAny
) -> None:
    """Raise unless the halves give a row a patient, the same each time, and the background fits."""
    if len(embeddings) < 2:
        raise FederationError(
            f"An audit must have two or more modalities, got {list(embeddings)}. Give all inputs."
        )
    patients = {name: len(embedding) for name, embedding in embeddings.items()}
    if len(set(patients.values())) > 1:
        raise FederationError(
            f"Embeddings must be of the same patients, got {patients}. Leave out who lacks one."
        )
    for name in embeddings:
        if name not in background:
            raise FederationError(
                f"Background must cover every modality, got none for '{name}'. Add its mean."
            )
        wanted, got = tuple(embeddings[name].shape[1:]), tuple(background[name].shape)
        if got[len(got) - len(wanted) :] != wanted or len(got) > len(wanted) + 1:
            raise FederationError(
                f"Background of '{name}' must have shape {wanted}, got {got}. "
                "Take it from the same encoder: one embedding, or some donors'."
            )
    once, again = fuse(embeddings), fuse(embeddings)
    if tuple(once.shape) != (next(iter(patients.values())),):
        raise FederationError(
            f"Fusion must give one number a patient, got shape {tuple(once.shape)} for {patients}. "
            "Squeeze it, or choose one output."
        )
    if not torch.allclose(once, again, equal_nan=True):
        raise FederationError(
            "Fusion must give the same output twice, got another one. Call .eval() on the module."
        )


def _donors(background: Tensor, embedding: Tensor) -> tuple[int, ...]:
    """Return the number of donors in a background of several patients; nothing for a single one."""
    return tuple(background.shape[:1]) if background.dim() == embedding.dim() else ()
