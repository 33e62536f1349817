import numpy as np
import pytest

from fusion.config import FederationConfig
from server.aggregation import Aggregator, sift
from server.controls import Controls
from server.inbox import Answer

MODEL = {"w": np.zeros(2, np.float32), "n": np.array(4)}
WEIGHTS = {"lyon": 3.0, "porto": 1.0}


def answer(site, w, *, weight=None, control=None):
    figures = {"num-examples": WEIGHTS[site] if weight is None else weight}
    figures |= {"train-loss": 0.1, "steps": 2}
    model = {"w": np.asarray(w, np.float32), "n": np.array(4)}
    sent = {"w": np.zeros(2, np.float32)} if control is None else control
    return Answer(site, {}, figures, {}, model, control=sent)


def control(*values):
    return {"w": np.array(values, np.float32)}


def scaffold(weights=None):
    config = FederationConfig(strategy="scaffold")
    return Aggregator(config, parameters={"w"}, weights=weights or WEIGHTS)


def test_nobody_is_corrected_before_the_first_round():
    found = Controls(WEIGHTS, {"w"}).corrections(MODEL)
    assert set(found) == {"lyon", "porto"}
    for sent in found.values():
        assert set(sent) == {"w"}
        assert sent["w"].dtype == np.float32
        assert not sent["w"].any()


def test_a_correction_is_what_the_others_have_more():
    controls = Controls(WEIGHTS, {"w"})
    controls.take([answer("lyon", [0, 0], control=control(1, 0))])
    controls.take([answer("porto", [0, 0], control=control(5, 2))])
    # c = 3/4 (1, 0) + 1/4 (5, 2) = (2, .5)
    found = controls.corrections(MODEL)
    np.testing.assert_array_equal(found["lyon"]["w"], [1, 0.5])
    np.testing.assert_array_equal(found["porto"]["w"], [-3, -1.5])


def test_corrections_cancel_in_the_average_of_the_models():
    controls, rng = Controls(WEIGHTS, {"w"}), np.random.default_rng(1)
    controls.take([answer(s, [0, 0], control=control(*rng.normal(size=2))) for s in WEIGHTS])
    found = controls.corrections(MODEL)
    np.testing.assert_allclose(0.75 * found["lyon"]["w"] + 0.25 * found["porto"]["w"], 0, atol=1e-7)


def test_a_silent_site_keeps_its_control_as_in_the_paper():
    """With equal shares c moves by |S| / N times the mean change of those who answered."""
    controls = Controls({"a": 1.0, "b": 1.0, "c": 1.0, "d": 1.0}, {"w"})
    first = {"a": 1.0, "b": 2.0, "c": 3.0, "d": 6.0}
    controls.take([Answer(s, {}, {}, {}, {}, control=control(v, 0)) for s, v in first.items()])
    before = controls.corrections(MODEL)["d"]["w"] + control(6, 0)["w"]
    second = {"a": 2.0, "c": 0.0}
    controls.take([Answer(s, {}, {}, {}, {}, control=control(v, 0)) for s, v in second.items()])
    after = controls.corrections(MODEL)["d"]["w"] + control(6, 0)["w"]
    # half of the sites answered, their controls changed by 1 and -3
    np.testing.assert_allclose(after - before, [2 / 4 * (1 - 3) / 2, 0])


def test_control_variates_come_back_from_a_checkpoint():
    one = scaffold({"lyon/a|b": 3.0, "porto": 1.0})
    update = answer("porto", [1, 1], control=control(1, 2))
    one.join(1, MODEL, [update])
    two = scaffold({"lyon/a|b": 3.0, "porto": 1.0})
    two.moments = {name: value.copy() for name, value in one.moments.items()}
    assert two.moments.keys() == one.moments.keys() == {"c/porto/w"}
    for site, sent in one.corrections(MODEL).items():
        np.testing.assert_array_equal(sent["w"], two.corrections(MODEL)[site]["w"])


