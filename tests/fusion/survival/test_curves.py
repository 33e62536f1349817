import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from lifelines import KaplanMeierFitter

from fusion.survival.curves import censoring_curve, kaplan_meier


def yes(*values):
    return np.array(values, dtype=bool)


def test_kaplan_meier_by_hand():
    # day 1: 1 of 4 dies; day 2: 1 of 3 dies and 1 is censored after it; day 3: the last dies
    curve = kaplan_meier(np.array([1.0, 2.0, 2.0, 3.0]), event=yes(1, 1, 0, 1))
    np.testing.assert_allclose(curve.times, [0, 1, 2, 3])
    np.testing.assert_allclose(curve.survival, [1, 3 / 4, 3 / 4 * 2 / 3, 0])
    np.testing.assert_allclose(curve.at_risk, [4, 4, 3, 1])
    assert curve.median() == 2.0


@pytest.mark.parametrize("whole_days", [True, False])
def test_kaplan_meier_and_its_interval_equal_lifelines(draw, whole_days):
    some = draw(150, whole_days=whole_days)
    curve = kaplan_meier(some.time, event=some.event)
    fitted = KaplanMeierFitter().fit(some.time, some.event)
    np.testing.assert_allclose(curve.survival, fitted.survival_function_.iloc[:, 0], atol=1e-12)
    inside = (curve.survival > 0) & (curve.survival < 1)
    mine = np.stack([curve.low, curve.high], axis=1)[inside]
    np.testing.assert_allclose(mine, fitted.confidence_interval_.to_numpy()[inside], atol=1e-9)


def test_a_weight_is_a_number_of_identical_patients(draw):
    some, weight = draw(40, whole_days=True), np.random.default_rng(0).integers(0, 4, 40)
    one = kaplan_meier(some.time, event=some.event, weight=weight.astype(float))
    many = kaplan_meier(np.repeat(some.time, weight), event=np.repeat(some.event, weight))
    np.testing.assert_allclose(one.at(many.times), many.survival)
    assert one.at_risk[0] == weight.sum()


@given(st.lists(st.tuples(st.integers(0, 6), st.booleans()), min_size=0, max_size=20))
def test_curves_fall_within_their_interval_and_hold_no_nan(rows):
    time = np.array([row[0] for row in rows], dtype=float)
    curve = kaplan_meier(time, event=yes(*(row[1] for row in rows)))
    assert (np.diff(curve.survival) <= 0).all()
    assert (curve.low <= curve.survival + 1e-12).all()
    assert (curve.survival <= curve.high + 1e-12).all()
    assert all(np.isfinite(line).all() for line in (curve.low, curve.high))


def test_at_survival_0_the_interval_keeps_its_last_upper_end():
    curve = kaplan_meier(np.array([1.0, 2.0, 3.0]), event=yes(1, 1, 1))
    assert curve.survival[-1] == curve.low[-1] == 0.0
    assert curve.high[-1] == curve.high[-2] < 1.0


def test_survival_is_read_just_after_a_time():
    curve = kaplan_meier(np.array([1.0, 2.0]), event=yes(1, 1))
    np.testing.assert_allclose(curve.at(np.array([0.0, 0.9, 1.0, 5.0])), [1, 1, 0.5, 0])


def test_median_is_none_when_most_survive():
    assert kaplan_meier(np.array([1.0, 2.0, 3.0]), event=yes(1, 0, 0)).median() is None


def test_censoring_curve_is_read_just_before_a_time_and_lets_events_go_first():
    # day 2: an event and a censoring; the event has left, so 1 of 2 is censored
    curve = censoring_curve(np.array([1.0, 2.0, 2.0, 3.0]), event=yes(1, 1, 0, 0), source="here")
    np.testing.assert_allclose(curve.at(np.array([0.0, 2.0, 2.5, 3.0])), [1, 1, 0.5, 0.5])
    np.testing.assert_allclose(curve.after(np.array([0.0, 2.0, 3.0])), [1, 0.5, 0])


def test_censoring_curve_equals_lifelines_with_events_turned(draw):
    some = draw(100)
    curve = censoring_curve(some.time, event=some.event, source="here")
    fitted = KaplanMeierFitter().fit(some.time, ~some.event)
    np.testing.assert_allclose(curve.survival, fitted.survival_function_.iloc[:, 0], atol=1e-12)


def test_censoring_can_be_relied_on_until_too_few_remain():
    time = np.arange(1.0, 11.0)
    curve = censoring_curve(time, event=np.zeros(10, dtype=bool), source="here")
    assert curve.until(0.45) == 6.0  # after day 6 G = 4/10
    assert censoring_curve(time, event=np.ones(10, dtype=bool), source="here").until() == 10.0


def test_curve_is_ready_for_json():
    found = kaplan_meier(np.array([1.0, 2.0]), event=yes(1, 0)).as_dict()
    assert found["time"] == [0.0, 1.0, 2.0]
    assert found["survival"] == [1.0, 0.5, 0.5]
