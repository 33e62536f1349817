import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from privacy.errors import PrivacyError
from privacy.secure.fixed_point import decode_coarse, decode_fine, encode_coarse, encode_fine
from privacy.secure.layout import Layout

finite = st.floats(-1e6, 1e6, allow_nan=False)
rows = st.lists(st.lists(finite, min_size=3, max_size=3), min_size=1, max_size=9)


def added(words):
    total = np.zeros_like(words[0])
    for one in words:
        total += one
    return total


@given(rows)
def test_a_coarse_sum_is_off_by_half_a_step_a_site_at_most(values):
    values = np.array(values)
    total = decode_coarse(added([encode_coarse(row, sites=len(values)) for row in values]))
    # the sum of at most 9 numbers below 1e6 is itself rounded to float64: 2^-30 is ample for it
    assert np.abs(total - values.sum(0)).max() <= len(values) * 2.0**-33 + 2.0**-30


@given(rows)
def test_a_fine_sum_is_as_exact_as_float64(values):
    values = np.array(values)
    total = decode_fine(added([encode_fine(row) for row in values]))
    assert np.abs(total - values.sum(0)).max() <= len(values) * 2.0**-53 + 9e6 * 2.0**-52


@given(st.lists(st.integers(-(2**50), 2**50), min_size=3, max_size=3))
def test_whole_numbers_are_added_exactly(values):
    total = decode_fine(added([encode_fine(np.array([float(one)])) for one in values]))
    assert total[0] == sum(values)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_value_that_is_not_finite_is_refused(value):
    with pytest.raises(PrivacyError, match="must be finite, got one that is not"):
        encode_fine(np.array([1.0, value]))


def test_the_bound_of_a_model_leaves_room_for_every_site():
    # 2^31 / 4 sites: four values just below add up to just below 2^31, the largest there is
    largest = np.nextafter(2.0**29, 0.0)
    total = decode_coarse(added([encode_coarse(np.array([largest]), sites=4)] * 4))
    assert total[0] == pytest.approx(2.0**31)
    with pytest.raises(PrivacyError, match=r"must be below 5\.36871e"):
        encode_coarse(np.array([2.0**29]), sites=4)


def test_a_tally_that_whole_numbers_cannot_hold_is_refused():
    with pytest.raises(PrivacyError, match=r"must be below 9\.0072e"):
        encode_fine(np.array([-(2.0**53)]))


def test_named_arrays_come_back_under_their_names():
    model = {"b": np.array([[1.5, -2.0]], np.float32), "a": np.array(3.0)}
    sums = {"loss": np.array([0.25, 4.0]), "counts": np.array([7])}
    layout = Layout.from_text(Layout.of(model, sums).to_text())
    words = layout.encode(model, sums, sites=3)
    assert len(words) == layout.length == 3 + 2 * 3
    found, told = layout.decode(words)
    assert found["b"].tolist() == [[1.5, -2.0]]
    assert found["a"] == 3.0
    assert told["loss"].tolist() == [0.25, 4.0]
    assert (told["counts"].tolist(), told["counts"].dtype) == ([7], np.int64)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "[[1], []]",
        '[[["a", "b"]], []]',
        "null",
        "[[], [], []]",
        '[[["a", [1], "object"]], []]',
    ],
)
def test_a_layout_that_is_none_is_refused(text):
    with pytest.raises(ValueError, match="layout of its sums cannot be read"):
        Layout.from_text(text)
