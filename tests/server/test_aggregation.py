from dataclasses import replace

import numpy as np
import pytest

from fusion.config import FederationConfig
from fusion.errors import ConfigError
from server.aggregation import STRATEGIES, Aggregator, check_strategy, sift
from server.inbox import Answer, to_record

MODEL = {"w": np.array([[1.0, 2.0]], np.float32), "n": np.array(4)}


def answer(site="lyon", weight=1.0, **model):
    arrays = {"w": np.zeros((1, 2), np.float32), "n": np.array(4)} | model
    return Answer(site, {}, {"num-examples": weight, "train-loss": 0.1, "steps": 2}, {}, arrays)


def two():
    return [
        answer("lyon", 3.0, w=np.array([[1.0, 4.0]], np.float32)),
        answer("porto", 1.0, w=np.array([[5.0, 0.0]], np.float32)),
    ]


WEIGHTS = {"bergen": 1.0, "lyon": 2.0, "porto": 97.0}
AVERAGES = ("fedavg", "fedprox", "scaffold", "fedmedian", "trimmed-mean")
ADAPTIVE = ("fedadagrad", "fedadam", "fedyogi")


def aggregator(strategy="fedavg", **settings):
    config = FederationConfig(strategy=strategy, **settings)
    return Aggregator(config, parameters={"w"}, weights=WEIGHTS)


def three(far=100.0):
    """Two sites that agree, and one far off with most patients."""
    return [
        answer("bergen", 1.0, w=np.array([[2.0, 3.0]], np.float32)),
        answer("lyon", 2.0, w=np.array([[2.5, 3.5]], np.float32)),
        answer("porto", 97.0, w=np.array([[far, -far]], np.float32)),
    ]


@pytest.mark.parametrize("strategy", ["fedavg", "fedprox", "scaffold"])
def test_averages_are_weighted(strategy):
    # weights 3 and 1: a quarter of 3 + 5, and of 12 + 0
    joined = aggregator(strategy).join(1, MODEL, two())
    np.testing.assert_allclose(joined["w"], [[2, 3]])


@pytest.mark.parametrize("strategy", AVERAGES)
def test_the_average_of_one_site_is_its_update(strategy):
    joined = aggregator(strategy).join(1, MODEL, two()[:1])
    assert joined["w"].tobytes() == two()[0].model["w"].tobytes()


def test_fedadam_steps_from_the_current_model():
    # The average lies one away: the first moment is a tenth of that, the second a hundredth.
    # Flower's step is server_lr times first / (root of second + .001), corrected for round 1.
    joined = aggregator("fedadam", server_lr=0.5).join(1, MODEL, two())
    step = 0.5 * 0.1 / 0.101 * np.sqrt(1 - 0.99**2) / (1 - 0.9**2)
    np.testing.assert_allclose(joined["w"] - MODEL["w"], [[step, step]], rtol=1e-5)


def test_fedadagrad_adds_up_squares():
    # The average lies one away in both rounds: the step is .5 / (sqrt(1) + .001), then
    # .5 d / (sqrt(1 + d^2) + .001) where d = 1 - step is the distance left.
    adagrad = aggregator("fedadagrad", server_lr=0.5)
    first = adagrad.join(1, MODEL, two())
    step = 0.5 / 1.001
    np.testing.assert_allclose(first["w"] - MODEL["w"], [[step, step]], rtol=1e-6)
    left = 1 - step
    second = adagrad.join(2, first, two())["w"] - first["w"]
    np.testing.assert_allclose(second, np.full((1, 2), 0.5 * left / (np.hypot(1, left) + 0.001)),
                               rtol=1e-6)  # fmt: skip


def test_a_median_heeds_no_single_site():
    joined = aggregator("fedmedian").join(1, MODEL, three())
    np.testing.assert_array_equal(joined["w"], [[2.5, 3.0]])  # value by value


def test_a_trimmed_mean_cuts_at_both_ends():
    # .34 of 3 sites is one at each end: the middle value is left
    joined = aggregator("trimmed-mean", trim=0.34).join(1, MODEL, three())
    np.testing.assert_array_equal(joined["w"], [[2.5, 3.0]])


def test_a_trimmed_mean_of_few_sites_is_the_plain_mean():
    joined = aggregator("trimmed-mean", trim=0.2).join(1, MODEL, two())
    np.testing.assert_array_equal(joined["w"], [[3.0, 2.0]])


