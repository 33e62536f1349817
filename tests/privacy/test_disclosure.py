"""What a site shows of itself alone: rounding, minimums, and what garbage is refused."""

import numpy as np
import pytest

from privacy.disclosure import OPEN, Disclosure
from privacy.errors import PrivacyError

RULES = Disclosure(10, 5, 5, 10)


@pytest.mark.parametrize(
    ("count", "told"), [(0, 0), (1, 10), (9, 10), (10, 10), (14, 10), (15, 20), (138, 140)]
)
def test_counts_are_told_to_the_nearest_ten_and_nobody_as_nobody(count, told):
    assert RULES.told(count) == told


def test_a_count_below_the_cell_is_told_as_the_cell():
    rules = Disclosure(0, 0, minimum_cell=5, round_counts_to=1)
    assert rules.told_counts(np.array([0, 1, 4, 5, 6])).tolist() == [0, 5, 5, 5, 6]


def test_rounding_keeps_the_order_so_that_events_stay_within_patients():
    told = [Disclosure(0, 0, 3, 7).told(count) for count in range(200)]
    assert told == sorted(told)


@pytest.mark.parametrize(
    ("patients", "events", "hidden"),
    [(9, 9, True), (10, 4, True), (10, 5, False), (0, 0, False), (500, 0, True)],
)
def test_a_figure_over_too_few_patients_or_events_is_hidden(patients, events, hidden):
    assert RULES.hides(patients, events) is hidden


def test_a_site_without_a_policy_hides_and_rounds_nothing():
    assert not OPEN.hides(1, 0)
    assert [OPEN.told(count) for count in (0, 1, 7)] == [0, 1, 7]
    assert OPEN.to_facts() == {}
    assert Disclosure.read({}) == OPEN


def test_rules_cross_the_wire():
    assert Disclosure.read(RULES.to_facts()) == RULES


@pytest.mark.parametrize(
    "told", [[1, 2, 3], "1111", [1, 1, 1, 0], [-1, 1, 1, 1], [1.5, 1, 1, 1], 7]
)
def test_rules_that_cannot_be_read_are_refused(told):
    with pytest.raises(PrivacyError, match="Rules of disclosure must be four whole numbers"):
        Disclosure.read({"disclosure": told})
