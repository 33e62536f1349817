"""Scores and hazards cut to public ranges: how long a row is, and what is read of noised sums."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fusion.errors import FederationError
from fusion.survival.baseline import baseline_sums, breslow
from fusion.survival.bins import TimeGrid
from fusion.survival.bounded import (
    BRIER,
    LOSS,
    RISK,
    BoundedScores,
    bounded_hazards,
    bounded_scores,
    sane_baseline,
)
from fusion.survival.calibration import BrierSums

GRID = TimeGrid(100.0, 6)
ANY = st.floats(-1e300, 1e300) | st.sampled_from([0.0, -RISK, RISK, 50.0, -50.0])


@given(ANY, ANY, ANY)
def test_no_patient_has_a_longer_row_of_scores_than_is_said(risk, loss, brier):
    one = (np.array([value]) for value in (risk, loss, brier))
    risk, loss, brier = one
    for row in (bounded_scores(risk), bounded_scores(risk, loss=loss, brier=brier)):
        assert (np.abs(row) <= 1.0).all()


@given(ANY, st.floats(0.0, 1e6), st.booleans())
def test_no_patient_has_a_longer_row_of_hazards_than_is_said(risk, time, event):
    row = bounded_hazards(
        np.array([risk]), time=np.array([time]), event=np.array([event]), time_grid=GRID
    )
    assert np.abs(row).sum() <= 2.0
    assert np.linalg.norm(row) <= 2**0.5


def test_sums_without_noise_are_read_as_they_are():
    risk, loss, brier = np.array([1.0, -2.0]), np.array([0.5, 3.0]), np.array([0.25, 1.0])
    rows = bounded_scores(risk, loss=loss, brier=brier)
    found = BoundedScores.from_array(rows.sum(axis=0), 1e-9)
    assert found.moments.to_array() == pytest.approx([2.0, -1.0, 5.0])
    assert found.loss == pytest.approx([3.5, 2.0])
    # 0.25 + 1, and 0.0625 + 1
    assert found.brier.to_array() == pytest.approx([2.0, 1.25, 1.0625])


def test_a_loss_beyond_its_range_counts_as_the_end_of_it():
    rows = bounded_scores(np.array([99.0]), loss=np.array([99.0]), brier=np.array([99.0]))
    found = BoundedScores(rows.sum(axis=0), 0.0)
    assert found.loss.tolist() == [LOSS, 1.0]
    assert found.moments.to_array().tolist() == [1.0, RISK, RISK**2]
    assert found.brier.total == BRIER


@given(st.lists(st.floats(-100, 100), min_size=6, max_size=6))
def test_noised_sums_are_read_as_some_cohort_could_have_them(values):
    found = BoundedScores(np.array(values), 1.0)
    number, total, square = found.moments.to_array()
    assert number == 0 or number > 2
    assert abs(total) <= RISK * number
    assert total**2 / max(number, 1.0) <= square * (1 + 1e-9) <= RISK**2 * number * (1 + 1e-9)
    assert 0 <= found.loss[0] <= LOSS * found.loss[1]
    assert 0 <= found.brier.total <= BRIER * found.brier.count


def test_the_error_of_a_brier_score_holds_the_noise():
    # 100 patients, mean 2, spread 0; noise of variance 4 on the number and 36 on the sum:
    # (36 + 2^2 * 4) / 100^2 = 0.0052
    found = BrierSums(100.0, 200.0, 400.0, (4.0, 36.0)).estimate()
    assert found.standard_error == pytest.approx(0.0052**0.5)
    one = BrierSums(50.0, 100.0, 200.0, (4.0, 36.0)) + BrierSums(50.0, 100.0, 200.0)
    assert one.estimate().standard_error == found.standard_error


def test_a_baseline_without_noise_is_that_of_exact_sums():
    rng = np.random.default_rng(1)
    risk, time = rng.standard_normal(40) / 3, rng.exponential(300, 40)
    told = {"time": time, "event": rng.random(40) < 0.6, "time_grid": GRID}
    exact = breslow(baseline_sums(risk, **told), GRID)
    sums = bounded_hazards(risk, **told).sum(axis=0).reshape(3, GRID.count)
    found = breslow(sane_baseline(sums, 1e-9), GRID)
    assert found.cumulative_hazard == pytest.approx(exact.cumulative_hazard)


def test_a_noised_baseline_never_falls_and_is_flat_where_noise_drowns_it():
    rng = np.random.default_rng(1)
    for _ in range(20):
        found = breslow(sane_baseline(rng.standard_normal((3, 6)), 1.0), GRID)
        assert (np.diff(found.cumulative_hazard) >= 0).all()
    none = sane_baseline(np.array([[9.0] * 6, [0.1] * 6, [0.1] * 6]), 5.0)
    assert breslow(none, GRID).cumulative_hazard.tolist() == [0.0] * 6


@pytest.mark.parametrize("array", [np.zeros(5), np.full(4, np.nan)])
def test_scores_that_cannot_be_read_are_refused(array):
    with pytest.raises(FederationError, match="must be 3, 4 or 6 finite numbers"):
        BoundedScores.from_array(array, 1.0)