def test_krum_takes_one_sites_update_whole():
    joined = aggregator("krum").join(1, MODEL, three())
    assert joined["w"].tobytes() == three()[0].model["w"].tobytes()


def test_krum_tells_near_weights_apart_far_from_zero():
    """In float32 the squared lengths of 1000 swallow distances of a hundredth."""
    near = [1000.08, 1000.0, 1000.01, 1000.005, 1000.16]
    figures = {"num-examples": 1.0}
    sent = [{"w": np.array([w, 0], np.float32)} for w in near]
    sites = [Answer(f"{n}", {}, figures, {}, model) for n, model in enumerate(sent)]
    # f = 1: the two nearest of each; sums of squares are smallest for the fourth site
    joined = aggregator("krum", byzantine=1).join(1, sent[0], sites)
    assert joined["w"][0] == np.float32(1000.005)


@pytest.mark.parametrize("strategy", ["fedmedian", "krum"])
def test_robust_strategies_ignore_how_many_patients_a_site_has(strategy):
    even = [answer(one.site, 1.0, w=one.model["w"]) for one in three()]
    joined = [aggregator(strategy).join(1, MODEL, sites)["w"] for sites in (three(), even)]
    np.testing.assert_array_equal(*joined)


@pytest.mark.parametrize("strategy", list(STRATEGIES))
def test_every_strategy_keeps_names_shapes_and_types(strategy):
    joined = aggregator(strategy).join(1, MODEL, three())
    assert {k: (v.shape, v.dtype) for k, v in joined.items()} == {
        k: (v.shape, v.dtype) for k, v in MODEL.items()
    }
    assert list(joined) == list(MODEL)


@pytest.mark.parametrize("strategy", list(STRATEGIES))
def test_the_order_of_answers_does_not_matter(strategy):
    orders = (three(), three()[::-1])
    one, other = (aggregator(strategy).join(1, MODEL, answers) for answers in orders)
    assert all(one[name].tobytes() == other[name].tobytes() for name in MODEL)


@pytest.mark.parametrize("strategy", list(STRATEGIES))
def test_updates_are_read_as_flower_brought_them_and_left_as_they_were(strategy):
    brought = [replace(one, record=to_record(one.model)) for one in three()]
    found = aggregator(strategy).join(1, MODEL, brought)
    expected = aggregator(strategy).join(1, MODEL, three())
    assert all(found[name].tobytes() == expected[name].tobytes() for name in MODEL)
    assert all(set(one.record) == set(MODEL) for one in brought)


@pytest.mark.parametrize("strategy", ADAPTIVE)
def test_moments_carry_on_where_they_were(strategy):
    straight, first = aggregator(strategy), aggregator(strategy)
    after_one = straight.join(1, MODEL, two())
    expected = straight.join(2, after_one, two()[:1])
    first.join(1, MODEL, two())
    second = aggregator(strategy)
    second.moments = {name: value.copy() for name, value in first.moments.items()}
    found = second.join(2, after_one, two()[:1])
    assert all((found[name] == expected[name]).all() for name in MODEL)


@pytest.mark.parametrize("strategy", ADAPTIVE)
def test_optimisers_step_on_parameters_and_average_the_rest(strategy):
    # a running variance that falls from 1 to .01 over the rounds must not fall below 0
    current = MODEL | {"variance": np.array([1.0], np.float32)}
    sites = [answer("lyon", 3.0, variance=np.array([0.01], np.float32))]
    joined = aggregator(strategy, server_lr=5.0).join(1, current, sites)
    assert joined["variance"] == np.float32(0.01)


def test_counters_are_rounded():
    # a seventh and six sevenths of 3 add up to 2.9999999999999996 in binary
    sites = [answer("lyon", 1.0, n=np.array(3)), answer("porto", 6.0, n=np.array(3))]
    assert aggregator().join(1, MODEL, sites)["n"] == 3


@pytest.mark.parametrize("strategy", ["fedavg", "fedprox", "fedmedian", "trimmed-mean", "krum"])
def test_an_average_has_no_memory(strategy):
    averaging = aggregator(strategy)
    averaging.join(1, MODEL, three())
    assert averaging.moments == {}


@pytest.mark.parametrize("strategy", list(STRATEGIES))
@pytest.mark.parametrize("answers", [[], [answer(weight=0.0)]], ids=["none", "weightless"])
def test_without_weight_the_model_stays(strategy, answers):
    joined = aggregator(strategy).join(1, MODEL, answers)
    assert all((joined[name] == MODEL[name]).all() for name in MODEL)


