import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.report import words


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.78149, "0.781"), (-0.5, "−0.500"), (-0.0001, "0.000"), (1234.5, "1,234.500"), (None, "–")],
)
def test_a_number_has_a_fixed_count_of_decimals(value, text):
    assert words.number(value) == text


def test_a_share_becomes_percent():
    assert words.percent(0.0456) == "4.6%"  # 100 x 0.0456 = 4.56
    assert words.percent(None) == "–"


def test_an_interval_needs_both_ends():
    assert words.interval({"low": 0.7, "high": 0.8}) == "0.700 to 0.800"
    assert words.interval({"low": None, "high": 0.8}) == "–"
    assert words.percent_interval({"low": 0.028, "high": 0.064}) == "2.8 to 6.4%"
    assert words.percent_interval({"low": 0.1, "high": None}) == "–"


def test_a_missing_reason_is_admitted():
    assert words.why_not({"reason": "no event"}) == "not measured: no event"
    assert words.why_not({"reason": None}) == "not measured: no reason was recorded"


@pytest.mark.parametrize(
    ("value", "text"), [(0.0004, "p < 0.001"), (0.2314, "p = 0.231"), (None, "–")]
)
def test_a_small_p_value_is_bounded_not_rounded_to_zero(value, text):
    assert words.p_value(value) == text


@pytest.mark.parametrize(
    ("days", "text"),
    [(365.25, "1 year"), (1826.25, "5 years"), (547.875, "1.5 years"), (100, "100 days")],
)
def test_a_time_is_in_years_where_it_is_a_round_number_of_them(days, text):
    assert words.span(days) == text


@pytest.mark.parametrize(
    ("seconds", "text"), [(12.4, "12 s"), (271.4, "4 min 31 s"), (7322, "2 h 2 min")]
)
def test_a_time_taken_is_in_units_of_its_size(seconds, text):
    assert words.clock(seconds) == text  # 7322 = 2 x 3600 + 2 x 60 + 2


def test_a_moment_is_told_in_utc():
    assert words.moment("2025-03-02T16:05:00+02:00") == "2 March 2025, 14:05 UTC"
    assert words.moment("2025-03-02T16:05:00") == "2 March 2025, 16:05"
    assert words.moment("soon") == "soon"


def test_names_are_joined_as_in_speech():
    assert words.listing(["a", "b", "c"]) == "a, b and c"
    assert words.listing(["a"]) == "a"
    assert words.listing([]) == "none"


def test_one_is_singular():
    assert words.count(1, "site") == "1 site"
    assert words.count(1204, "patient") == "1,204 patients"


@given(st.text())
def test_a_sentence_made_a_sentence_again_stays_the_same(text):
    once = words.sentence(text)
    assert words.sentence(once) == once


@pytest.mark.parametrize(
    ("value", "text"), [(True, "true"), (0.001, "0.001"), (20, "20"), ("", "(empty)"), ("a", "a")]
)
def test_a_setting_is_written_as_in_a_configuration(value, text):
    assert words.setting(value) == text
