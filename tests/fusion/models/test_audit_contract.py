"""Every registered model can be audited, with as many modalities and backgrounds as there are."""

import numpy as np
import pytest
import torch

from fusion.config import CHOICES
from fusion.errors import FederationError
from fusion.interaction.background import embedding_sums, zero_background
from fusion.interaction.coalitions import coalition_values
from fusion.interaction.shares import interaction_matrix, local_shares
from fusion.models.build import MODELS
from fusion.training.evaluation import embed_mean_input
from fusion.types import Bags

ADDITIVE = ("late", "linear", "small_head")
"""Models whose log-hazard is a sum over modalities."""

MODALITIES = {
    2: ("slides", "omics"),
    3: ("slides", "omics", "clinical"),
    4: ("slides", "omics", "cnv", "clinical"),
    5: ("slides", "omics", "cnv", "mutation", "clinical"),
}


@pytest.fixture(params=MODALITIES)
def widths(request):
    return {n: 6 if n == "slides" else 3 + len(n) for n in MODALITIES[request.param]}


@pytest.fixture
def model(name, widths, make):
    """The model in float64, every weight off its start."""
    if len(widths) > MODELS[name].at_most:
        pytest.skip(f"{name} reads no more than {MODELS[name].at_most} modalities")
    built, random = make(name, widths).double().eval(), torch.Generator().manual_seed(3)
    with torch.no_grad():
        for parameter in built.parameters():
            parameter += 0.3 * torch.randn(parameter.shape, generator=random).double()
    return built


def embed(model, widths, patients=7, seed=0):
    random = torch.Generator().manual_seed(seed)
    found = {}
    for name in model.modalities:
        given = torch.randn(patients, widths[name], generator=random).double()
        bags = Bags(given[:, None], torch.ones(patients, 1, dtype=torch.bool))
        found[name] = model.encode(name, bags if name == "slides" else given).detach()
    return found


def mean(model, widths):
    training = embed(model, widths, seed=1)
    everyone = {name: torch.ones(7, dtype=torch.bool) for name in training}
    return embedding_sums(training, everyone).mean()


BACKGROUNDS = {
    "embedding-mean": mean,
    "input-mean": embed_mean_input,
    "zero": lambda model, _: zero_background(model.shapes),
    "marginal": lambda model, widths: embed(model, widths, seed=1),  # seven donors
}


@pytest.mark.parametrize("kind", CHOICES["audit.background"])
def test_every_fusion_audits_with_all_modalities_under_every_background(model, widths, kind, name):
    embeddings = embed(model, widths)
    if len(embeddings) < 2:
        with pytest.raises(FederationError, match="two or more modalities"):
            coalition_values(model.fusion, embeddings, zero_background(model.shapes))
        return
    background = BACKGROUNDS[kind](model, widths)
    values = coalition_values(model.fusion, embeddings, background)
    everyone = {key: torch.ones(7, dtype=torch.bool) for key in embeddings}
    whole = model.fuse(embeddings, everyone).detach().numpy()
    np.testing.assert_allclose(values[:, -1], whole, atol=1e-12)
    np.testing.assert_allclose(values[:, 0], values[0, 0], atol=1e-12)
    sums = interaction_matrix(values).sum(axis=(1, 2))
    np.testing.assert_allclose(sums, whole - values[:, 0], atol=1e-9)
    share = local_shares(values)[:, 0]
    assert (share.max() < 1e-9) if name in ADDITIVE else (share.min() > 1e-6)
