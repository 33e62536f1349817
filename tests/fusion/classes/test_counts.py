import numpy as np
import pytest

from fusion.classes.counts import ClassCounts, count_classes, log_odds, no_patients
from fusion.errors import FederationError
from fusion.survival.bins import RiskGrid

GRID = RiskGrid(0.0, 1.0, 4)
"""Inner edges at the quartiles of a standard normal: -0.674, 0, 0.674."""


def test_log_odds_are_those_of_the_softmax():
    logits = np.random.default_rng(1).normal(size=(20, 4)) * 3
    share = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    np.testing.assert_allclose(log_odds(logits), np.log(share / (1 - share)), rtol=1e-9)


def test_log_odds_of_sure_models_are_finite():
    found = log_odds(np.array([[500.0, -500.0], [-500.0, 500.0]]))
    np.testing.assert_allclose(found, [[1000, -1000], [-1000, 1000]])


def test_three_patients_by_hand():
    # two classes: log odds of class 0 are logit 0 - logit 1 = 1, -0.5 and 0.1: bins 3, 1, 2;
    # of class 1 the negatives: bins 0, 2, 1
    logits, label = np.array([[1.0, 0.0], [0.0, 0.5], [0.1, 0.0]]), np.array([0, 1, 1])
    found = count_classes(logits, label, GRID)
    assert found.confusion.tolist() == [[1, 0], [1, 1]]
    assert found.scores[0].tolist() == [[0, 0], [1, 0], [1, 0], [0, 1]]
    assert found.scores[1].tolist() == [[1, 0], [0, 1], [0, 1], [0, 0]]
    assert (found.patients, found.of_class.tolist()) == (3, [1, 2])


def test_sites_counts_add_up_to_those_of_all_patients_together():
    rng = np.random.default_rng(2)
    logits, label = rng.normal(size=(50, 3)), rng.integers(0, 3, 50)
    parts = [count_classes(logits[rows], label[rows], GRID) for rows in (slice(20), slice(20, 50))]
    whole = count_classes(logits, label, GRID)
    np.testing.assert_array_equal((parts[0] + parts[1]).to_array(), whole.to_array())


def test_counts_come_back_from_the_wire():
    rng = np.random.default_rng(3)
    counts = count_classes(rng.normal(size=(9, 3)), rng.integers(0, 3, 9), GRID)
    found = ClassCounts.from_array(counts.to_array(), classes=3, bins=4)
    np.testing.assert_array_equal(found.confusion, counts.confusion)
    np.testing.assert_array_equal(found.scores, counts.scores)


@pytest.mark.parametrize("spoil", ["short", "negative", "one table"])
def test_counts_that_do_not_agree_are_refused(spoil):
    array = no_patients(3, GRID).to_array()
    if spoil == "short":
        array = array[1:]
    else:
        array[0 if spoil == "one table" else 12] = 1 if spoil == "one table" else -1
    with pytest.raises(FederationError, match="must be 33 counts of the same patients"):
        ClassCounts.from_array(array, classes=3, bins=4)


def test_logits_that_are_not_finite_are_refused():
    with pytest.raises(FederationError, match="Logits must be finite, got 1 of 4"):
        count_classes(np.array([[0.0, np.nan], [0.0, 1.0]]), np.array([0, 1]), GRID)
