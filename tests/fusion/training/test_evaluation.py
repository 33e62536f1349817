import numpy as np
import pytest
import torch

import fusion.training.evaluation as evaluation
from fusion.models.entries import MODELS
from fusion.training.data import PatientData
from fusion.training.evaluation import embed, embed_mean_input, scores
from fusion.training.plan import build_network

ROWS = list(range(24))


@pytest.mark.parametrize("pooling", ["mean", "attention", "queries"])
def test_chunks_change_nothing(data, plan, settings, monkeypatch, pooling):
    network = build_network(plan, settings({"model.pooling": pooling}))
    whole = scores(network, data, ROWS)
    monkeypatch.setattr(evaluation, "CHUNK", 7)
    np.testing.assert_allclose(scores(network, data, ROWS), whole, rtol=0, atol=2e-6)


@pytest.mark.parametrize("pooling", ["mean", "attention", "queries"])
def test_chunks_are_exact_in_double_precision(data, plan, settings, monkeypatch, pooling):
    model = build_network(plan, settings({"model.pooling": pooling})).model.double()
    whole = embed(model, data, ROWS)[0]["slides"]
    monkeypatch.setattr(evaluation, "CHUNK", 7)
    found = embed(model, data, ROWS)[0]["slides"]
    torch.testing.assert_close(found, whole, rtol=0, atol=1e-13)


def test_all_patches_are_read_however_few_are_drawn_in_training(cohort, plan, network, data):
    fewer = PatientData(cohort, plan, max_patches=1)
    np.testing.assert_array_equal(scores(network, fewer, ROWS), scores(network, data, ROWS))


def test_evaluation_is_the_models_forward_without_dropout(cohort, plan, network):
    everything = PatientData(cohort, plan, max_patches=10_000)
    network.eval()
    with torch.no_grad():
        direct = network.model(everything.batch(ROWS, [0] * 24)).double().numpy()
    np.testing.assert_allclose(scores(network, everything, ROWS), direct, rtol=0, atol=2e-6)


def test_a_patients_risk_does_not_depend_on_the_others(network, data):
    together = scores(network, data, ROWS)
    alone = [scores(network, data, [row])[0] for row in ROWS]
    np.testing.assert_allclose(alone, together, rtol=0, atol=2e-6)


def test_risks_come_in_the_order_asked_for(network, data):
    one, other = scores(network, data, [3, 8]), scores(network, data, [8, 3])
    np.testing.assert_allclose(one, other[::-1], rtol=0, atol=2e-6)


@pytest.mark.parametrize("name", list(MODELS))
def test_every_model_ranks_patients_and_nobody(cohort, plan, settings, name):
    taken = MODELS[name].takes or plan.modalities
    narrow = type(plan)(**{**vars(plan), "modalities": taken})
    network = build_network(narrow, settings({"model.name": name}))
    data = PatientData(cohort, narrow, max_patches=8)
    assert np.isfinite(scores(network, data, ROWS)).all()
    assert scores(network, data, []).shape == (0,)


def test_embeddings_say_who_has_what(network, data, cohort):
    embeddings, present = embed(network.model, data, ROWS)
    assert list(embeddings) == ["slides", "omics"]
    assert embeddings["slides"].shape == (24, 2, 4)
    np.testing.assert_array_equal(present["slides"].numpy(), cohort.has_slides)


def test_the_mean_input_is_embedded_without_any_patient(network, plan):
    found = embed_mean_input(network.model, plan.widths)
    expected = network.model.double().eval().encode("omics", torch.zeros(1, 40).double())[0]
    torch.testing.assert_close(found["omics"], expected)
    assert found["slides"].shape == (2, 4)
