"""The interaction audit at one site: encode once, fuse once a coalition, send sums."""

import copy
from collections.abc import Mapping, Sequence

import numpy as np
import torch
from torch import Tensor

from fusion.interaction.background import EmbeddingSums, embedding_sums
from fusion.interaction.coalitions import coalition_values
from fusion.interaction.tallies import audit_tally
from fusion.models.base import FusionModel
from fusion.training.data import PatientData
from fusion.training.evaluation import embed


def audit(
    model: FusionModel,
    data: PatientData,
    rows: Sequence[int],
    background: Mapping[str, Tensor],
) -> np.ndarray:
    """Return the audit of a model on those of some patients who have every modality.

    Args:
        model: The model under audit; a copy is evaluated in float64.
        data: The site's patients.
        rows: Which of them.
        background: What stands for a hidden modality, token x width.

    Returns:
        The tally as one vector.

    Privacy: sums over two or more patients leave; coalition values do not.

    Source: own.
    """
    complete = torch.stack(list(data.present.values())).all(0).tolist()
    audited = [row for row in rows if complete[row]]
    audited = audited if len(audited) > 1 else []
    exact = copy.deepcopy(model).double().eval()
    embeddings, _ = embed(exact, data, audited)
    values = coalition_values(exact.fusion, embeddings, background)
    tally = audit_tally(
        values,
        modalities=model.modalities,
        time=data.cohort.time[audited],
        event=data.cohort.event[audited],
        excluded=len(rows) - len(audited),
    )
    return tally.to_array()


def embedding_means(model: FusionModel, data: PatientData, rows: Sequence[int]) -> EmbeddingSums:
    """Return the sums behind the federation's mean embedding; give it training patients only.

    A modality that one patient alone has is left out: its sum would be that one's embedding.

    Source: own.
    """
    embeddings, present = embed(copy.deepcopy(model).double(), data, rows)
    shared = {name: held & (held.sum() > 1) for name, held in present.items()}
    return embedding_sums(embeddings, shared)
