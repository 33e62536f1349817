import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fusion.errors import FederationError
from fusion.survival.bins import TimeGrid
from fusion.survival.risk_sets import RiskSums, risk_sums

GRID = TimeGrid(100.0, 10)


def told(days, *, log_hazard=None, event=None, grid=GRID):
    """Sums of patients who leave on some days; log hazard 0 and an event unless said otherwise."""
    number = len(days)
    eta = np.zeros(number) if log_hazard is None else np.array(log_hazard, dtype=float)
    dead = np.ones(number, dtype=bool) if event is None else np.array(event)
    return risk_sums(eta, time=np.array(days, dtype=float), event=dead, time_grid=grid)


def at_risk(sums, *days):
    return np.exp(sums.at_risk(np.array(days, dtype=float)))


def test_patients_and_events_are_counted_where_they_leave():
    found = told([50, 60, 250, 5000], event=[True, False, True, False])
    assert found.patients.tolist() == [2, 0, 1, 0, 0, 0, 0, 0, 0, 1]
    assert found.events.tolist() == [1, 0, 1, 0, 0, 0, 0, 0, 0, 0]


def test_the_mean_hazard_of_a_bin_is_kept_as_a_logarithm():
    # (1 + 3) / 2 = 2
    found = told([10, 20], log_hazard=[0, np.log(3)])
    assert found.log_hazard[0] == pytest.approx(np.log(2))
    assert found.log_hazard[1:].tolist() == [0] * 9


def test_who_leaves_later_is_at_risk_and_who_left_is_not():
    found = told([50, 450], log_hazard=[0, np.log(3)])
    assert at_risk(found, 250, 450 - 50, 600) == pytest.approx([3, 3, 0])


def test_who_leaves_in_the_same_bin_counts_with_the_share_still_to_come():
    # four leave between day 100 and 200: all, three quarters, one quarter of them
    found = told([110, 120, 150, 199])
    assert at_risk(found, 100, 125, 175) == pytest.approx([4, 3, 1])


def test_who_leaves_in_the_open_bin_counts_half():
    assert at_risk(told([950, 8000]), 920, 999, 40000) == pytest.approx([1, 1, 1])


def test_nobody_is_at_risk_in_empty_sums():
    assert at_risk(told([]), 0, 500, 5000).tolist() == [0, 0, 0]


def test_an_event_sees_itself_and_half_of_the_others_of_its_bin():
    # three leave in bin 1, one in bin 4: 1 + (1 + 2 / 2) = 3; alone in bin 4: itself
    seen = np.exp(told([110, 150, 190, 420]).at_risk_at_events())
    assert seen[[1, 4]] == pytest.approx([3, 1])


def test_a_patient_censored_on_day_0_was_never_at_risk():
    assert told([0, 50], event=[False, True]).patients.sum() == 1


@given(st.lists(st.tuples(st.floats(0, 1500), st.floats(-5, 5), st.integers(0, 1)), min_size=2))
def test_the_sums_of_two_sites_are_those_of_all_their_patients(patients):
    days, eta, site = map(np.array, zip(*patients, strict=True))
    parts = [told(days[site == name], log_hazard=eta[site == name]) for name in (0, 1)]
    everybody = told(days, log_hazard=eta)
    np.testing.assert_allclose((parts[0] + parts[1]).to_array(), everybody.to_array(), atol=1e-12)


def test_log_hazards_of_any_size_stay_finite():
    found = told([50, 150, 250], log_hazard=[-900, 0, 900])
    both = (found + told([50, 350], log_hazard=[900, -900])).without_small_bins()
    assert np.isfinite(both.to_array()).all()
    assert np.isfinite(both.at_risk(np.array([0.0, 120.0, 220.0]))).all()


