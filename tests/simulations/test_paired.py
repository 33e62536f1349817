import numpy as np
import pytest
from scipy.stats import ttest_rel

from simulations.paired import mean_over_folds, paired_difference


def test_the_corrected_interval_by_hand():
    # differences .02 .00 .04 .02: mean .02, s^2 = (.0004 + .0004) / 3
    # four folds of 1 : 4 patients: SE = sqrt(.0008 / 3 (1/4 + 1/4)) = .011547
    # t(3, .975) = 3.182446, reach .036748
    first, second = np.array([0.82, 0.80, 0.84, 0.82]), np.full(4, 0.80)
    found = paired_difference(first, second, test_to_train=0.25)
    assert found.folds == 4
    assert found.mean == pytest.approx(0.02)
    assert found.standard_error == pytest.approx(0.011547, abs=1e-6)
    assert (found.low, found.high) == pytest.approx((-0.016748, 0.056748), abs=1e-6)


def test_without_correction_it_is_the_paired_t_interval_of_scipy():
    first, second = np.random.default_rng(3).normal(0.8, 0.05, (2, 12))
    found = paired_difference(first, second, test_to_train=0.0)
    theirs = ttest_rel(first, second).confidence_interval()
    assert (found.low, found.high) == pytest.approx((theirs.low, theirs.high))


def test_the_correction_widens_the_interval_as_nadeau_and_bengio_say():
    # five folds, one repeat: sqrt((1/5 + 1/4) / (1/5)) = 1.5 times the plain standard error
    first, second = np.random.default_rng(4).normal(0.8, 0.05, (2, 5))
    plain = paired_difference(first, second, test_to_train=0.0)
    corrected = paired_difference(first, second, test_to_train=0.25)
    assert corrected.standard_error == pytest.approx(1.5 * plain.standard_error)


def test_one_fold_has_a_difference_but_no_interval():
    found = paired_difference(np.array([0.7]), np.array([0.6]), test_to_train=0.25)
    assert found.mean == pytest.approx(0.1)
    assert (found.standard_error, found.low, found.high) == (None, None, None)


def test_no_fold_in_common_is_said_so():
    found = paired_difference(np.zeros(0), np.zeros(0), test_to_train=0.25)
    assert (found.folds, found.mean) == (0, None)


def test_a_figure_s_mean_has_the_interval_of_its_difference_from_nought():
    figures = np.random.default_rng(5).normal(0.1, 0.02, 5)
    alone = mean_over_folds(figures, test_to_train=0.25)
    assert alone == paired_difference(figures, np.zeros(5), test_to_train=0.25)
    assert alone.mean == pytest.approx(figures.mean())