def test_an_update_without_weight_leaves_no_control():
    aggregator = scaffold()
    aggregator.join(1, MODEL, [answer("lyon", [1, 1], weight=0.0, control=control(9, 9))])
    assert aggregator.moments == {}


def test_other_strategies_correct_nobody():
    plain = Aggregator(FederationConfig(), parameters={"w"}, weights=WEIGHTS)
    assert plain.corrections(MODEL) == {}


@pytest.mark.parametrize(
    ("sent", "reason"),
    [
        ({}, "its arrays must be those of the model, 1 differ, such as 'w'"),
        ({"x": np.zeros(2, np.float32)}, "2 differ, such as 'w'"),
        ({"w": np.zeros(3, np.float32)}, "'w' must be float32 of shape (2,), got"),
        ({"w": np.zeros(2)}, "'w' must be float32 of shape (2,), got float64"),
        (control(0, np.nan), "'w' holds values that are not finite"),
        (control(np.inf, 0), "'w' holds values that are not finite"),
    ],
)
def test_a_control_that_does_not_fit_refuses_the_whole_update(sent, reason):
    corrections = scaffold().corrections(MODEL)
    updates = [answer("lyon", [1, 1]), answer("porto", [1, 1], control=sent)]
    good, refused = sift(MODEL, updates, corrections)
    assert [one.site for one in good] == ["lyon"]
    assert refused[0].reason.startswith("update refused: control variate: ")
    assert reason in refused[0].reason


def test_a_control_that_nobody_asked_for_is_refused():
    _, refused = sift(MODEL, [answer("lyon", [1, 1], control=control(0, 0))])
    assert "control variate: its arrays must be those" in refused[0].reason


def descend(strategy, bowls, rounds, *, steps=10, rate=0.1):
    """Each site walks down its own bowl (w - low)' H (w - low) / 2."""
    config = FederationConfig(strategy=strategy)
    aggregator = Aggregator(config, parameters={"w"}, weights=WEIGHTS)
    model = {"w": np.zeros(2, np.float64), "n": np.array(4)}
    for number in range(1, rounds + 1):
        corrections, answers = aggregator.corrections(model), []
        for site, (steepness, low) in bowls.items():
            w, pull, seen = model["w"].copy(), corrections.get(site, {"w": 0.0})["w"], []
            for _ in range(steps):
                seen.append(steepness @ (w - low))
                w -= rate * (seen[-1] + pull)
            told = answer(site, w, control={"w": np.mean(seen, axis=0)})
            answers.append(Answer(**{**vars(told), "model": {"w": w, "n": model["n"]}}))
        model = aggregator.join(number, model, answers)
    return model["w"]


def test_sites_that_differ_meet_in_the_weighted_optimum():
    """FedAvg stops beside it, because each site runs towards its own."""
    bowls = {
        "lyon": (np.diag([1.0, 3.0]), np.array([1.0, 0.0])),
        "porto": (np.diag([6.0, 0.5]), np.array([-1.0, 2.0])),
    }
    total = 0.75 * bowls["lyon"][0] + 0.25 * bowls["porto"][0]
    pulls = (
        0.75 * bowls["lyon"][0] @ bowls["lyon"][1] + 0.25 * bowls["porto"][0] @ bowls["porto"][1]
    )
    optimum = np.linalg.solve(total, pulls)
    np.testing.assert_allclose(descend("scaffold", bowls, 200), optimum, atol=1e-9)
    assert np.abs(descend("fedavg", bowls, 200) - optimum).max() > 0.1


def test_sites_that_are_alike_do_as_in_fedavg():
    bowls = dict.fromkeys(WEIGHTS, (np.diag([1.0, 3.0]), np.array([1.0, 0.5])))
    np.testing.assert_allclose(
        descend("scaffold", bowls, 5), descend("fedavg", bowls, 5), rtol=1e-12
    )
