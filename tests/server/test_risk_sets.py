import numpy as np
import pytest
from flwr.app import Array, ConfigRecord, Error, Message, RecordDict

from fusion.survival.bins import TimeGrid
from fusion.survival.risk_sets import RiskSums, risk_sums
from server.risk_sets import handed_out, others_of

GRID = TimeGrid(100.0, 5)
TRAINERS = ["bergen", "lyon", "porto"]
SHARED = {"objective.name": "federated-cox", "rounds": 3}


def part(*days, log_hazard=0.0):
    number = len(days)
    return risk_sums(
        np.full(number, log_hazard),
        time=np.array(days, float),
        event=np.ones(number, bool),
        time_grid=GRID,
    ).to_array()


PARTS = {"a": part(50, 50), "b": part(150, 150, log_hazard=3.0), "c": part(250, 250, 50, 50)}


def test_a_site_is_handed_the_sum_over_the_others():
    found = others_of("b", PARTS, GRID)["risk-set"]
    np.testing.assert_array_equal(found[0], [4, 0, 2, 0, 0])
    one, other = (RiskSums.from_array(PARTS[name], GRID) for name in "ac")
    np.testing.assert_array_equal(found, (one + other).to_array())


def test_a_site_that_is_not_part_of_the_sums_is_handed_all_of_them():
    assert others_of("d", PARTS, GRID)["risk-set"][0].sum() == 8


def test_the_own_part_leaves_no_trace_however_large():
    # a total of exp(700) less itself would leave nothing of the others in float64
    found = others_of("b", PARTS | {"b": part(150, 150, log_hazard=700.0)}, GRID)["risk-set"]
    np.testing.assert_array_equal(found, others_of("b", PARTS, GRID)["risk-set"])


@pytest.mark.parametrize("held", [{}, {"a": PARTS["a"]}, {"a": PARTS["a"], "b": part()}])
def test_without_other_patients_nothing_is_handed_out(held):
    assert others_of("a", held, GRID) == {}


def test_requests_share_the_model_and_differ_in_the_others():
    content = RecordDict({"request": ConfigRecord({"round": 2})})
    found = handed_out(content, ["a", "b"], PARTS, GRID)
    assert found["a"]["request"] is found["b"]["request"] is content["request"]
    held = [found[name]["arrays"]["risk-set"].numpy()[0].sum() for name in ("a", "b")]
    assert held == [6, 6]
    assert "arrays" not in content


def received(run, number, site):
    request = next(e.request for e in run.exchanges if e.round == number and e.site == site)
    records = request.content.array_records
    return records["arrays"]["risk-set"].numpy() if "arrays" in records else None


def sent(run, number):
    return {
        e.site: e.reply.content["sums"]["risk-set"].numpy()
        for e in run.exchanges
        if e.round == number and not e.reply.has_error()
    }


@pytest.fixture(scope="module")
def shared(tiny, lead):
    return lead(tiny(SHARED))


def test_in_the_first_round_nobody_is_handed_anything(shared):
    assert [received(shared, 1, site) for site in TRAINERS] == [None] * 3


@pytest.mark.parametrize("number", [2, 3])
def test_then_each_site_gets_what_the_others_sent_the_round_before(shared, number):
    told = sent(shared, number - 1)
    for site in TRAINERS:
        patients = sum(told[name][0].sum() for name in TRAINERS if name != site)
        assert received(shared, number, site)[0].sum() == pytest.approx(patients)


def test_what_a_site_sends_holds_its_training_patients(shared):
    trained = {s["name"]: s["patients"]["train"] for s in shared.result["sites"]}
    for site, rows in sent(shared, 1).items():
        assert rows[0].sum() == pytest.approx(trained[site])


def spoiled(tiny, lead, watching, change, *, number=1):
    def at(seen):
        return change(seen) if (seen.site, seen.round) == ("lyon", number) else None

    return lead(tiny(SHARED), watching(at))


def test_a_site_that_failed_a_round_is_in_nobodys_risk_set_in_the_next(tiny, lead, watching):
    def failing(seen):
        return Message(Error(code=100, reason="no power"), reply_to=seen.request)

    run = spoiled(tiny, lead, watching, failing, number=2)
    told = sent(run, 2)
    np.testing.assert_array_equal(received(run, 3, "porto"), told["bergen"])
    both = sum(told[name][0].sum() for name in ("bergen", "porto"))
    assert received(run, 3, "lyon")[0].sum() == pytest.approx(both)


def test_if_nobody_answers_the_sums_of_before_stay(tiny, lead, watching):
    def at(seen):
        gone = Message(Error(code=100, reason="no power"), reply_to=seen.request)
        return gone if seen.round == 2 else None

    run = lead(tiny(SHARED), watching(at))
    for site in TRAINERS:
        np.testing.assert_array_equal(received(run, 3, site), received(run, 2, site))


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda record: record.pop("risk-set"), "answer refused: it lacks 'risk-set'"),
        (
            lambda record: record.update({"risk-set": Array(np.full((3, 20), np.inf))}),
            "answer refused: Risk set sums must be finite, got 60 of 60",
        ),
    ],
    ids=["lacking", "infinite"],
)
def test_sums_that_cannot_be_used_are_refused_and_named(tiny, lead, watching, change, reason):
    def odd(seen):
        change(seen.reply.content["sums"])
        return seen.reply

    first = spoiled(tiny, lead, watching, odd).result["rounds"][1]
    assert first["answered"] == ["bergen", "porto"]
    assert first["failed"][0]["reason"].startswith(reason)


def test_other_objectives_send_and_receive_none_of_this(finished):
    assert [received(finished, 2, site) for site in TRAINERS] == [None] * 3
    assert not any("risk-set" in e.reply.content["sums"] for e in finished.exchanges)
