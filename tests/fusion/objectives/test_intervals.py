import numpy as np
import pytest
import torch

from fusion.errors import ConfigError
from fusion.objectives.intervals import Intervals, baseline_hazards, choose_intervals

EDGES = np.array([0.0, 100.0, 200.0, 300.0, 400.0])


def test_a_time_falls_into_the_interval_that_starts_at_or_before_it():
    times = torch.tensor([0.0, 99.9, 100.0, 250.0, 400.0, 9000.0])
    assert Intervals((0.0, 100.0, 300.0)).index(times).tolist() == [0, 0, 1, 1, 1, 1]


def test_exposure_counts_the_years_in_each_interval():
    years = Intervals((0.0, 365.25, 730.5)).exposure(torch.tensor([0.0, 365.25, 547.875, 1461.0]))
    # 4 years: one in the first, three in the open last interval
    assert years.tolist() == [[0, 0], [1, 0], [1, 0.5], [1, 3]]


def test_exposure_sums_to_the_follow_up():
    times = torch.rand(50, dtype=torch.float64) * 5000
    years = Intervals((0.0, 10.0, 700.0, 1500.0)).exposure(times)
    torch.testing.assert_close(years.sum(1) * 365.25, times)


@pytest.mark.parametrize("edges", [(0.0,), (0.0, 5.0, 5.0), (0.0, 5.0, 4.0)])
def test_edges_that_do_not_increase_are_refused(edges):
    with pytest.raises(ConfigError, match=r"Interval edges must increase .*, got \(0\.0"):
        Intervals(edges)


def test_intervals_hold_equally_many_events():
    # 10 events a bin, two intervals: half of 40 events have happened at day 200
    found = choose_intervals(np.full(4, 10.0), edges=EDGES, number=2)
    assert found.edges == (0, 200, 400)


def test_few_events_make_few_intervals():
    found = choose_intervals(np.array([0.0, 3.0, 0.0, 0.0]), edges=EDGES, number=10)
    assert found.edges == (0, 200, 400)


def test_no_events_make_one_interval():
    assert choose_intervals(np.zeros(4), edges=EDGES, number=10).edges == (0, 400)


def test_events_in_the_last_bin_alone_make_one_interval():
    assert choose_intervals(np.array([0, 0, 0, 5.0]), edges=EDGES, number=4).edges == (0, 400)


def test_agreed_cuts_are_taken_as_they_are():
    cuts = (233.5, 511.0, 929.0)
    assert choose_intervals(np.zeros(4), edges=EDGES, number=9, cuts=cuts).edges == (0, *cuts, 930)


def test_starting_hazards_are_events_a_patient_year():
    edges = np.array([0.0, 365.25, 730.5])
    found = baseline_hazards(
        Intervals((0.0, 365.25, 730.5)),
        events=np.array([4.0, 2.0]),
        censored=np.array([0.0, 4.0]),
        edges=edges,
    )
    # first year: 4 half years + 6 whole = 8, (4 + .5) / (8 + .5); second: 6 half years, 2.5 / 3.5
    assert found == pytest.approx([4.5 / 8.5, 2.5 / 3.5])


def test_no_starting_hazard_is_zero():
    found = baseline_hazards(
        Intervals((0.0, 100.0, 400.0)), events=np.zeros(4), censored=np.zeros(4), edges=EDGES
    )
    assert (found > 0).all()
