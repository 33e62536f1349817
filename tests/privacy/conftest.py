"""Small cohorts as tensors, for every model and every objective that privacy allows."""

import numpy as np
import pytest
import torch

from fusion.config import ModelConfig
from fusion.models.build import build_model
from fusion.models.entries import MODELS
from fusion.objectives.build import build_objective
from fusion.objectives.intervals import Intervals
from fusion.sections import ObjectiveConfig
from fusion.training.patient_losses import DROPOUT, PatientLosses
from fusion.training.plan import Network

WIDTHS = {"slides": 6, "omics": 9}
SIZES = {
    "tokens": 2, "width": 4, "hidden": 8, "heads": 2, "rank": 3, "patch_tokens": 16,
    "consistency": 0.0,
}  # fmt: skip
GROUPS = {"first": (0, 1, 2, 3), "second": (3, 4, 5, 6, 7)}
INTERVALS = Intervals((0.0, 100.0, 300.0, 700.0, 1500.0))


@pytest.fixture(params=list(MODELS))
def model_name(request):
    return request.param


@pytest.fixture(scope="session")
def losses_of():
    """A network with every weight moved off its start, as a map from patients to losses."""

    def losses_of(model="gated", objective="discrete-time", **settings):
        built = build_model(ModelConfig(name=model, **SIZES | settings), WIDTHS, 1, GROUPS)
        random = torch.Generator().manual_seed(3)
        with torch.no_grad():
            for parameter in built.parameters():
                parameter += 0.3 * torch.randn(parameter.shape, generator=random)
        rates = np.full(len(INTERVALS), 0.2)
        term = build_objective(ObjectiveConfig(name=objective), INTERVALS, rates)
        return PatientLosses(Network(built, term)).train()

    return losses_of


@pytest.fixture(scope="session")
def gated(losses_of):
    """The default model; look, do not touch."""
    return losses_of()


@pytest.fixture(scope="session")
def patients_for():
    """Six patients: the third lacks slides, the fourth omics, the fifth both; bags differ."""

    def patients_for(losses, seed=2):
        random = torch.Generator().manual_seed(seed)
        mask = torch.arange(7) < torch.tensor([[7], [3], [0], [5], [0], [1]])
        has_omics = torch.tensor([True, True, True, False, False, True])
        layers = sum(type(m).__name__ == "PatientDropout" for m in losses.modules())
        return {
            "input:slides": torch.randn(6, 7, 6, generator=random) * mask[..., None],
            "real-patches": mask,
            "input:omics": torch.randn(6, 9, generator=random) * has_omics[:, None],
            "present:slides": mask.any(1),
            "present:omics": has_omics,
            "target:time": torch.tensor([50.0, 250.0, 320.0, 800.0, 3000.0, 0.0]).double(),
            "target:event": torch.tensor([True, False, True, True, False, False]),
            DROPOUT: torch.randint(2**60, (6, layers), generator=random),
        }

    return patients_for


@pytest.fixture(scope="session")
def pick_patients():
    def pick_patients(patients, places):
        return {name: value[places] for name, value in patients.items()}

    return pick_patients
