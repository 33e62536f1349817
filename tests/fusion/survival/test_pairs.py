import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fusion.survival import pairs
from fusion.survival.concordance import concordance, concordance_of
from fusion.survival.pairs import Ranking, pair_sums

PATIENT = st.tuples(st.integers(-2, 2), st.integers(0, 4), st.booleans(), st.integers(1, 3))


def columns(rows):
    risk, time, event, weight = (np.array(column) for column in zip(*rows, strict=True))
    return risk.astype(float), time.astype(float), event, weight.astype(float)


def test_every_pair_appears_in_the_sums_of_both_its_patients():
    # day 1 (risk 3) before day 2 (risk 1, right) and before day 3 (risk 3, tied)
    event = np.array([True, False, False])
    ranking = Ranking(
        np.array([3.0, 1.0, 3.0]), np.array([1.0, 2.0, 3.0]), event, np.ones(3), event * 1.0
    )
    assert pair_sums(ranking).comparable.tolist() == [2.0, 1.0, 1.0]
    assert pair_sums(ranking).concordant.tolist() == [1.5, 1.0, 0.5]


def test_chunks_change_nothing(draw, monkeypatch):
    some = draw(120, whole_days=True)
    whole = concordance(some.risk, time=some.time, event=some.event)
    monkeypatch.setattr(pairs, "CELLS", 300)
    pieces = concordance(some.risk, time=some.time, event=some.event)
    assert pieces.estimate.as_dict() == pytest.approx(whole.estimate.as_dict())


def test_two_events_in_one_bin_are_a_pair_half_right():
    risk, event = np.array([2.0, 1.0]), np.array([True, True])
    found = concordance_of(Ranking(risk, np.ones(2), event, np.ones(2), np.ones(2), binned=True))
    assert (found.concordant, found.comparable) == (0.5, 1.0)


def test_an_event_and_a_censoring_in_one_bin_are_half_a_pair():
    risk, event = np.array([2.0, 1.0]), np.array([True, False])
    ranking = Ranking(risk, np.ones(2), event, np.ones(2), np.array([1.0, 0.0]), binned=True)
    found = concordance_of(ranking)
    assert (found.concordant, found.comparable) == (0.5, 0.5)


@settings(max_examples=50)
@given(st.lists(PATIENT, min_size=1, max_size=8))
def test_a_weight_is_a_number_of_identical_patients_in_bins_too(rows):
    risk, time, event, weight = columns(rows)
    every = [np.repeat(column, weight.astype(int)) for column in (risk, time, event)]
    one = np.ones(len(every[0]))
    some = concordance_of(Ranking(risk, time, event, weight, event.astype(float), binned=True))
    other = concordance_of(Ranking(*every, one, every[2].astype(float), binned=True))
    assert (some.concordant, some.comparable) == (other.concordant, other.comparable)
