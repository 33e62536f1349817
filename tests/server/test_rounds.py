from pathlib import Path

import numpy as np
import pytest
from flwr.app import Array, Error, Message, MetricRecord

from fusion.errors import ConfigError
from fusion.training.plan import Plan
from server.inbox import Inbox, _answer
from server.members import Census
from server.progress import Progress
from server.rounds import Company, first_record, validated
from server.scores import add_up

TRAINERS = ["bergen", "lyon", "porto"]


@pytest.fixture
def spoil(tiny, lead, watching):
    """Run with one site's answer of the first round changed."""

    def spoil(change, *, kind="train", site="lyon", settings=None):
        def at(seen):
            hit = seen.site == site and seen.kind == kind and seen.round in (0, 1)
            return change(seen) if hit else None

        return lead(tiny(settings), watching(at))

    return spoil


def failing(seen):
    return Message(Error(code=100, reason="1 slide lacks a bag."), reply_to=seen.request)


def with_weights(change):
    def changed(seen):
        record = seen.reply.content["model"]
        name = sorted(record)[0]
        record[name] = Array(change(record[name].numpy().copy()))
        return seen.reply

    return changed


def not_finite(values):
    values.flat[0] = np.nan
    return values


def test_a_round_is_one_exchange_with_each_site(finished):
    kinds = [(e.kind, e.round) for e in finished.exchanges if e.site == "lyon"]
    assert kinds == [
        ("query.describe", 0), ("query.scaling", 0), ("train", 1), ("train", 2),
        ("evaluate", 0), ("query.reference", 0), ("evaluate", 0),
    ]  # fmt: skip


def test_every_model_received_is_validated_once(finished):
    records = finished.result["rounds"]
    assert [record["round"] for record in records] == [0, 1, 2]
    validation = sum(site["patients"]["validation"] for site in finished.result["sites"])
    for record in records:
        assert sum(site["patients"] for site in record["sites"]) == validation
        assert record["loss"]["validation"] is not None


def test_rounds_tell_who_answered_and_how_long_they_trained(finished):
    first, *trained = finished.result["rounds"]
    assert (first["answered"], first["steps"]) == ([], 0)
    for record in trained:
        assert (record["answered"], record["failed"], record["steps"]) == (TRAINERS, [], 2)
        assert record["accepted"]
        assert np.isfinite(record["loss"]["train"])


def test_an_audit_that_is_due_comes_with_the_round(finished):
    # every round: the model of round 1 is audited when it is received in round 2, the last one
    # in the exchange that validates it
    audits = [record["audit"] for record in finished.result["rounds"]]
    assert [audit is not None for audit in audits] == [False, True, True]
    for audit in audits[1:]:
        assert (audit["split"], audit["background"]) == ("validation", "input-mean")


def test_the_last_model_is_not_audited_when_it_is_not_due(tiny, lead):
    audits = [r["audit"] for r in lead(tiny({"rounds": 3, "audit.every": 2})).result["rounds"]]
    assert [audit is not None for audit in audits] == [False, False, True, False]


def test_a_round_keeps_each_sites_audit_and_ranking_with_intervals(finished):
    record = finished.result["rounds"][1]
    sites = record["audit"]["sites"]
    assert [site["name"] for site in sites] == TRAINERS
    assert sum(site["patients"] for site in sites) == record["audit"]["patients"]
    for site in sites:
        local = site["shares"]["local"]
        assert local["low"] <= local["value"] <= local["high"]
        assert local["interaction"] + local["slides"] + local["omics"] == pytest.approx(1)
    for site in record["sites"]:
        assert (site["low"] is None) == (site["high"] is None)


def test_the_line_of_a_round_tells_the_interaction_when_it_is_due(tiny, lead, caplog):
    caplog.set_level("INFO", logger="concord.server")
    rounds = lead(tiny({"audit.every": 2})).result["rounds"]
    lines = [r.getMessage() for r in caplog.records if "validation of round" in r.getMessage()]
    share = rounds[2]["audit"]["shares"]["local"]["value"]
    assert [line.partition("validation of round ")[2][0] for line in lines] == ["0", "1", "2"]
    assert ["interaction" in line for line in lines] == [False, False, True]
    assert f"interaction {100 * share:.1f} % (" in lines[2]


def test_the_best_validated_round_is_chosen(finished):
    values = [record["concordance"]["value"] for record in finished.result["rounds"]]
    chosen = finished.result["model"]["chosen_round"]
    assert chosen >= 1
    assert values[chosen] == max(values[1:])


@pytest.mark.parametrize(("number", "chosen"), [(0, 0), (1, 1)])
def test_the_untrained_model_is_never_chosen(finished, number, chosen):
    answers = [_answer(e.site, e.reply) for e in finished.exchanges if e.round == 1]
    plan = Plan.from_text(finished.plan)
    census = Census((), (), (), np.zeros(0))
    company = Company(object.__new__(Inbox), [], plan, finished.config, census)
    score = add_up(answers, company.yardstick(0.0, 1.0))
    progress = Progress(number, {}, {}, records=(first_record(),))
    found = validated(company, progress, score, answers)
    assert (found.best_round, found.best_score is not None) == (chosen, chosen > 0)


def test_the_lowest_loss_is_chosen_if_asked_for(tiny, lead):
    result = lead(tiny({"evaluation.selection": "loss", "rounds": 3})).result
    losses = [record["loss"]["validation"] for record in result["rounds"]]
    assert losses[result["model"]["chosen_round"]] == min(losses[1:])


