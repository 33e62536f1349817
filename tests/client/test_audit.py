import numpy as np
import pytest
import torch

from client.audit import audit, embedding_means
from client.site import open_patients, open_site
from fusion.interaction.background import EmbeddingSums
from fusion.interaction.tallies import AuditTally
from fusion.training.evaluation import embed, embed_mean_input
from fusion.training.plan import build_network

BOTH = ("slides", "omics")


@pytest.fixture
def ready(settings_at, finished):
    plan = finished.plan
    settings = settings_at()
    data = open_patients(settings, plan)
    return build_network(data.plan, settings.run).model, data, open_site(settings)


def test_only_patients_with_every_modality_are_audited(ready):
    model, data, _ = ready
    background = embed_mean_input(model, data.plan.widths)
    tally = AuditTally.from_array(audit(model, data, list(range(24)), background)["audit"], BOTH)
    assert (tally.count, tally.excluded) == (20, 4)


def test_the_model_is_left_as_it_was(ready):
    model, data, _ = ready
    background = embed_mean_input(model, data.plan.widths)
    audit(model, data, [0, 1, 2], background)
    assert {p.dtype for p in model.parameters()} == {torch.float32}


@pytest.mark.parametrize("rows", [[], "without slides"])
def test_nobody_to_audit_is_an_empty_tally(ready, rows):
    model, data, site = ready
    rows = [int(r) for r in np.flatnonzero(~site.cohort.has_slides)] if rows else []
    background = embed_mean_input(model, data.plan.widths)
    tally = AuditTally.from_array(audit(model, data, rows, background)["audit"], BOTH)
    assert (tally.count, tally.excluded) == (0, len(rows))


def test_the_mean_embedding_leaves_out_who_lacks_the_modality(ready):
    model, data, _ = ready
    rows = list(range(24))
    array = embedding_means(model, data, rows).to_array()
    means = EmbeddingSums.from_array(array, {"slides": (2, 4), "omics": (2, 4)}).mean()
    embeddings, present = embed(model, data, rows)
    expected = embeddings["omics"][present["omics"]].double().mean(0)
    torch.testing.assert_close(means["omics"].double(), expected, rtol=1e-5, atol=1e-6)