@pytest.mark.parametrize("strategy", list(STRATEGIES))
def test_a_weightless_update_does_not_count(strategy):
    wild = answer("graz", 0.0, w=np.full((1, 2), 1e9, np.float32))
    found = aggregator(strategy).join(1, MODEL, [wild, *three()])
    expected = aggregator(strategy).join(1, MODEL, three())
    assert all(found[name].tobytes() == expected[name].tobytes() for name in MODEL)


@pytest.mark.parametrize(
    ("settings", "weights", "enough"),
    [
        ({}, [1.0], True),
        ({}, [], False),
        ({"quorum": 3}, [1.0, 0.0, 1.0], True),
        ({"strategy": "krum"}, [1.0, 1.0, 1.0], True),
        ({"strategy": "krum"}, [1.0, 0.0, 1.0], False),
        ({"strategy": "krum", "byzantine": 1}, [1.0] * 4, False),
        ({"strategy": "krum", "byzantine": 1}, [1.0] * 5, True),
    ],
)
def test_a_round_needs_enough_updates(settings, weights, enough):
    answers = [answer(f"{n}", weight) for n, weight in enumerate(weights)]
    assert aggregator(**settings).enough(answers) == enough


@pytest.mark.parametrize(("byzantine", "sites"), [(0, 2), (1, 4), (2, 6)])
def test_krum_with_too_few_sites_is_refused(byzantine, sites):
    config = FederationConfig(strategy="krum", byzantine=byzantine)
    told = rf"2 f \+ 3 = {sites + 1} training sites for f = {byzantine} .*, got {sites}\. Lower"
    with pytest.raises(ConfigError, match=told):
        check_strategy(config, sites)
    check_strategy(config, sites + 1)


@pytest.mark.parametrize(("sites", "warned"), [(4, True), (5, False)])
def test_a_trimmed_mean_that_cuts_nobody_is_warned_of(sites, warned, caplog):
    check_strategy(FederationConfig(strategy="trimmed-mean"), sites)
    assert ("cuts no site: federation.trim = 0.2 of" in caplog.text) == warned


def test_an_unknown_strategy_names_the_nearest():
    with pytest.raises(ConfigError, match=r"federation\.strategy must be .*'fedavgg'.*'fedavg'"):
        check_strategy(FederationConfig(strategy="fedavgg"), 3)


def test_sound_updates_pass_in_order():
    good, refused = sift(MODEL, two())
    assert [a.site for a in good] == ["lyon", "porto"]
    assert not refused


@pytest.mark.parametrize(
    ("model", "reason"),
    [
        ({"w": np.array([[np.nan, 0]], np.float32)}, "'w' holds values that are not finite"),
        ({"w": np.array([[np.inf, 0]], np.float32)}, "'w' holds values that are not finite"),
        ({"w": np.zeros((2, 1), np.float32)}, "'w' must be float32 of shape (1, 2), got"),
        ({"w": np.zeros((1, 2))}, "'w' must be float32 of shape (1, 2), got float64"),
        ({"x": np.zeros(1)}, "its arrays must be those of the model, 1 differ, such as 'x'"),
    ],
)
def test_an_update_that_does_not_fit_is_refused_and_named(model, reason):
    good, refused = sift(MODEL, [two()[0], answer("porto", **model)])
    assert [a.site for a in good] == ["lyon"]
    assert [r.site for r in refused] == ["porto"]
    assert refused[0].reason.startswith(f"update refused: {reason}")


def test_an_update_without_an_array_is_refused():
    short = answer()
    del short.model["n"]
    assert "1 differ, such as 'n'" in sift(MODEL, [short])[1][0].reason


@pytest.mark.parametrize("weight", [-1.0, np.nan, np.inf, "many", None, [1.0, 2.0]])
def test_a_weight_that_is_none_is_refused(weight):
    assert "its weight must be a number >= 0" in sift(MODEL, [answer(weight=weight)])[1][0].reason


@pytest.mark.parametrize("loss", [np.nan, np.inf, None, "low"])
def test_a_training_loss_that_is_none_is_refused(loss):
    odd = answer()
    odd.figures["train-loss"] = loss
    assert "its training loss must be" in sift(MODEL, [odd])[1][0].reason