def test_bins_are_merged_until_two_leave():
    # bins 0 and 3 hold one each, bins 4 and 9 one each: two runs, hazards 1 and 3, 5 and 7
    found = told([50, 350, 450, 950], log_hazard=np.log([1, 3, 5, 7]), event=[True, False] * 2)
    merged = found.without_small_bins()
    assert merged.patients == pytest.approx([2 / 4] * 4 + [2 / 6] * 6)
    assert merged.events == pytest.approx([1 / 4] * 4 + [1 / 6] * 6)
    assert np.exp(merged.log_hazard) == pytest.approx([2] * 4 + [6] * 6)


def test_one_patient_left_over_joins_the_run_before():
    # bins 1 and 2 are a run of two; the patient of bin 4 joins them: three over four bins
    merged = told([150, 250, 450]).without_small_bins()
    assert merged.patients == pytest.approx([0, 0.75, 0.75, 0.75, 0.75, 0, 0, 0, 0, 0])


def test_bins_are_merged_until_a_policys_cell_is_full():
    # bins 0, 3 and 4 fill a cell of three; the two of bins 7 and 9 join it: five over ten bins
    merged = told([50, 350, 450, 750, 950]).without_small_bins(3)
    assert merged.patients == pytest.approx([0.5] * 10)
    assert not told([50, 350]).without_small_bins(3).to_array().any()


def test_a_bin_of_two_stays_as_it_is():
    found = told([150, 160, 350, 360, 370], log_hazard=[0, 1, 2, 3, 4])
    np.testing.assert_allclose(found.without_small_bins().to_array(), found.to_array())


@pytest.mark.parametrize("days", [[], [300]], ids=["nobody", "one patient"])
def test_one_patient_in_all_counts_as_nobody(days):
    assert not told(days).without_small_bins().to_array().any()


@given(
    st.lists(st.floats(1, 1500), min_size=1, max_size=9),
    st.lists(st.booleans(), min_size=9, max_size=9),
)
def test_no_entry_that_leaves_depends_on_one_patient_alone(days, event):
    number = len(days)

    def leaving(eta):
        sums = told(days, log_hazard=eta, event=event[:number])
        return sums.without_small_bins().to_array()

    still = leaving(np.zeros(number))
    moved = np.stack([leaving(np.eye(number)[i]) != still for i in range(number)])
    assert 1 not in moved.sum(0)


@given(st.lists(st.tuples(st.floats(1, 1500), st.floats(-5, 5)), min_size=2, max_size=20))
def test_merging_loses_no_patient_event_or_hazard(patients):
    days, eta = zip(*patients, strict=True)
    found = told(days, log_hazard=eta)
    merged = found.without_small_bins()
    assert merged.patients.sum() == pytest.approx(len(days))
    assert merged.events.sum() == pytest.approx(len(days))
    assert np.exp(merged.leaving).sum() == pytest.approx(np.exp(eta).sum())


def test_sums_survive_the_wire():
    found = told([150, 160, 350], log_hazard=[0, 1, -2])
    back = RiskSums.from_array(found.to_array(), GRID)
    np.testing.assert_array_equal(back.to_array(), found.to_array())


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda rows: rows[:, 1:], r"must be 3 rows of 10 bins, got \(3, 9\)\. Use the same"),
        (lambda rows: rows * np.nan, r"Risk set sums must be finite, got 30 of 30"),
        (lambda rows: rows - 1, r"between 0 and the patients .* got -7 events of -7 patients"),
        (lambda rows: rows[[1, 0, 2]] * [[1], [2], [1]], r"got 6 events of 3 patients\. Check"),
    ],
    ids=["shape", "nan", "negative", "more events than patients"],
)
def test_sums_that_cannot_be_are_refused(change, reason):
    with pytest.raises(FederationError, match=reason):
        RiskSums.from_array(change(told([150, 160, 350]).to_array()), GRID)


def test_a_log_hazard_that_is_not_finite_is_refused():
    with pytest.raises(FederationError, match="Log hazard must be finite, got 1 of 2"):
        told([1, 2], log_hazard=[np.nan, 0])
