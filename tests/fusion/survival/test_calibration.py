import numpy as np
import pytest
from sksurv.metrics import brier_score, integrated_brier_score

from fusion.errors import FederationError
from fusion.survival.bins import RiskGrid, TimeGrid
from fusion.survival.calibration import BrierSums, brier_sums, calibration
from fusion.survival.curves import CensoringCurve, censoring_curve
from fusion.survival.tallies import count

NONE_CENSORED = CensoringCurve(np.array([0.0]), np.array([1.0]), "nobody")


def truth(some, times):
    return np.exp(-np.exp(some.log_hazard)[:, None] * times[None, :] / 1200.0)


def both(some, times):
    """Return our sums and scikit-survival's outcomes of the same patients."""
    curve = censoring_curve(some.time, event=some.event, source="here")
    known = {"time": some.time, "event": some.event, "times": times, "censoring": curve}
    theirs = np.array(list(zip(some.event, some.time, strict=True)), dtype="?,f8")
    return brier_sums(truth(some, times), **known), theirs


def test_integrated_brier_equals_scikit_survival(draw):
    some, times = draw(250), np.linspace(50.0, 2000.0, 25)
    sums, theirs = both(some, times)
    expected = integrated_brier_score(theirs, theirs, truth(some, times), times)
    assert sums.estimate().value == pytest.approx(expected, abs=1e-12)


def test_one_time_gives_the_brier_score_of_scikit_survival(draw):
    some, times = draw(250), np.array([730.5])
    sums, theirs = both(some, times)
    expected = brier_score(theirs, theirs, truth(some, times), times)[1][0]
    assert sums.estimate().value == pytest.approx(expected, abs=1e-12)


def test_brier_by_hand_without_censoring():
    # times 10, 20: patient dead at 15 with S = .8, .4: (.2^2 + .4^2) / 2 = .10
    #               patient alive at 20 with S = .9, .6: (.1^2 + .4^2) / 2 = .085
    sums = brier_sums(
        np.array([[0.8, 0.4], [0.9, 0.6]]),
        time=np.array([15.0, 99.0]),
        event=np.array([True, False]),
        times=np.array([10.0, 20.0]),
        censoring=NONE_CENSORED,
    )
    assert sums.estimate().value == pytest.approx((0.10 + 0.085) / 2)


def test_an_event_after_the_last_time_counts_as_alive_even_where_nobody_is_left_uncensored():
    # G falls to 0 on day 20; the death on day 30 is alive at day 10: (1 - .9)^2 / 1
    curve = CensoringCurve(np.array([0.0, 20.0]), np.array([1.0, 0.0]), "here")
    sums = brier_sums(
        np.array([[0.9]]),
        time=np.array([30.0]),
        event=np.array([True]),
        times=np.array([10.0]),
        censoring=curve,
    )
    assert sums.estimate().value == pytest.approx(0.01)


def test_the_censored_count_nothing_afterwards_and_others_for_them():
    # G = 1/2 from day 5 on: the death on day 8 and the survivor weigh 2 at day 10, (2 + 2) / 4 S
    curve = CensoringCurve(np.array([0.0, 5.0]), np.array([1.0, 0.5]), "here")
    sums = brier_sums(
        np.full((4, 1), 0.5),
        time=np.array([5.0, 5.0, 8.0, 20.0]),
        event=np.array([False, False, True, True]),
        times=np.array([10.0]),
        censoring=curve,
    )
    assert sums.total == pytest.approx(2 * 0.25 + 2 * 0.25)


def test_sums_of_two_sites_give_the_pooled_score(draw):
    some, times = draw(60), np.linspace(100.0, 1500.0, 8)
    curve = censoring_curve(some.time, event=some.event, source="all sites")
    predicted, parts = truth(some, times), []
    for part in (slice(None, 25), slice(25, None), slice(None)):
        known = {"time": some.time[part], "event": some.event[part]}
        parts.append(brier_sums(predicted[part], **known, times=times, censoring=curve))
    merged = (parts[0] + BrierSums.from_array(parts[1].to_array())).estimate()
    assert merged.as_dict() == pytest.approx(parts[2].estimate().as_dict())


