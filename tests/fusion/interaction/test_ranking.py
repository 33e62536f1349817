import numpy as np
import pytest
from lifelines.utils import concordance_index

from fusion.interaction.ranking import ranked
from fusion.survival.concordance import concordance


@pytest.mark.parametrize("modalities", [2, 3])
def test_concordant_pairs_are_those_of_lifelines(cohort_of, modalities):
    cohort = cohort_of(60, modalities=modalities)
    pairs, concordant, _ = ranked(cohort.values, time=cohort.time, event=cohort.event)
    mains = [cohort.values[:, column] for column in (1, 2, 4)[:modalities]]
    scores = [cohort.values[:, -1], sum(mains), *mains]
    expected = [concordance_index(cohort.time, -score, cohort.event) for score in scores]
    np.testing.assert_allclose(concordant / pairs, expected, atol=1e-12)


def test_errors_are_those_of_each_concordance(cohort_of):
    cohort = cohort_of(60)
    pairs, _, variance = ranked(cohort.values, time=cohort.time, event=cohort.event)
    for column, place in ((3, 0), (1, 2), (2, 3)):
        found = concordance(cohort.values[:, column], time=cohort.time, event=cohort.event)
        error = np.sqrt(variance[place]) / pairs
        assert error == pytest.approx(found.estimate.standard_error)


def test_rounding_does_not_break_ties_between_patients():
    # the second modality is a dummy up to 1e-16: every pair is tied, so half are concordant
    time, noise = np.arange(1.0, 7.0), np.array([3, -1, 2, 0, -2, 1]) * 1e-16
    x = np.array([5.0, 3, 4, 2, 1, 0])
    pairs, concordant, _ = ranked(np.column_stack([0 * x, x, noise, x]), time=time, event=time > 0)
    assert concordant[3] / pairs == 0.5


def test_a_ranking_without_spread_has_the_largest_error():
    # one pair, rightly ordered by the first modality: (1/2 * 1)^2; the gain of 0 is certain
    values = np.array([[0.0, 2, 0, 2], [0.0, 1, 0, 1]])
    pairs, _, variance = ranked(values, time=np.array([1.0, 2.0]), event=np.array([True, True]))
    assert (pairs, variance[0], variance[-1]) == (1.0, 0.25, 0.0)


@pytest.mark.parametrize("patients", [0, 5])
def test_without_events_there_are_no_pairs(cohort_of, patients):
    cohort = cohort_of(patients)
    nothing = np.zeros(patients, dtype=bool)
    pairs, concordant, variance = ranked(cohort.values, time=cohort.time, event=nothing)
    assert (pairs, concordant.any(), variance.any()) == (0, False, False)
