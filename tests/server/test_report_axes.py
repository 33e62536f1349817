import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.report.axes import Axis, Frame, band_path, line_path, steps, tick_step

WIDTHS = st.floats(1e-3, 1e6)


def test_an_axis_maps_its_ends_and_its_middle():
    axis = Axis(0.5, 1.0, 10.0, 110.0)
    assert [axis.at(0.5), axis.at(0.75), axis.at(1.0)] == [10.0, 60.0, 110.0]


def test_an_axis_upwards_runs_to_smaller_px():
    assert Axis(0.0, 1.0, 300.0, 100.0).at(0.25) == 250.0  # 300 - 0.25 x 200


def test_what_lies_outside_an_axis_is_put_at_its_end():
    axis = Axis(0.5, 1.0, 10.0, 110.0)
    assert (axis.at(-3), axis.at(7)) == (10.0, 110.0)


def test_an_axis_without_width_still_has_a_place():
    assert Axis(2.0, 2.0, 10.0, 110.0).at(2.0) == 10.0


@given(WIDTHS, st.integers(2, 12))
def test_ticks_are_no_more_than_wanted(width, most):
    step = tick_step(width, most)
    assert math.floor(width / step + 1e-6) + 1 <= most + 1


@given(st.floats(-1e4, 1e4), WIDTHS, st.integers(3, 10))
def test_ticks_rise_inside_the_axis_and_their_labels_differ(low, width, most):
    axis = Axis(low, low + width, 0.0, 500.0)
    ticks = axis.ticks(most)
    assert all(axis.low - 1e-6 * width <= tick.value <= axis.high + 1e-6 * width for tick in ticks)
    assert len({tick.label for tick in ticks}) == len(ticks)


@pytest.mark.parametrize(
    ("high", "labels"),
    [(1.0, ["0.0", "0.2", "0.4", "0.6", "0.8", "1.0"]), (10.0, ["0", "2", "4", "6", "8", "10"])],
)
def test_ticks_lie_at_round_values(high, labels):
    assert [tick.label for tick in Axis(0.0, high, 0.0, 1.0).ticks(6)] == labels


def test_a_quarter_is_labelled_with_two_decimals():
    assert [t.label for t in Axis(0.0, 0.5, 0.0, 1.0).ticks(3)] == ["0.00", "0.25", "0.50"]


def test_a_step_curve_holds_its_level_until_the_next_time():
    assert steps([0, 10, 20], [5, 8, 9]) == [(0, 5), (10, 5), (10, 8), (20, 8), (20, 9)]
    assert steps([], []) == []


def test_paths_are_drawn_in_order():
    assert line_path([(0, 1), (2.5, 3)]) == "M0 1 L2.5 3"
    assert band_path([(0, 1), (2, 1)], [(0, 4), (2, 5)]) == "M0 1 L2 1 L2 5 L0 4 Z"
    assert band_path([], []) == ""


def test_a_frame_places_points_by_both_axes():
    frame = Frame(Axis(0.0, 10.0, 0.0, 100.0), Axis(0.0, 1.0, 50.0, 0.0), "x", "y", 120, 60)
    assert frame.place([(5, 0.5)]) == [(50.0, 25.0)]


def test_an_axis_of_rounds_marks_whole_rounds():
    told = [tick.label for tick in Axis(2, 4, 0.0, 100.0, whole=True).ticks()]
    assert told == ["2", "3", "4"]