def test_standard_error_agrees_with_the_bootstrap(draw):
    some, times, drawn = draw(200), np.linspace(100.0, 1500.0, 8), []
    curve = censoring_curve(some.time, event=some.event, source="here")
    predicted, rng = truth(some, times), np.random.default_rng(0)

    def score(rows):
        known = {"time": some.time[rows], "event": some.event[rows]}
        return brier_sums(predicted[rows], **known, times=times, censoring=curve).estimate()

    drawn = [score(rng.integers(0, 200, 200)).value for _ in range(300)]
    assert score(np.arange(200)).standard_error == pytest.approx(np.std(drawn), rel=0.12)


def test_the_true_curves_score_better_than_one_curve_for_all(draw):
    some, times = draw(400), np.linspace(100.0, 1500.0, 8)
    curve = censoring_curve(some.time, event=some.event, source="here")
    known = {"time": some.time, "event": some.event, "times": times, "censoring": curve}
    mean = np.broadcast_to(truth(some, times).mean(axis=0), (400, 8)).copy()
    best = brier_sums(truth(some, times), **known).estimate()
    assert best.high < brier_sums(mean, **known).estimate().value


@pytest.mark.parametrize(("count", "reason"), [(0.0, "no patients"), (1.0, "one patient")])
def test_too_few_patients_have_a_reason(count, reason):
    found = BrierSums(count, 0.2 * count, 0.04 * count).estimate()
    assert found.low is None
    assert reason in found.reason


@pytest.mark.parametrize("times", [[10.0, 30.0], []])
def test_times_past_the_end_of_the_censoring_are_refused(times):
    curve = CensoringCurve(np.array([0.0, 20.0]), np.array([1.0, 0.0]), "here")
    with pytest.raises(FederationError, match="must end while the censoring curve is above 0"):
        brier_sums(
            np.ones((2, len(times))),
            time=np.array([5.0, 20.0]),
            event=np.array([True, False]),
            times=np.array(times),
            censoring=curve,
        )


def test_predictions_that_are_not_finite_are_refused():
    with pytest.raises(FederationError, match="Predicted survival must be finite, got 1 of 2"):
        brier_sums(
            np.array([[0.5], [np.nan]]),
            time=np.ones(2),
            event=np.array([True, True]),
            times=np.array([1.0]),
            censoring=NONE_CENSORED,
        )


def tally(some):
    return count(
        some.log_hazard,
        time=some.time,
        event=some.event,
        time_grid=TimeGrid(91.3125, 60),
        risk_grid=RiskGrid(0.0, 1.0, 64),
    )


def test_true_survival_is_calibrated_in_every_group(draw):
    counts = tally(draw(3000))
    for horizon in (365.25, 1000.0, 1826.25):
        groups = calibration(
            counts, lambda risk, h=horizon: np.exp(-np.exp(risk) * h / 1200.0), horizon=horizon
        )
        assert sum(group.patients for group in groups) == 3000
        assert groups[0].name == "risk group 1 of 4"
        for group in groups:
            assert group.predicted == pytest.approx(group.observed.value, abs=0.04)


def test_survival_predicted_too_high_lies_outside_the_observed_interval(draw):
    groups = calibration(tally(draw(1000)), lambda risk: np.full(len(risk), 0.95), horizon=1095.75)
    assert all(group.predicted == pytest.approx(0.95) for group in groups)
    assert groups[-1].observed.high < 0.5


def test_nothing_is_observed_past_the_end_of_follow_up(draw):
    groups = calibration(tally(draw(200)), lambda risk: risk * 0, horizon=1e5, groups=2)
    found = groups[1].as_dict()
    assert (found["observed"], found["low"]) == (None, None)
    assert found["reason"] == "no follow-up to 100000 days"


def test_a_prediction_for_a_bin_that_is_not_finite_is_refused(draw):
    with pytest.raises(FederationError, match="Predicted survival must be finite"):
        calibration(tally(draw(50)), lambda risk: risk * np.nan, horizon=365.25)
