"""The interaction audit at one site: encode once, fuse for each coalition, send sums."""

import copy
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from client.resampling import Resampling
from fusion.config import RunConfig
from fusion.interaction.background import EmbeddingSums, draw_donors, embedding_sums
from fusion.interaction.bootstrap import replicates
from fusion.interaction.classes import ClassScales, of_predicted
from fusion.interaction.coalitions import Fuse, coalition_outputs
from fusion.interaction.scales import NO_SCALES, TimeScales
from fusion.interaction.tallies import audit_tally
from fusion.masking import MARGINAL
from fusion.models.base import FusionModel
from fusion.seeding import generator
from fusion.training.data import PatientData
from fusion.training.evaluation import Pooled, embed_mean_input, encode, pool
from fusion.types import Tokens

AUDIT = "audit"
"""Release of the audit on the log-hazard."""

REPLICATES = "audit-replicates"
"""Release of its bootstrap."""

NO_DONORS = (
    "the background `marginal` needs two or more training patients with every modality at the "
    "site, and there are fewer"
)
"""Why a site sends no audit."""


@dataclass(frozen=True)
class Terms:
    """What an audit is to tell beside the shares, and how far one patient may move it.

    Attributes:
        scales: What the output is read on beside the log-hazard.
        clip: Length in log-hazard to which a patient's contributions are cut; 0 = never. On other
            scales the same number counts in their unit.
        resampling: Of the bootstrap; None = no bootstrap.

    Source: own.
    """

    scales: TimeScales | ClassScales = NO_SCALES
    clip: float = 0.0
    resampling: Resampling | None = None


PLAIN = Terms()
"""The shares alone."""


def audit(
    model: FusionModel,
    data: PatientData,
    rows: Sequence[int],
    background: Mapping[str, Tensor],
    *,
    pooled: Pooled | None = None,
    terms: Terms = PLAIN,
) -> dict[str, np.ndarray]:
    """Return the audit of a model on those of some patients who have every modality.

    Patches are summed as the model is evaluated, in its own precision, each bag on its own; what
    follows is float64. Sums over sites so equal those of all patients together.

    Args:
        model: The model under audit; a copy is evaluated in float64.
        data: The site's patients.
        rows: Which of them.
        background: What stands for a hidden modality: token x width, or donor x token x width.
        pooled: The same patients, if their patches were read already.
        terms: Scales beside the log-hazard, clipping and bootstrap.

    Returns:
        Tallies as vectors: `audit`, and `audit:<scale>@<days>` for each of the scales; and
        `audit-replicates` if they are asked for and the patients are enough.

    Privacy: sums over two or more patients leave; coalition values do not.

    Source: own.
    """
    pooled = pooled or pool(model, data, rows)
    places = complete(pooled.present)
    places = places if len(places) > 1 else []
    exact = _exact(model)
    tokens = encode(exact, pooled.pick(places))
    outputs = _values(exact.fusion, model.classes, tokens, background, terms.scales)
    audited = [rows[place] for place in places]
    releases = (AUDIT, *(scale.release for scale in terms.scales.scales))
    tallies = {
        release: audit_tally(
            outputs[:, :, number],
            modalities=model.modalities,
            time=None if model.classes else data.cohort.time[audited],
            event=None if model.classes else data.cohort.event[audited],
            excluded=len(rows) - len(audited),
            clip=terms.clip,
        ).to_array()
        for number, release in enumerate(releases)
    }
    weights = terms.resampling.weights(data.cohort, audited) if terms.resampling else None
    if weights is None:
        return tallies
    drawn = replicates(
        outputs[:, :, 0], modalities=model.modalities, weights=weights, clip=terms.clip
    )
    return tallies | {REPLICATES: drawn.to_array()}


def audit_values(
    model: FusionModel,
    pooled: Pooled,
    background: Mapping[str, Tensor],
    *,
    limit: float = math.inf,
) -> tuple[Float[np.ndarray, "patient coalition"], Bool[np.ndarray, " row"]]:
    """Return the coalition values of those of some patients who have every modality.

    Args:
        model: The model under audit; a copy is evaluated in float64.
        pooled: The patients, their patches read.
        background: As in `audit`.
        limit: Scores are cut to [-limit, limit], one that is no number to 0; infinite = a
            value that is not finite is an error.

    Returns:
        Log-hazards of the complete patients, or logits of their predicted classes, and who of all
        is complete.

    Raises:
        FederationError: A value is not finite, and there is no limit.

    Privacy: one row a patient; stays at the site.

    Source: own.
    """
    places, exact = complete(pooled.present), _exact(model)

    def fuse(parts: Mapping[str, Tensor]) -> Tensor:
        told = exact.fusion(parts)
        return told if math.isinf(limit) else told.nan_to_num(nan=0.0).clamp(-limit, limit)

    tokens = encode(exact, pooled.pick(places))
    values = _values(fuse, model.classes, tokens, background, NO_SCALES)[:, :, 0]
    return values, torch.stack(list(pooled.present.values())).all(0).cpu().numpy()


