"""A head of its own at each site: never on the wire, found again, and put to the right model."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from flwr.app import Error, Message

from client.audit import audit
from client.predict import predict
from client.settings import Settings
from client.site import forget_sites, open_patients, open_site
from fusion.errors import ConcordError, ModelFileError
from fusion.survival.concordance import concordance
from fusion.training.checkpoint import load_arrays
from fusion.training.evaluation import embed_mean_input
from fusion.training.examination import Yardstick, examine
from fusion.training.plan import Plan, build_network, load_weights
from server.progress import load_progress
from server.report.page import render
from simulations.federation import run_inline

HEAD = "model.fusion.head."
PERSONAL = {"federation.personal": "head", "rounds": 3, "audit.every": 1}
NAMES = ("bergen", "lyon", "porto")


def tree(folder):
    return {path.relative_to(folder): path.stat().st_mtime_ns for path in folder.rglob("*")}


def head_of(folder, site, number):
    """The arrays a site kept after a round; the initial ones are asked for elsewhere."""
    path = next((folder / "state" / site / "runs").glob(f"*/round-{number:05d}.safetensors"))
    return load_arrays(path)[0]


def arrays_of(record):
    return {name: array.numpy() for name, array in record.items()}


@pytest.fixture(scope="module")
def personal(tiny, watching, hospitals):
    """A run with personal heads, the site folders as they were before, and its result."""
    config, watch, before = tiny(PERSONAL), watching(), tree(hospitals)
    run_inline(config, client=watch)
    result = json.loads((Path(config.out) / "result.json").read_text(encoding="utf-8"))
    return config, watch.exchanges, before, result


@pytest.fixture
def whole(personal):
    """The network that a site examined in an exchange: what came, and the head of a round."""

    def whole(seen, number):
        config, exchanges, _, _ = personal
        plan = next(e.request.content["request"]["plan"] for e in exchanges if e.round)
        network = build_network(Plan.from_text(plan), config)
        head = head_of(Path(config.out), seen.site, number)
        load_weights(network, head | arrays_of(seen.request.content["model"]))
        settings = Settings(Path(config.sites) / seen.site, config, 0)
        return network, open_patients(settings, plan), open_site(settings)

    return whole


def test_no_head_is_ever_on_the_wire(personal):
    _, exchanges, _, _ = personal
    models = 0
    for seen in exchanges:
        for message in (seen.request, seen.reply):
            for name, record in message.content.array_records.items():
                models += name == "model"
                assert not [array for array in record if array.startswith(HEAD)]
    # requests: 3 rounds, last validation, reference and test; answers: 3 rounds; of 3 sites
    assert models == 3 * (6 + 3)


def test_no_head_leaves_under_another_name(personal):
    config, exchanges, _, _ = personal
    for seen in (e for e in exchanges if e.round):
        sent = b"".join(
            a.data for r in seen.reply.content.array_records.values() for a in r.values()
        )
        head = head_of(Path(config.out), seen.site, seen.round)
        large = [name for name, value in head.items() if value.size > 1]
        assert len(large) > 1
        assert not [name for name in large if head[name].tobytes() in sent]


def test_neither_checkpoint_nor_model_file_holds_a_head(personal):
    folder = Path(personal[0].out)
    progress, _ = load_progress(folder)
    model, card = load_arrays(folder / "model.safetensors")
    for held in (progress.model, progress.best, progress.moments, model):
        assert not [name for name in held if HEAD in name]
    assert card["local"]
    assert all(name.startswith(HEAD) for name in card["local"])


def test_each_site_keeps_its_own_head_with_the_run_and_none_with_its_data(personal, hospitals):
    config, _, before, _ = personal
    heads = [head_of(Path(config.out), site, 3) for site in NAMES]
    name = f"{HEAD}layers.1.weight"
    assert len({head[name].tobytes() for head in heads}) == 3
    assert tree(hospitals) == before


def test_validation_and_audit_of_a_round_are_of_that_rounds_head(personal, whole):
    config, exchanges, _, _ = personal
    for seen in (e for e in exchanges if e.round == 3):
        network, data, site = whole(seen, 2)
        yardstick = Yardstick.from_words(dict(seen.request.content["request"]), config.evaluation)
        rows, told = site.rows("validation"), arrays_of(seen.reply.content["sums"])
        for name, value in examine(network, data, rows, yardstick).items():
            np.testing.assert_array_equal(told[name], value)
        background = embed_mean_input(network.model, data.plan.widths)
        own = audit(network.model, data, rows, background)["audit"]
        np.testing.assert_array_equal(told["audit"], own)


def test_the_test_is_of_the_chosen_rounds_head(personal, whole):
    config, exchanges, _, result = personal
    for seen in exchanges[-3:]:
        network, data, site = whole(seen, result["model"]["chosen_round"])
        words = dict(seen.request.content["request"])
        found = examine(
            network, data, site.rows("test"), Yardstick.from_words(words, config.evaluation)
        )
        told = arrays_of(seen.reply.content["sums"])
        assert all((told[name] == value).all() for name, value in found.items())


def test_the_result_says_so_and_the_report_renders(personal):
    result = personal[3]
    assert 0 < result["model"]["local_parameters"] < result["model"]["parameters"]
    assert any("a head of its own" in sentence for sentence in result["not_measured"])
    assert "of them each site" in render(result)


def test_predictions_are_those_of_the_test(personal):
    """Risks of a site's test patients rank as the result says of that site."""
    config, _, _, result = personal
    for told in result["evaluation"]["sites"]:
        folder = Path(config.sites) / told["name"]
        site = open_site(Settings(folder, config, 0))
        state = Path(config.out) / "state" / told["name"]
        table = predict(folder, Path(config.out) / "model.safetensors", state=state).table
        assert list(table["patient"]) == list(site.cohort.patients)
        rows = site.rows("test")
        own = concordance(
            table["risk"].to_numpy()[rows],
            time=site.cohort.time[rows],
            event=site.cohort.event[rows],
        )
        assert own.estimate.value == told["concordance"]["value"]