def test_a_site_that_fails_is_named_and_the_run_goes_on(spoil):
    rounds = spoil(failing).result["rounds"]
    assert rounds[1]["failed"] == [{"site": "lyon", "reason": "1 slide lacks a bag."}]
    assert rounds[1]["answered"] == ["bergen", "porto"]
    assert rounds[2]["answered"] == TRAINERS


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (not_finite, "holds values that are not finite"),
        (lambda values: values.T[None], "must be float32 of shape"),
        (lambda values: values.astype(np.float64), "got float64"),
    ],
    ids=["nan", "shape", "type"],
)
def test_an_update_that_does_not_fit_is_refused_and_named(spoil, change, reason):
    first = spoil(with_weights(change)).result["rounds"][1]
    assert first["answered"] == ["bergen", "porto"]
    assert first["failed"][0]["site"] == "lyon"
    assert first["failed"][0]["reason"].startswith("update refused: ")
    assert reason in first["failed"][0]["reason"]


def test_a_refused_update_changes_nothing(spoil):
    joined = []
    for change in (failing, with_weights(not_finite)):
        second = next(e for e in spoil(change).exchanges if e.round == 2)
        arrays = second.request.content["model"].items()
        joined.append({name: array.numpy().tobytes() for name, array in arrays})
    assert joined[0] == joined[1]


def test_a_loss_that_is_not_finite_does_not_end_the_run(spoil):
    def odd(seen):
        figures = dict(seen.reply.content["figures"]) | {"train-loss": float("nan")}
        seen.reply.content["figures"] = MetricRecord(figures)
        return seen.reply

    first = spoil(odd).result["rounds"][1]
    assert "training loss must be finite, got nan" in first["failed"][0]["reason"]


def test_too_few_answers_leave_the_model_as_it_was(spoil):
    result = spoil(failing, settings={"federation.quorum": 3})
    rounds = result.result["rounds"]
    assert [record["accepted"] for record in rounds] == [True, False, True]
    received = [
        e.request.content["model"] for e in result.exchanges if e.round and e.site == "porto"
    ]
    assert all((received[0][n].numpy() == received[1][n].numpy()).all() for n in received[0])


def test_too_few_answers_for_krum_leave_the_model_as_it_was(spoil):
    rounds = spoil(failing, settings={"federation.strategy": "krum"}).result["rounds"]
    assert [record["accepted"] for record in rounds] == [True, False, True]
    assert rounds[1]["answered"] == ["bergen", "porto"]


def test_krum_with_too_few_sites_is_refused_before_anything_is_written(tiny, lead):
    config = tiny({"federation.strategy": "krum", "federation.byzantine": 1})
    with pytest.raises(ConfigError, match=r"at least 2 f \+ 3 = 5 training sites .* got 3"):
        lead(config)
    assert not Path(config.out).exists()


def test_everybody_failing_leaves_the_model_as_it_was(tiny, lead, watching):
    def at(seen):
        return failing(seen) if seen.round == 1 else None

    rounds = lead(tiny(), watching(at)).result["rounds"]
    assert rounds[1]["answered"] == []
    assert not rounds[1]["accepted"]
    assert rounds[2]["accepted"]


@pytest.mark.parametrize("kind", ["query.describe", "query.scaling", "query.reference"])
def test_a_site_that_fails_outside_the_rounds_does_not_end_the_run(spoil, kind):
    result = spoil(failing, kind=kind).result
    assert result["evaluation"]["pooled"]["concordance"]["value"] is not None


def test_a_site_that_never_describes_itself_is_named(spoil):
    result = spoil(failing, kind="query.describe").result
    assert [site["name"] for site in result["sites"]] == ["bergen", "porto"]
    assert any("1 slide lacks a bag." in sentence for sentence in result["not_measured"])


def test_updates_are_weighted_by_training_patients_or_events(tiny, lead, finished):
    def weights(exchanges):
        return [e.reply.content["figures"]["num-examples"] for e in exchanges if e.round == 1]

    sites = finished.result["sites"]
    assert weights(finished.exchanges) == [site["patients"]["train"] for site in sites]
    by_events = lead(tiny({"federation.weighting": "events"}))
    assert weights(by_events.exchanges) == [site["events"]["train"] for site in sites]


def test_the_joined_model_is_the_weighted_mean_of_the_updates(finished):
    first = [e for e in finished.exchanges if e.round == 1]
    second = next(e for e in finished.exchanges if e.round == 2)
    shares = np.array([e.reply.content["figures"]["num-examples"] for e in first])
    for name, joined in second.request.content["model"].items():
        parts = np.stack([e.reply.content["model"][name].numpy() for e in first])
        mean = np.tensordot(shares / shares.sum(), parts, 1)
        np.testing.assert_allclose(joined.numpy(), mean, rtol=1e-5, atol=1e-6)


def test_all_sites_receive_the_same_model(finished):
    for number in (1, 2):
        received = [e.request.content["model"] for e in finished.exchanges if e.round == number]
        for name in received[0]:
            assert len({record[name].numpy().tobytes() for record in received}) == 1


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        ("train", "outcome-counts"),
        ("train", "concordance"),
        ("query.scaling", "scaling.omics"),
        ("query.reference", "embedding-means"),
        ("query.reference", "baseline"),
    ],
)
def test_sums_that_cannot_be_read_are_refused_and_the_run_goes_on(spoil, kind, name):
    def shortened(seen):
        record = seen.reply.content["sums"]
        record[name] = Array(record[name].numpy().ravel()[:-1])
        return seen.reply

    result = spoil(shortened, kind=kind).result
    assert result["evaluation"]["pooled"]["patients"] > 0
    if kind == "train":
        assert result["rounds"][1]["failed"][0]["reason"].startswith("answer refused: ")
