import copy
import json
import random
from dataclasses import replace

import numpy as np
import pytest
import torch
from flwr.app import ConfigRecord, Message, MessageType, RecordDict
from flwr.clientapp import ClientApp

from fusion.errors import ConcordError, ConfigError
from fusion.models.entries import MODELS
from fusion.objectives.build import OBJECTIVES, SURVIVAL_OBJECTIVES
from server.aggregation import STRATEGIES
from simulations.federation import InlineGrid, run_inline


def untimed(result):
    kept = copy.deepcopy(result)
    del kept["timings"]
    return kept


def same_arrays(one, other):
    return all((one[name].numpy() == other[name].numpy()).all() for name in one)


@pytest.fixture(scope="module")
def again(tiny, lead):
    """The settings of the shared run, led a second time under other global randomness."""
    torch.manual_seed(99)
    random.seed(99)
    np.random.seed(99)
    return lead(tiny({"audit.every": 1, "federation.expected-sites": 3}))


def test_the_same_seed_gives_the_same_result(finished, again):
    assert json.dumps(untimed(again.result)) == json.dumps(untimed(finished.result))
    assert again.model == finished.model


def test_another_seed_gives_another(tiny, lead, finished):
    other = lead(tiny({"seed": 2})).result
    assert other["model"]["sha256"] != finished.result["model"]["sha256"]


@pytest.mark.parametrize("name", list(MODELS))
def test_every_model_runs(tiny, lead, name):
    result = lead(tiny({"model.name": name})).result
    assert result["evaluation"]["pooled"]["concordance"]["value"] is not None
    assert result["model"]["modalities"] == list(MODELS[name].takes or ("slides", "omics"))
    assert (result["audit"] is None) == (len(result["model"]["modalities"]) == 1)


@pytest.mark.parametrize("name", SURVIVAL_OBJECTIVES)
def test_every_objective_runs(tiny, lead, name):
    result = lead(tiny({"objective.name": name, "rounds": 1})).result
    assert result["model"]["couples_patients"] == OBJECTIVES[name].couples_patients
    assert result["evaluation"]["pooled"]["integrated_brier"]["value"] is not None


@pytest.mark.parametrize(
    "changes",
    [
        {"model.name": "bilinear", "model.norm": "batch"},
        {"model.pooling": "attention"},
        {"model.name": "cross_attention", "model.tokens": 1},
        {"training.batch-patients": 4},
        {"training.optimiser": "sgd", "training.schedule": "constant"},
        {"objective.ties": "breslow"},
        {"objective.name": "discrete-time", "objective.cuts": "400,900"},
        {"data.clinical": "age"},
        {"data.clip": 0},
        {"split.validation": 0.0},
    ],
    ids=str,
)
def test_every_option_runs(tiny, lead, changes):
    result = lead(tiny({"rounds": 1, **changes})).result
    assert result["evaluation"]["pooled"]["concordance"]["value"] is not None
    assert result["rounds"][1]["failed"] == []


@pytest.mark.parametrize("size", [1, 64])
def test_micro_batches_change_no_figure(tiny, lead, finished, size):
    changed = lead(tiny({"training.micro-batch": size, "audit.every": 1})).result
    for mine, other in zip(changed["rounds"], finished.result["rounds"], strict=True):
        assert mine["loss"]["validation"] == pytest.approx(other["loss"]["validation"], rel=1e-3)


@pytest.mark.parametrize("strategy", list(STRATEGIES))
def test_every_strategy_runs_and_continues_bit_for_bit(tiny, lead, watching, strategy):
    settings = {"rounds": 4, "model.name": "omics_only"}
    settings |= {"federation.strategy": strategy, "federation.trim": 0.34}
    straight, stopped_in = lead(tiny(settings)), 3
    assert all(record["accepted"] for record in straight.result["rounds"])
    assert np.isfinite(straight.result["rounds"][-1]["loss"]["validation"])

    def at(seen):
        if seen.round == stopped_in and seen.site == "lyon":
            raise KeyboardInterrupt

    config = tiny(settings)
    with pytest.raises(KeyboardInterrupt):
        lead(config, watching(at))
    resumed = lead(replace(config, resume=True))
    assert resumed.model == straight.model
    assert untimed(resumed.result) == untimed(straight.result)
    assert min(e.round for e in resumed.exchanges if e.round) == stopped_in