def test_another_sites_or_no_head_gives_no_predictions_of_this_one(personal, hospitals):
    config, model = personal[0], Path(personal[0].out) / "model.safetensors"
    with pytest.raises(ModelFileError, match=r"must meet this site's own, got none"):
        predict(hospitals / "lyon", model)
    state = Path(config.out) / "state"
    tables = [predict(hospitals / "lyon", model, state=state / s).table for s in ("lyon", "porto")]
    assert (tables[0]["risk"] != tables[1]["risk"]).any()


@pytest.mark.parametrize("strategy", ["fedavg", "scaffold"])
def test_a_federation_of_one_ends_where_it_does_without(tiny, lead, own_hospitals, strategy):
    for site in ("bergen", "porto"):
        shutil.rmtree(own_hospitals / site)
    chosen = {"federation.strategy": strategy, "split.validation": 0.0}
    plain = lead(tiny(chosen, sites=own_hospitals))
    personal = lead(tiny(chosen | {"federation.personal": "head"}, sites=own_hospitals))
    expected = load_progress(plain.folder)[0].model
    found = load_progress(personal.folder)[0].model
    if strategy == "scaffold":
        assert not any(HEAD in name for name in load_progress(personal.folder)[0].moments)
    found = found | head_of(personal.folder, "lyon", 2)
    assert {n: v.tobytes() for n, v in found.items()} == {
        n: v.tobytes() for n, v in expected.items()
    }


def test_an_interrupted_run_continues_bit_for_bit(tiny, lead, watching):
    """With SCAFFOLD, which has most to remember."""
    settings = PERSONAL | {"rounds": 4, "federation.strategy": "scaffold", "audit.every": 0}
    straight = lead(tiny(settings))

    def at(seen):
        if seen.round == 3 and seen.site == "porto":
            raise KeyboardInterrupt

    config = tiny(settings)
    with pytest.raises(KeyboardInterrupt):
        lead(config, watching(at))
    assert head_of(Path(config.out), "lyon", 3)
    resumed = lead(replace(config, resume=True))
    assert resumed.model == straight.model
    del resumed.result["timings"], straight.result["timings"]
    assert resumed.result == straight.result
    for site in NAMES:
        one, other = (head_of(run.folder, site, 4) for run in (straight, resumed))
        assert all(one[name].tobytes() == other[name].tobytes() for name in one)


def test_a_held_out_site_is_left_out_of_the_test_and_named(tiny, lead):
    result = lead(tiny(PERSONAL | {"split.hold-out": "porto"})).result
    assert [site["name"] for site in result["evaluation"]["sites"]] == ["bergen", "lyon"]
    told = [s for s in result["not_measured"] if s.startswith("Test figures of site porto")]
    assert "It has no head of its own for this model" in told[0]


def test_a_site_that_joins_late_is_not_counted_before_it_trained(tiny, lead, watching):
    def at(seen):
        if seen.round == 1 and seen.site == "lyon":
            shutil.rmtree(Path(config.out) / "state" / "lyon")
            return Message(Error(code=100, reason="off"), reply_to=seen.request)
        return None

    config = tiny(PERSONAL | {"rounds": 3})
    run = lead(config, watching(at))
    counted = {
        e.round: arrays_of(e.reply.content["sums"])["outcome-counts"].sum()
        for e in run.exchanges
        if e.round and e.site == "lyon"
    }
    validation = next(
        s["patients"]["validation"] for s in run.result["sites"] if s["name"] == "lyon"
    )
    # the models of rounds 0, 1 and 2: it has the initial head, none, and its own of round 2
    assert counted == {1: validation, 2: 0, 3: validation}
    assert run.result["rounds"][2]["answered"] == list(NAMES)


def test_a_site_without_a_head_for_the_chosen_round_is_left_out(tiny, lead, watching):
    def at(seen):
        if seen.round == 1 and seen.site == "lyon":
            shutil.rmtree(Path(config.out) / "state" / "lyon")
            return Message(Error(code=100, reason="off"), reply_to=seen.request)
        return None

    config = tiny(PERSONAL | {"rounds": 1})
    result = lead(config, watching(at)).result
    assert [site["name"] for site in result["evaluation"]["sites"]] == ["bergen", "porto"]
    assert any("Test figures of site lyon: It has no head" in s for s in result["not_measured"])


def test_a_model_without_a_head_is_refused_before_anything_is_written(tiny, lead):
    config = tiny(PERSONAL | {"model.name": "linear"})
    with pytest.raises(ConcordError, match="layers below its head, got 'linear'"):
        lead(config)
    assert not Path(config.out).exists()


@pytest.fixture(autouse=True)
def _fresh():
    yield
    forget_sites()
