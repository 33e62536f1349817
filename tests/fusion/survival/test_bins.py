import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fusion.survival.bins import RiskGrid, TimeGrid


def test_times_fall_into_bins_closed_on_the_left_and_the_last_is_open():
    grid = TimeGrid(step=10.0, count=3)
    np.testing.assert_allclose(grid.edges, [0, 10, 20, 30])
    assert grid.index(np.array([0.0, 9.9, 10.0, 25.0, 30.0, 1e6])).tolist() == [0, 0, 1, 2, 2, 2]


@given(st.integers(0, 400), st.floats(0.01, 500))
def test_a_time_on_an_edge_belongs_to_the_bin_it_opens(place, step):
    grid = TimeGrid(step=step, count=401)
    assert grid.index(grid.edges[place : place + 1])[0] == place


def test_a_bin_of_a_day_or_less_holds_equal_times():
    assert TimeGrid(1.0, 10).exact
    assert not TimeGrid(91.3125, 10).exact


def test_risk_bins_hold_equally_many_of_a_normal_population():
    grid = RiskGrid(centre=3.0, scale=2.0, count=8)
    risk = np.random.default_rng(0).normal(3.0, 2.0, 80_000)
    share = np.bincount(grid.index(risk), minlength=8) / 80_000
    np.testing.assert_allclose(share, 1 / 8, atol=0.006)


def test_risk_bins_are_quartiles_of_the_normal_curve():
    grid = RiskGrid(centre=0.0, scale=1.0, count=4)
    # quartiles of N(0, 1): -0.67449, 0, 0.67449
    risk = np.array([-9.0, -0.6746, -0.6744, -1e-9, 1e-9, 0.6744, 0.6746, 9.0])
    assert grid.index(risk).tolist() == [0, 0, 1, 1, 2, 2, 3, 3]


@given(st.floats(-5, 5), st.floats(0, 10), st.integers(2, 40))
def test_each_representative_lies_in_its_own_bin(centre, scale, count):
    grid = RiskGrid(centre=centre, scale=scale if scale > 1e-3 else 0.0, count=count)
    assert grid.index(grid.representatives).tolist() == list(range(count))


@pytest.mark.parametrize("centre", [0.0, 1e8])
def test_risks_all_alike_share_one_bin(centre):
    grid = RiskGrid(centre=centre, scale=0.0, count=16)
    assert len(set(grid.index(np.full(5, centre)))) == 1
