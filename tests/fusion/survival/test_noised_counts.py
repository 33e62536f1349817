"""Figures of counts with noise: the exact ones without it, and intervals that hold with it."""

import numpy as np
import pytest

from fusion.errors import FederationError
from fusion.survival.bins import RiskGrid, TimeGrid
from fusion.survival.calibration import calibration
from fusion.survival.noised_counts import DROWNED, NoisedCounts, add_counts
from fusion.survival.tables import sane_table
from fusion.survival.tallies import count

GRID, RISKS = TimeGrid(100.0, 12), RiskGrid(0.0, 1.0, 6)


def cohort(number, seed, grid=GRID):
    """Exact counts of patients whose risk says something of their time."""
    rng = np.random.default_rng(seed)
    risk = rng.standard_normal(number)
    time = np.round(rng.exponential(500 * np.exp(-risk))) + 1.0
    return count(risk, time=time, event=rng.random(number) < 0.6, time_grid=grid, risk_grid=RISKS)


def noised(exact, deviation, seed=0):
    drawn = np.random.default_rng(seed).standard_normal(exact.counts.shape)
    return NoisedCounts(
        exact.counts + deviation * drawn, deviation, exact.time_grid, exact.risk_grid
    )


def near(value):
    return pytest.approx(value, rel=1e-4, abs=1e-4)


@pytest.mark.parametrize("grid", [GRID, TimeGrid(1.0, 400)], ids=["wide bins", "a day a bin"])
def test_almost_no_noise_gives_the_exact_figures(grid):
    exact = cohort(80, 1, grid)
    found = noised(exact, 1e-7)
    assert (found.patients, found.events) == (exact.patients, exact.events)
    censoring = exact.censoring_curve("test")
    tau = censoring.until()
    for one, two in (
        (found.concordance(), exact.concordance()),
        (found.uno(censoring, tau), exact.uno(censoring, tau)),
    ):
        for key, value in two.as_dict().items():
            assert one.as_dict()[key] == (near(value) if isinstance(value, float) else value)
    assert found.censoring_curve("test").survival == near(censoring.survival)
    assert found.logrank().statistic == near(exact.logrank().statistic)


def test_almost_no_noise_gives_the_exact_curves():
    exact = cohort(80, 1)
    found = noised(exact, 1e-7)
    for one, two in zip(found.groups(), exact.groups(), strict=True):
        assert (one.name, one.patients, one.events) == (two.name, two.patients, two.events)
        # a curve ends where nobody is at risk, the exact one a step later
        steps = len(one.curve.times)
        assert steps >= len(two.curve.times) - 1
        for name in ("times", "survival", "at_risk"):
            assert getattr(one.curve, name) == near(getattr(two.curve, name)[:steps])
        # Greenwood's error, from 100 draws and without the log-log scale
        told, known = (c.high - c.low for c in (one.curve, two.curve))
        assert told[4:-1] == pytest.approx(known[4 : steps - 1], rel=0.4)
    for one, two in zip(
        *(calibration(c, lambda r: 1 / (1 + np.exp(r)), horizon=300.0) for c in (found, exact)),
        strict=True,
    ):
        assert (one.predicted, one.observed.value) == (
            near(two.predicted),
            near(two.observed.value),
        )


def test_noise_does_not_move_the_mean_of_a_concordance_and_its_error_covers_it():
    exact = cohort(400, 3)
    told = [noised(exact, 2.0, seed).concordance().estimate for seed in range(200)]
    values = np.array([one.value for one in told])
    truth = exact.concordance().estimate
    noise = values.std()
    assert noise > 0.3 * truth.standard_error  # else there would be nothing to cover
    assert abs(values.mean() - truth.value) < 4 * noise / 200**0.5
    errors = np.array([one.standard_error for one in told])
    total = np.hypot(noise, truth.standard_error)
    # not below the true spread, and not far above: noise in the error itself
    assert total < np.median(errors) < 1.5 * total
    assert all(0.0 <= one.low <= one.value <= one.high <= 1.0 for one in told)


def test_curves_of_noised_counts_never_rise_and_their_intervals_are_wider():
    exact = cohort(400, 3)
    plain = exact.groups()
    for seed in range(5):
        for one, two in zip(noised(exact, 3.0, seed).groups(), plain, strict=True):
            curve, steps = one.curve, len(one.curve.times)
            assert (np.diff(curve.survival) <= 0).all()
            assert (np.diff(curve.at_risk) <= 0).all()
            assert ((curve.low >= 0) & (curve.low <= curve.survival)).all()
            assert ((curve.high <= 1) & (curve.high >= curve.survival)).all()
            width = (two.curve.high - two.curve.low)[:steps].mean()
            assert (curve.high - curve.low).mean() > width


def test_intervals_of_noised_curves_hold_the_exact_curve():
    exact = cohort(400, 3)
    held = []
    for seed in range(10):
        for one, two in zip(noised(exact, 3.0, seed).groups(), exact.groups(), strict=True):
            truth = two.curve.survival[: len(one.curve.times)]
            held += list((one.curve.low <= truth) & (truth <= one.curve.high))
    assert np.mean(held) > 0.9


def test_a_concordance_that_noise_drowns_is_none_with_a_reason():
    found = noised(cohort(10, 1), 50.0).concordance()
    assert (found.estimate.value, found.estimate.reason) == (None, DROWNED)


def test_sites_with_and_without_noise_add_up():
    first, second = cohort(50, 1), cohort(60, 2)
    both = add_counts([first, noised(second, 3.0), noised(first, 4.0)])
    assert both.deviation == 5.0  # 3^2 + 4^2 = 5^2
    exact = add_counts([first, second])
    assert exact.patients == 110
    assert not isinstance(exact, NoisedCounts)


def test_a_table_is_made_one_that_a_cohort_could_have():
    # at risk from the end: 2, 1, 4, 3.5 -> never falling 2, 2, 4, 4: leaving 0, 2, 0, 2
    table = np.array([[-1.0, 0.5], [1.0, 2.0], [-1.5, 0.5], [1.0, 1.0]])
    assert sane_table(table).tolist() == [[0.0, 0.0], [0.0, 2.0], [0.0, 0.0], [1.0, 1.0]]
    whole = np.array([[3.0, 2.0], [0.0, 1.0]])
    assert (sane_table(whole) == whole).all()


@pytest.mark.parametrize("shape", [(3, 2, 6), (13, 2, 5)])
def test_noised_counts_of_another_shape_are_refused(shape):
    with pytest.raises(FederationError, match=r"must be finite numbers of shape \(13, 2, 6\)"):
        NoisedCounts.from_array(np.zeros(shape), deviation=1.0, time_grid=GRID, risk_grid=RISKS)


def test_noised_counts_that_are_not_finite_are_refused():
    with pytest.raises(FederationError, match="must be finite numbers"):
        NoisedCounts.from_array(
            np.full((13, 2, 6), np.nan), deviation=1.0, time_grid=GRID, risk_grid=RISKS
        )
