"""Inputs of bounded length, and what is read of their noised sums."""

import numpy as np
import pytest

from fusion.readers.bounded_inputs import (
    bounded_inputs,
    input_bound,
    noise_variances,
    unscaled,
)
from fusion.readers.scaling import ScalingSums


def z_scores(patients=400, features=30):
    return np.random.default_rng(1).standard_normal((patients, features)) * 1.5 + 0.4


def test_sums_of_rows_are_number_sum_and_squares():
    values = np.array([[1.0, -2.0], [3.0, np.nan]])
    found = unscaled(bounded_inputs(values).sum(axis=0))
    assert found == pytest.approx(np.array([[2.0, 2.0], [4.0, -2.0], [10.0, 4.0]]))


def test_rows_of_z_scores_are_seldom_cut():
    rows = bounded_inputs(np.random.default_rng(1).standard_normal((500, 50)))
    assert np.linalg.norm(rows, axis=1).mean() == pytest.approx(2**0.5, rel=0.05)
    bound = input_bound(rows, lambda k: k**0.5)
    assert bound == 2.0
    assert (np.linalg.norm(rows, axis=1) > bound).mean() < 0.01


def noised(values, deviation, seed=1):
    sums = bounded_inputs(values).sum(axis=0)
    drawn = np.random.default_rng(seed).standard_normal(len(sums))
    return ScalingSums.from_array(
        unscaled(sums + deviation * drawn), noise_variances(values.shape[1], deviation)
    )


def test_almost_no_noise_gives_the_exact_statistics():
    values = z_scores()
    mean, sd = noised(values, 1e-9).moments()
    assert mean == pytest.approx(values.mean(axis=0))
    assert sd == pytest.approx(values.std(axis=0))


def test_noise_on_the_wire_has_the_variance_that_is_said():
    values = z_scores()
    exact = noised(values, 1e-12)
    told = [noised(values, 2.0, seed) for seed in range(300)]
    for name, variance in zip(("count", "total", "square"), told[0].noise, strict=True):
        spread = np.var([getattr(one, name) - getattr(exact, name) for one in told])
        assert spread == pytest.approx(variance, rel=0.25)


def test_a_statistic_within_its_noise_is_that_of_z_scores():
    mean, sd = noised(z_scores(patients=40), 4.0).moments()
    assert (np.isclose(mean, 0.0) | (np.abs(mean) > 0.4)).all()
    assert np.isfinite(sd).all()
    assert (sd > 0).all()
    none = noised(z_scores(patients=3), 50.0)
    assert not none.count.any()
