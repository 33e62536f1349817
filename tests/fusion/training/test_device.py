"""All that a step reads meets on one device: shown on torch's device `meta`, which has no numbers.

It refuses to be mixed with the processor as a GPU does, and is there on every machine.
"""

import pytest
import torch

from fusion.models.entries import MODELS
from fusion.training.data import Draw, PatientData
from fusion.training.evaluation import embed, embed_mean_input
from fusion.training.loop import _forward, _loss
from fusion.training.plan import build_network

META = torch.device("meta")
BOTH = [name for name in MODELS if set(MODELS[name].takes) in (set(), {"slides", "omics"})]
"""Models that can read the two modalities of the plan."""
ROWS, DRAW = list(range(6)), Draw(1, "lyon", 1, 0)


@pytest.fixture
def elsewhere(cohort, plan):
    return PatientData(cohort, plan, max_patches=8, device=META)


@pytest.mark.parametrize("pooling", ["mean", "attention", "queries"])
@pytest.mark.parametrize("objective", ["discrete-time", "piecewise-exponential"])
@pytest.mark.parametrize("model", BOTH)
def test_a_step_stays_on_one_device(elsewhere, plan, settings, model, objective, pooling):
    changes = {"model.name": model, "objective.name": objective, "model.pooling": pooling}
    network = build_network(plan, settings(changes)).to(META).train()
    _loss(network, _forward(network, elsewhere, ROWS, DRAW), elsewhere, ROWS).backward()
    assert {parameter.grad.device for parameter in network.parameters()} == {META}


@pytest.mark.parametrize("pooling", ["mean", "attention", "queries"])
def test_an_evaluation_stays_on_one_device(elsewhere, plan, settings, pooling):
    network = build_network(plan, settings({"model.pooling": pooling})).to(META)
    embeddings, present = embed(network.model, elsewhere, ROWS)
    assert network.model.fuse(embeddings, present).device == META
    means = embed_mean_input(network.model, plan.widths)
    assert {mean.device for mean in means.values()} == {META}
