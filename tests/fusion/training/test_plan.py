import json

import numpy as np
import pytest
import torch

from fusion.errors import ConfigError, ModelFileError
from fusion.training.plan import Plan, build_network, load_weights, weights


def test_a_plan_survives_the_wire(plan):
    back = Plan.from_text(plan.to_text())
    assert back.to_text() == plan.to_text()
    assert (back.modalities, back.edges, back.widths) == (plan.modalities, plan.edges, plan.widths)
    np.testing.assert_array_equal(back.scaling.mean, plan.scaling.mean)


def test_a_plan_of_before_groups_existed_is_read(plan):
    tree = json.loads(plan.to_text())
    del tree["groups"]
    assert Plan.from_text(json.dumps(tree)).groups == {}


def test_widths_follow_the_modalities(plan):
    assert plan.widths == {"slides": 24, "omics": 40}


def test_every_site_builds_the_same_network(plan, settings):
    torch.manual_seed(5)
    one = weights(build_network(plan, settings()))
    torch.manual_seed(6)
    other = weights(build_network(Plan.from_text(plan.to_text()), settings()))
    assert all((one[name] == other[name]).all() for name in one)


def test_another_seed_gives_other_weights(plan, settings):
    one, other = (weights(build_network(plan, settings({"seed": seed}))) for seed in (1, 2))
    assert any((one[name] != other[name]).any() for name in one)


def test_the_shared_baseline_is_part_of_the_weights(plan, settings):
    network = build_network(plan, settings({"objective.name": "piecewise-exponential"}))
    found = weights(network)["objective.baseline"]
    assert found == pytest.approx(np.log([0.2, 0.3]), rel=1e-6)


def test_weights_are_a_copy_and_go_back_in(network):
    before = weights(network)
    for value in before.values():
        value += 1
    load_weights(network, before)
    after = weights(network)
    assert all((after[name] == before[name]).all() for name in before)
    after["model.fusion.none"] = np.zeros(1)
    with pytest.raises(ModelFileError, match=r"(?s)Weights must be those of the network.*none"):
        load_weights(network, after)


def test_an_unknown_model_names_the_nearest(plan, settings):
    with pytest.raises(ConfigError, match=r"model must be registered, got 'gate'.*'gated'"):
        build_network(plan, settings({"model.name": "gate"}))
