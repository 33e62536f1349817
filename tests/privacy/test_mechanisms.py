"""Noisy sums: what a patient moves them by, and how much noise there is."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from privacy.errors import PrivacyError
from privacy.events import PrivacyEvent
from privacy.mechanisms import Cells, Noise, Vectors, noisy_sums

GAUSSIAN, LAPLACE = Noise("gaussian", 2.0), Noise("laplace", 2.0)

ADVERSARIAL = st.sampled_from(
    [0.0, -0.0, 1.0, -1.0, 1e-300, 1e300, -1e300, np.inf, -np.inf, np.nan, 1e17]
)
NUMBERS = st.one_of(ADVERSARIAL, st.floats(-10, 10))


class Silence:
    """No noise at all: what is left is the sum that noise would hide."""

    def uniform(self, number):
        return np.zeros(number)

    def normal(self, number):
        return np.zeros(number)


def released(noise, first, second, cells):
    """A joint release of three parts, without its noise, each part in lengths of its bound."""
    parts = {
        "first": Vectors(np.array(first, dtype=np.float64).reshape(-1, 2), 0.5),
        "second": Vectors(np.array(second, dtype=np.float64).reshape(-1, 3), 7.0),
        "cells": Cells(np.array(cells, dtype=np.int64), 4),
    }
    sums = noisy_sums(parts, noise, Silence())
    return np.concatenate([sums[name].values / parts[name].bound for name in parts])


patients = st.lists(
    st.tuples(
        st.tuples(NUMBERS, NUMBERS),
        st.tuples(NUMBERS, NUMBERS, NUMBERS),
        st.integers(0, 3),
    ),
    min_size=1,
    max_size=6,
)


@pytest.mark.parametrize("noise", [GAUSSIAN, LAPLACE])
@given(cohort=patients)
def test_one_patient_moves_a_joint_release_by_its_sensitivity_at_most(noise, cohort):
    columns = list(zip(*cohort, strict=True))
    with_all = released(noise, *columns)
    fewer = released(noise, *(column[:-1] for column in columns))
    moved = noise.length((with_all - fewer)[None, :])[0]
    # three parts of length 1: sqrt(3) in the L2 norm, 3 in the L1 norm
    assert moved <= {"gaussian": 3**0.5, "laplace": 3.0}[noise.mechanism] * (1 + 1e-9)


def test_the_bound_is_reached_so_that_less_noise_would_be_too_little():
    rows = ([(3.0, 4.0)], [(0.0, 0.0, 100.0)], [2])
    assert GAUSSIAN.length(released(GAUSSIAN, *rows)[None])[0] == pytest.approx(3**0.5)
    assert LAPLACE.length(released(LAPLACE, *rows)[None])[0] == pytest.approx(3.0)


def test_a_patient_with_a_value_that_is_not_finite_counts_as_nobody():
    rows = np.array([[1.0, 2.0], [np.nan, 1.0], [np.inf, 0.0]])
    found = noisy_sums({"sum": Vectors(rows, 10.0)}, GAUSSIAN, Silence())["sum"]
    assert found.values.tolist() == [1.0, 2.0]


@pytest.mark.parametrize(
    ("noise", "shape"),
    [(GAUSSIAN, stats.norm(scale=2 * 2**0.5 * 5)), (LAPLACE, stats.laplace(scale=2 * 2 * 5))],
)
def test_noise_has_the_law_and_the_deviation_it_says(noise, shape):
    # two parts: multiplier 2, sensitivity sqrt(2) or 2, bound 5
    parts = {"a": Vectors(np.zeros((1, 20_000)), 5.0), "b": Cells(np.zeros(0, np.int64), 1)}
    found = noisy_sums(parts, noise)["a"]
    assert found.deviation == pytest.approx(shape.std())
    assert found.values.std() == pytest.approx(found.deviation, rel=0.05)
    assert stats.kstest(found.values, shape.cdf).pvalue > 1e-6


def test_numbers_of_one_release_have_noise_of_their_own():
    parts = {"a": Cells(np.zeros(0, np.int64), 5_000), "b": Cells(np.zeros(0, np.int64), 5_000)}
    found = noisy_sums(parts, GAUSSIAN)
    assert abs(np.corrcoef(found["a"].values, found["b"].values)[0, 1]) < 0.1
    again = noisy_sums(parts, GAUSSIAN)
    assert not (again["a"].values == found["a"].values).any()


def test_almost_no_noise_leaves_the_sum():
    rows = np.array([[0.25, 0.5], [0.5, -0.25]])
    parts = {"sum": Vectors(rows, 1.0), "cells": Cells(np.array([1, 1, 0]), 3)}
    found = noisy_sums(parts, Noise("gaussian", 1e-9))
    assert found["sum"].values == pytest.approx([0.75, 0.25], abs=1e-7)
    assert found["cells"].values == pytest.approx([1.0, 2.0, 0.0], abs=1e-7)


def test_a_noise_is_read_as_an_officer_writes_it():
    assert Noise.parse("laplace:0.5") == Noise("laplace", 0.5)
    assert Noise.parse("gaussian:12").event(4) == PrivacyEvent("gaussian", 12.0, count=4)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("gaussian:4:2", r"must be mechanism:multiplier .* follows from the run"),
        ("gaussian", "must be mechanism:multiplier"),
        ("normal:4", "must be mechanism:noise_multiplier"),
        ("gaussian:0", "must be a number > 0"),
        ("gaussian:x", "must be mechanism:noise_multiplier"),
    ],
)
def test_a_noise_that_is_none_is_refused(text, told):
    with pytest.raises(PrivacyError, match=told):
        Noise.parse(text)
