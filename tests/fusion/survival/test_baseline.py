import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from lifelines import CoxPHFitter

from fusion.errors import FederationError
from fusion.survival.baseline import Baseline, BaselineSums, baseline_sums, breslow
from fusion.survival.bins import TimeGrid

PATIENT = st.tuples(st.floats(-3, 3), st.integers(0, 9), st.booleans())


def lifelines_breslow(some):
    """Return log hazards and Breslow's cumulative baseline as lifelines fits them."""
    table = pd.DataFrame({"x": some.log_hazard, "time": some.time, "event": some.event})
    fitted = CoxPHFitter(baseline_estimation_method="breslow").fit(table, "time", "event")
    log_hazard = fitted.params_["x"] * (some.log_hazard - some.log_hazard.mean())
    return log_hazard, fitted.baseline_cumulative_hazard_.iloc[:, 0]


def fit(log_hazard, some, step, bins):
    grid = TimeGrid(step, bins)
    sums = baseline_sums(log_hazard, time=some.time, event=some.event, time_grid=grid)
    return breslow(sums, grid)


def test_baseline_by_hand():
    # risk set at the start: exp(0) + exp(0) + exp(log 2) = 4, one event, half of one censored
    grid, event = TimeGrid(100.0, 3), np.array([True, False, False])
    log_hazard, time = np.array([0.0, 0.0, np.log(2.0)]), np.array([20.0, 60.0, 150.0])
    found = breslow(baseline_sums(log_hazard, time=time, event=event, time_grid=grid), grid)
    np.testing.assert_allclose(found.times, [0.0, 100.0, 200.0])
    np.testing.assert_allclose(found.cumulative_hazard, [0.0, 1 / 3.5, 1 / 3.5])


def test_baseline_equals_lifelines_as_the_grid_gets_fine(draw):
    some = draw(300, seed=4)
    log_hazard, exact = lifelines_breslow(some)
    gaps = []
    for step, bins in ((91.3125, 130), (10.0, 1200), (1.01, 12_000)):
        found = fit(log_hazard, some, step, bins)
        days = found.times[found.times < 3000]
        at = exact.to_numpy()[np.searchsorted(exact.index, days, side="right") - 1]
        at = np.where(days < exact.index[0], 0.0, at)
        gaps.append(abs(found.cumulative_hazard[: len(days)] - at).max())
    assert gaps[0] < 0.03
    assert gaps[2] < 1e-3 < gaps[1] < gaps[0]


def test_baseline_on_a_grid_of_days_equals_lifelines_with_ties(draw):
    some = draw(200, seed=2, whole_days=True)
    log_hazard, exact = lifelines_breslow(some)
    found = fit(log_hazard, some, 1.0, int(some.time.max()) + 3)
    after = found.cumulative_hazard[exact.index.astype(int) + 1]
    np.testing.assert_allclose(after, exact, rtol=1e-9)


def test_quarters_bias_the_baseline_less_than_the_risk_set_at_their_start(draw):
    mine, start = [], []
    for seed in range(10):
        some = draw(300, seed=seed)
        log_hazard, exact = lifelines_breslow(some)
        grid = TimeGrid(182.625, 30)
        sums = baseline_sums(log_hazard, time=some.time, event=some.event, time_grid=grid)
        at = exact.to_numpy()[np.searchsorted(exact.index, 1826.25) - 1]
        mine.append(breslow(sums, grid).cumulative_hazard[10] / at - 1)
        start.append((sums.events[:10] / sums.hazard_mass[:10]).sum() / at - 1)
    assert abs(np.mean(mine)) < 0.02
    assert np.mean(start) < -0.08


@given(st.lists(PATIENT, min_size=1, max_size=15), st.integers(0, 15))
def test_the_sum_of_two_sites_is_the_baseline_of_both(rows, cut):
    log_hazard, time, event = (np.array(column) for column in zip(*rows, strict=True))
    grid, time = TimeGrid(2.0, 6), time.astype(float)
    one, other, both = (
        baseline_sums(log_hazard[part], time=time[part], event=event[part], time_grid=grid)
        for part in (slice(None, cut), slice(cut, None), slice(None))
    )
    np.testing.assert_allclose((one + other).to_array(), both.to_array())


@pytest.mark.parametrize("shift", [0.0, 300.0])
def test_extreme_log_hazards_stay_finite(shift):
    log_hazard = np.array([500.0, -500.0, 0.0]) + shift
    time, event, grid = np.array([1.0, 2.0, 3.0]), np.array([True] * 3), TimeGrid(1.0, 5)
    sums = baseline_sums(log_hazard, time=time, event=event, time_grid=grid, shift=shift)
    survival = breslow(sums, grid).survival(log_hazard, np.array([0.5, 2.5]))
    assert np.isfinite(survival).all()
    assert ((survival >= 0) & (survival <= 1)).all()


def test_a_shift_changes_no_survival(draw):
    some, grid, known = draw(80), TimeGrid(91.3125, 40), []
    for shift in (0.0, 7.0):
        sums = baseline_sums(
            some.log_hazard, time=some.time, event=some.event, time_grid=grid, shift=shift
        )
        known.append(breslow(sums, grid).survival(some.log_hazard, np.array([365.25, 1000.0])))
    np.testing.assert_allclose(known[0], known[1], rtol=1e-9)


def test_survival_is_even_between_edges_and_flat_past_the_grid():
    found = Baseline(np.array([0.0, 100.0, 200.0]), np.array([0.0, 0.2, 0.6]))
    survival = found.survival(np.array([0.0, np.log(2.0)]), np.array([0.0, 50.0, 200.0, 900.0]))
    np.testing.assert_allclose(survival[0], np.exp([0.0, -0.1, -0.6, -0.6]))
    np.testing.assert_allclose(survival[1], np.exp([0.0, -0.2, -1.2, -1.2]))


def test_without_events_everybody_survives():
    grid, none = TimeGrid(91.3125, 8), np.array([False, False])
    sums = baseline_sums(np.zeros(2), time=np.array([0.0, 50.0]), event=none, time_grid=grid)
    np.testing.assert_array_equal(breslow(sums, grid).survival(np.zeros(2), np.array([900.0])), 1)


def test_those_censored_on_day_0_were_never_at_risk():
    grid, event = TimeGrid(91.3125, 8), np.array([False, True])
    sums = baseline_sums(np.zeros(2), time=np.array([0.0, 50.0]), event=event, time_grid=grid)
    assert sums.hazard_mass[0] == 1.0


def test_nobody_gives_empty_sums():
    none = np.zeros(0)
    sums = baseline_sums(none, time=none, event=none > 0, time_grid=TimeGrid(30.0, 4))
    assert sums.to_array().sum() == 0.0


def test_sums_that_are_not_finite_are_refused():
    with pytest.raises(FederationError, match="Baseline sums must be finite, got 1 of 12"):
        BaselineSums.from_array(np.where(np.arange(12).reshape(3, 4) == 5, np.nan, 1.0))
    one = np.array([np.nan])
    with pytest.raises(FederationError, match="Log hazard must be finite, got 1 of 1"):
        baseline_sums(one, time=np.ones(1), event=np.array([True]), time_grid=TimeGrid(30.0, 4))
