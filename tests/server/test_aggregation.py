import numpy as np
import pytest

from fusion.config import FederationConfig
from fusion.errors import ConfigError
from server.aggregation import STRATEGIES, Aggregator, sift
from server.inbox import Answer

MODEL = {"w": np.array([[1.0, 2.0]], np.float32), "n": np.array(4)}


def answer(site="lyon", weight=1.0, **model):
    arrays = {"w": np.zeros((1, 2), np.float32), "n": np.array(4)} | model
    return Answer(site, {}, {"num-examples": weight, "train-loss": 0.1, "steps": 2}, {}, arrays)


def two():
    return [
        answer("lyon", 3.0, w=np.array([[1.0, 4.0]], np.float32)),
        answer("porto", 1.0, w=np.array([[5.0, 0.0]], np.float32)),
    ]


@pytest.mark.parametrize("strategy", ["fedavg", "fedprox"])
def test_averages_are_weighted(strategy):
    # weights 3 and 1: a quarter of 3 + 5, and of 12 + 0
    joined = Aggregator(FederationConfig(strategy=strategy)).join(1, MODEL, two())
    np.testing.assert_allclose(joined["w"], [[2, 3]])


def test_fedadam_steps_from_the_current_model():
    # The average lies one away: the first moment is a tenth of that, the second a hundredth.
    # Flower's step is server_lr times first / (root of second + .001), corrected for round 1.
    joined = Aggregator(FederationConfig(strategy="fedadam", server_lr=0.5)).join(1, MODEL, two())
    step = 0.5 * 0.1 / 0.101 * np.sqrt(1 - 0.99**2) / (1 - 0.9**2)
    np.testing.assert_allclose(joined["w"] - MODEL["w"], [[step, step]], rtol=1e-5)


@pytest.mark.parametrize("strategy", list(STRATEGIES))
def test_every_strategy_keeps_names_shapes_and_types(strategy):
    joined = Aggregator(FederationConfig(strategy=strategy)).join(1, MODEL, two())
    assert {k: (v.shape, v.dtype) for k, v in joined.items()} == {
        k: (v.shape, v.dtype) for k, v in MODEL.items()
    }
    assert list(joined) == list(MODEL)


@pytest.mark.parametrize("strategy", ["fedadam", "fedyogi"])
def test_moments_carry_on_where_they_were(strategy):
    config = FederationConfig(strategy=strategy)
    straight, first = Aggregator(config), Aggregator(config)
    after_one = straight.join(1, MODEL, two())
    expected = straight.join(2, after_one, two()[:1])
    first.join(1, MODEL, two())
    second = Aggregator(config)
    second.moments = {name: value.copy() for name, value in first.moments.items()}
    found = second.join(2, after_one, two()[:1])
    assert all((found[name] == expected[name]).all() for name in MODEL)


def test_an_average_has_no_memory():
    aggregator = Aggregator(FederationConfig())
    aggregator.join(1, MODEL, two())
    assert aggregator.moments == {}


@pytest.mark.parametrize("strategy", list(STRATEGIES))
@pytest.mark.parametrize("answers", [[], [answer(weight=0.0)]], ids=["none", "weightless"])
def test_without_weight_the_model_stays(strategy, answers):
    joined = Aggregator(FederationConfig(strategy=strategy)).join(1, MODEL, answers)
    assert all((joined[name] == MODEL[name]).all() for name in MODEL)


def test_a_weightless_update_does_not_count():
    joined = Aggregator(FederationConfig()).join(1, MODEL, [*two(), answer("graz", 0.0)])
    np.testing.assert_allclose(joined["w"], [[2, 3]])


def test_an_unknown_strategy_names_the_nearest():
    with pytest.raises(ConfigError, match=r"federation\.strategy must be .*'fedavgg'.*'fedavg'"):
        Aggregator(FederationConfig(strategy="fedavgg"))


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