def test_risk_sets_across_sites_continue_bit_for_bit(tiny, lead, watching):
    shared = {"objective.name": "federated-cox", "rounds": 3}

    def at(seen):
        if seen.round == 3:
            raise KeyboardInterrupt

    straight, config = lead(tiny(shared)), tiny(shared)
    with pytest.raises(KeyboardInterrupt):
        lead(config, watching(at))
    resumed = lead(replace(config, resume=True))
    assert resumed.model == straight.model
    assert {e.round for e in resumed.exchanges} == {0, 3}


def test_a_run_interrupted_in_its_closing_continues_bit_for_bit(tiny, lead, watching, finished):
    def at(seen):
        if seen.kind == "query.reference":
            raise KeyboardInterrupt

    config = tiny({"audit.every": 1, "federation.expected-sites": 3})
    with pytest.raises(KeyboardInterrupt):
        lead(config, watching(at))
    resumed = lead(replace(config, resume=True))
    assert resumed.model == finished.model
    assert not any(e.round for e in resumed.exchanges)


def test_a_run_interrupted_in_its_first_round_is_resumed_from_the_start(tiny, lead, watching):
    def at(seen):
        if seen.round == 1:
            raise KeyboardInterrupt

    config = tiny()
    with pytest.raises(KeyboardInterrupt):
        lead(config, watching(at))
    assert lead(replace(config, resume=True)).model == lead(tiny()).model


def test_a_run_leaves_result_report_model_and_checkpoint(finished):
    assert sorted(path.name for path in finished.folder.iterdir()) == [
        "checkpoint.safetensors", "model.safetensors", "report.html", "result.json",
    ]  # fmt: skip


def test_requests_are_copied_on_their_way():
    kept = []

    class Keeper(ClientApp):
        def __call__(self, message, context):  # noqa: ARG002
            kept.append(message)
            message.content["request"]["n"] = 2
            return Message(message.content, reply_to=message)

    grid = InlineGrid(Keeper(), [{"site": "a"}, {"site": "b"}], {})
    content = RecordDict({"request": ConfigRecord({"n": 1})})
    messages = [Message(content, node, MessageType.TRAIN) for node in grid.get_node_ids()]
    replies = list(grid.send_and_receive(messages))
    assert content["request"]["n"] == 1
    assert [reply.content["request"]["n"] for reply in replies] == [2, 2]
    assert kept[0].content is not kept[1].content


def test_answers_name_the_node_they_come_from():
    class Echo(ClientApp):
        def __call__(self, message, context):  # noqa: ARG002
            return Message(RecordDict(), reply_to=message)

    grid = InlineGrid(Echo(), [{"site": "a"}, {"site": "b"}], {})
    nodes = list(grid.get_node_ids())
    messages = [grid.create_message(RecordDict(), "train", node, "1") for node in nodes]
    names = list(grid.push_messages(messages))
    assert [reply.metadata.src_node_id for reply in grid.pull_messages(names)] == nodes
    assert list(grid.pull_messages(names)) == []
    assert grid.run.run_id == grid.contexts[nodes[0]].run_id


def test_a_folder_without_sites_is_refused(tiny, tmp_path):
    with pytest.raises(ConfigError, match="Sites must be a folder of site folders"):
        run_inline(tiny(sites=tmp_path))


def test_a_resumed_run_keeps_its_settings(tiny, lead):
    config = tiny()
    lead(config)
    with pytest.raises(ConcordError, match=r"A resumed run must keep its settings, got seed = 99"):
        lead(replace(config, seed=99, resume=True))


def test_a_resumed_run_notices_that_data_changed(tiny, lead, own_hospitals):
    config = tiny(sites=own_hospitals)
    lead(config)
    table = own_hospitals / "lyon" / "clinical.csv"
    table.write_text(table.read_text().replace(",1,", ",0,", 1))
    with pytest.raises(ConcordError, match="got other data at site 'lyon'"):
        lead(replace(config, resume=True))


def test_a_run_in_which_nobody_ever_trained_is_an_error(tiny, lead):
    with pytest.raises(ConcordError, match=r"At least one round must be completed, got none of"):
        lead(tiny({"training.lr": 1e18, "training.optimiser": "sgd"}))
