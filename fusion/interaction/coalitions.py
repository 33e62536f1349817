"""What the model says with some modalities hidden: encode once, fuse for each coalition."""

from collections.abc import Callable, Iterator, Mapping

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from fusion.errors import FederationError
from fusion.interaction.scales import NO_SCALES
from fusion.types import Scores

Fuse = Callable[[Mapping[str, Tensor]], Scores]
"""Embeddings of every modality (patient x token x width) to log-hazards, or logits of classes."""

Read = Callable[[Float[np.ndarray, "row *class"]], Float[np.ndarray, "row scale"]]
"""These to the same outputs on other scales, such as survival at some time."""

BLOCK = 2**17
"""Most numbers of embeddings fused at once: a megabyte, whatever the patients and donors."""


def coalition_values(
    fuse: Fuse,
    embeddings: Mapping[str, Float[Tensor, "patient _ _"]],
    background: Mapping[str, Float[Tensor, "*donor _ _"]],
) -> Float[np.ndarray, "patient coalition"]:
    """Return the model's log-hazard for every coalition of visible modalities.

    A hidden modality (the patient has it, the audit replaces it) becomes its background. With
    donors the value is the mean of the log-hazards over them, not the log-hazard of their mean;
    all hidden modalities come from one donor at a time, as they go together in a patient.
    Patients who lack a modality are to be left out before. Not for an output on the hazard scale:
    exp() of an additive model interacts.

    Args:
        fuse: The fusion part of a model in evaluation mode and float64; each row of its output
            must depend on that row of the embeddings alone.
        embeddings: One tensor a modality; their order numbers the modalities.
        background: What replaces each hidden modality, never from test patients: one embedding,
            token x width, or those of R donors, donor x token x width, in the same order.

    Returns:
        Log-hazards, patient x 2^M; column S has the modalities visible whose bits are set in S.
        They cost (2^M - 2) R + 1 fusions a patient and R for nobody's coalition, which all share.

    Raises:
        FederationError: Fewer than two modalities, a background that is absent or of another
            shape, or a model output that is not finite.

    Privacy: The values are one patient's each and stay at the site; `audit_tally` sums them.

    Source: own.
    """
    return coalition_outputs(fuse, embeddings, background, NO_SCALES.read)[:, :, 0]


@torch.no_grad()
def coalition_outputs(
    fuse: Fuse,
    embeddings: Mapping[str, Float[Tensor, "patient _ _"]],
    background: Mapping[str, Float[Tensor, "*donor _ _"]],
    read: Read,
) -> Float[np.ndarray, "patient coalition output"]:
    """Return `coalition_values` and, beside them, the same on other scales from the same fusions.

    Args:
        fuse: As in `coalition_values`.
        embeddings: As there.
        background: As there.
        read: What else is wanted of each log-hazard; read before donors are averaged.

    Returns:
        Patient x 2^M x (1 + scales); output 0 is the log-hazard. Of K classes: x (K + scales), the
        logits first.

    Raises:
        FederationError: As in `coalition_values`.

    Source: own.
    """
    names = _checked(embeddings, background)
    shown = {name: embeddings[name].double()[:, None] for name in names}
    donors = {name: background[name].to(shown[name])[None] for name in names}
    donors = {n: value if value.dim() == 4 else value[None] for n, value in donors.items()}
    patients, columns = len(shown[names[0]]), []
    for coalition in range(1 << len(names)):
        visible = [coalition >> bit & 1 for bit in range(len(names))]
        parts = {n: (shown if v else donors)[n] for n, v in zip(names, visible, strict=True)}
        outputs = _averaged(fuse, parts, read)
        columns.append(np.broadcast_to(outputs, (patients, outputs.shape[1])))
    values = np.stack(columns, axis=1)
    bad = int((~np.isfinite(values)).any(axis=(1, 2)).sum())
    if bad:
        raise FederationError(
            f"Model output must be finite, got NaN or inf for {bad} of {len(values)} patients. "
            "Train with a smaller training.lr."
        )
    return values


def _averaged(
    fuse: Fuse, parts: Mapping[str, Float[Tensor, "_ _ _ _"]], read: Read
) -> Float[np.ndarray, "patient output"]:
    """Return the mean over donors of what the model says of each patient with each donor.

    Every part is patient x donor x token x width, one long where it does not vary.
    """
    patients, donors = torch.broadcast_shapes(*(part.shape[:2] for part in parts.values()))
    pairs = {name: part.expand(patients, donors, -1, -1) for name, part in parts.items()}
    limit = max(1, BLOCK // sum(part.shape[2:].numel() for part in parts.values()))
    deep = min(donors, limit)
    return np.concatenate([
        sum(
            _outputs(fuse, {n: pair[some, few] for n, pair in pairs.items()}, read)
            for few in _slices(donors, deep)
        ) / donors
        for some in _slices(patients, max(1, limit // deep))
    ])  # fmt: skip


def _outputs(
    fuse: Fuse, block: Mapping[str, Float[Tensor, "patient donor _ _"]], read: Read
) -> Float[np.ndarray, "patient output"]:
    """Return the sum over the donors of a block, the model's own scores first."""
    shape = next(iter(block.values())).shape[:2]
    scores = fuse({name: part.flatten(0, 1) for name, part in block.items()})
    told = scores.double().cpu().numpy()
    outputs = np.column_stack([told, read(told)])
    return outputs.reshape(*shape, outputs.shape[1]).sum(axis=1)


def _slices(length: int, step: int) -> Iterator[slice]:
    """Yield pieces of so many rows; one empty piece of nothing."""
    for start in range(0, max(length, 1), step):
        yield slice(start, start + step)


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
        if wanted != got[-2:] or len(got) > 3:
            raise FederationError(
                f"Background of '{name}' must have shape {wanted}, got {got}. "
                "Take it from the same model."
            )
    donors = {
        name: background[name].shape[0] if background[name].dim() == 3 else 1 for name in names
    }
    if len(set(donors.values())) > 1 or 0 in donors.values():
        raise FederationError(
            f"Background must have as many donors for each modality, one or more, got {donors}. "
            "Take them from the same patients."
        )
    return names
