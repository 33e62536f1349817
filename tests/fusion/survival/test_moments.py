import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fusion.errors import FederationError
from fusion.survival.moments import MomentSums, moments

RISKS = st.lists(st.floats(-50, 50), max_size=12)


@given(RISKS, RISKS)
def test_sums_of_two_sites_are_the_moments_of_both(one, other):
    both, pooled = np.array(one + other), moments(np.array(one)) + moments(np.array(other))
    assert pooled.centre == pytest.approx(both.mean() if len(both) else 0.0)
    assert pooled.scale == pytest.approx(both.std() if len(both) else 0.0, abs=1e-4)


def test_risks_all_alike_have_no_scale():
    assert moments(np.full(7, 0.1)).scale == 0.0


def test_moments_cross_the_wire_unchanged():
    sums = moments(np.array([0.5, -2.0]))
    assert MomentSums.from_array(sums.to_array()) == sums


def test_moments_that_are_not_finite_are_refused():
    with pytest.raises(FederationError, match="Risk must be finite, got 1 of 2"):
        moments(np.array([np.inf, 1.0]))
    with pytest.raises(FederationError, match="Risk moments must be finite, got 1 of 3"):
        MomentSums.from_array(np.array([1.0, np.nan, 1.0]))