def patient_values(
    model: FusionModel, data: PatientData, rows: Sequence[int], background: Mapping[str, Tensor]
) -> tuple[np.ndarray, list[int]]:
    """Return the coalition values of those of some patients who have every modality.

    Args:
        model: The model under audit; a copy is evaluated in float64.
        data: The site's patients.
        rows: Which of them.
        background: As in `audit`.

    Returns:
        Log-hazards, or logits of the predicted class, patient x 2^M, and whose they are.

    Privacy: one row a patient; for the site's own eyes, never in an answer.

    Source: own.
    """
    values, complete = audit_values(model, pool(model, data, rows), background)
    return values, [row for row, kept in zip(rows, complete, strict=True) if kept]


def _values(
    fuse: Fuse,
    classes: int,
    tokens: Mapping[str, Tensor],
    background: Mapping[str, Tensor],
    scales: TimeScales | ClassScales,
) -> Float[np.ndarray, "patient coalition scale"]:
    """Return each coalition's log-hazard, or logit of the predicted class, and the other scales."""
    outputs = coalition_outputs(fuse, tokens, background, scales.read)
    return of_predicted(outputs, classes) if classes else outputs


def own_background(
    config: RunConfig, model: FusionModel, data: PatientData, training: Sequence[int]
) -> dict[str, Tensor]:
    """Return the background that a site makes itself, without the other sites.

    Args:
        config: The run's settings.
        model: The model under audit.
        data: The site's patients.
        training: Its training patients.

    Returns:
        With `marginal`, embeddings of the site's donors, the same ones for the whole run; none if
        it has too few. Otherwise the embedding of the federation's mean input.

    Privacy: donors stay at the site; no other patient than a training patient is one.

    Source: own.
    """
    if config.audit.background == MARGINAL:
        return donors(model, data, training, number=config.audit.donors, seed=config.seed)
    return embed_mean_input(model, data.plan.widths)


def donors(
    model: FusionModel, data: PatientData, training: Sequence[int], *, number: int, seed: int
) -> dict[str, Tensor]:
    """Return embeddings of training patients who stand for hidden modalities, each encoded once.

    Args:
        model: The model under audit.
        data: The site's patients.
        training: Its training patients; those who lack a modality are no donors.
        number: Donors wanted; all are taken if there are fewer.
        seed: Decides who, with the site's name.

    Returns:
        Donor x token x width in float64 for each modality; nothing if fewer than two can be one.

    Source: own.
    """
    held = {name: mask[data.places(training)] for name, mask in data.present.items()}
    whole = [training[place] for place in complete(held)]
    drawn = draw_donors(whole, number, generator(seed, data.cohort.name, "donors"))
    return encode(_exact(model), pool(model, data, drawn)) if drawn else {}


def embedding_means(
    model: FusionModel,
    data: PatientData,
    rows: Sequence[int],
    pooled: Pooled | None = None,
) -> EmbeddingSums:
    """Return the sums behind the federation's mean embedding; give it training patients only.

    A modality that one patient alone has is left out: its sum would be that one's embedding.

    Args:
        model: The model under audit; a copy is evaluated in float64.
        data: The site's patients.
        rows: Its training patients.
        pooled: The same patients, if their patches were read already.

    Source: own.
    """
    pooled = pooled or pool(model, data, rows)
    tokens, present = embeddings_of(model, pooled)
    return embedding_sums(tokens, {name: held & (held.sum() > 1) for name, held in present.items()})


def embeddings_of(
    model: FusionModel, pooled: Pooled
) -> tuple[dict[str, Tokens], Mapping[str, Bool[Tensor, " patient"]]]:
    """Return each patient's embeddings in float64, and who has which modality.

    Where tokens are alike each is the patient's mean token.

    Privacy: one row a patient; stays at the site.

    Source: own.
    """
    tokens = encode(_exact(model), pooled)
    return tokens | {n: _levelled(tokens[n]) for n in model.alike}, pooled.present


def _levelled(tokens: Tokens) -> Tokens:
    """Return each patient's mean token in every token's place.

    Where a token is a patch, one patient alone may have a patch at some place.
    """
    return tokens.mean(1, keepdim=True).expand_as(tokens)


def _exact(model: FusionModel) -> FusionModel:
    return copy.deepcopy(model).double().eval()


def complete(present: Mapping[str, Tensor]) -> list[int]:
    """Return the places of the patients who have every modality.

    Source: own.
    """
    return torch.stack(list(present.values())).all(0).nonzero()[:, 0].tolist()
