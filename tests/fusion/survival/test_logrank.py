import numpy as np
import pytest
from lifelines.statistics import multivariate_logrank_test
from scipy.stats import chi2

from fusion.survival.logrank import chi_square_tail, logrank


@pytest.mark.parametrize("groups", [2, 3, 5])
@pytest.mark.parametrize("whole_days", [True, False])
def test_logrank_equals_lifelines(draw, groups, whole_days):
    some = draw(120, whole_days=whole_days)
    group = np.random.default_rng(0).integers(0, groups, 120)
    found = logrank(some.time, event=some.event, group=group)
    other = multivariate_logrank_test(some.time, group, some.event)
    assert found.statistic == pytest.approx(other.test_statistic, rel=1e-9)
    assert found.p_value == pytest.approx(other.p_value, rel=1e-6)
    assert found.degrees == groups - 1


def test_a_weight_is_a_number_of_identical_patients(draw):
    some, rng = draw(40, whole_days=True), np.random.default_rng(0)
    weight, group = rng.integers(1, 4, 40), rng.integers(0, 2, 40)
    one = logrank(some.time, event=some.event, group=group, weight=weight.astype(float))
    every = [np.repeat(column, weight) for column in (some.time, some.event, group)]
    assert one.statistic == pytest.approx(
        logrank(every[0], event=every[1], group=every[2]).statistic
    )


@pytest.mark.parametrize(
    ("events", "groups", "reason"),
    [
        ([True] * 4, [0, 0, 0, 0], "fewer than two groups"),
        ([False] * 4, [0, 0, 1, 1], "no event"),
        ([True, True, False, False], [0, 0, 1, 1], None),
    ],
)
def test_groups_that_cannot_be_compared_have_a_reason(events, groups, reason):
    found = logrank(np.array([1.0, 2, 3, 4]), event=np.array(events), group=np.array(groups))
    assert (found.statistic is None) == (reason is not None)
    assert reason is None or reason in found.reason


def test_groups_that_are_never_at_risk_together_have_a_reason():
    time, event = np.array([1.0, 1.0, 5.0, 6.0]), np.array([False, False, True, True])
    found = logrank(time, event=event, group=np.array([0, 0, 1, 1]))
    assert found.as_dict()["statistic"] is None
    assert found.reason == "the groups are never at risk together"


@pytest.mark.parametrize("degrees", [1, 2, 3, 4, 9])
@pytest.mark.parametrize("statistic", [0.0, 0.3, 4.0, 60.0])
def test_chi_square_tail_equals_scipy(statistic, degrees):
    expected = chi2.sf(statistic, degrees)
    assert chi_square_tail(statistic, degrees=degrees) == pytest.approx(expected, rel=1e-9)
