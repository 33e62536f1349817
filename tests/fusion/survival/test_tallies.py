import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fusion.errors import FederationError
from fusion.survival.bins import RiskGrid, TimeGrid
from fusion.survival.concordance import concordance, uno_concordance
from fusion.survival.curves import censoring_curve, kaplan_meier
from fusion.survival.logrank import logrank
from fusion.survival.moments import moments
from fusion.survival.tallies import OutcomeCounts, count

PATIENT = st.tuples(st.integers(-2, 2), st.integers(0, 6), st.booleans())
DAYS = TimeGrid(step=1.0, count=10)
FEW = RiskGrid(centre=0.0, scale=3.0, count=40)


def tally(some, step=91.3125, bins=100, risks=64):
    sums = moments(some.risk)
    return count(
        some.risk,
        time=some.time,
        event=some.event,
        time_grid=TimeGrid(step, bins),
        risk_grid=RiskGrid(sums.centre, sums.scale, risks),
    )


def columns(rows):
    risk, time, event = (np.array(column) for column in zip(*rows, strict=True))
    return risk.astype(float), {"time": time.astype(float), "event": event & (time > 0)}


@given(st.lists(PATIENT, min_size=1, max_size=20))
def test_counts_by_day_and_by_risk_give_the_exact_pooled_concordance(rows):
    risk, known = columns(rows)
    found = count(risk, **known, time_grid=DAYS, risk_grid=FEW).concordance()
    exact = concordance(risk, **known)
    assert (found.concordant, found.comparable) == (exact.concordant, exact.comparable)
    assert found.as_dict() == pytest.approx(exact.as_dict())


@given(st.lists(PATIENT, min_size=1, max_size=20), st.integers(1, 7))
def test_counts_by_day_and_by_risk_give_the_exact_pooled_uno(rows, tau):
    risk, known = columns(rows)
    counts = count(risk, **known, time_grid=DAYS, risk_grid=FEW)
    curve = censoring_curve(known["time"], event=known["event"], source="here")
    found = counts.uno(counts.censoring_curve("here"), float(tau))
    exact = uno_concordance(risk, **known, censoring=curve, tau=float(tau))
    assert found.concordant == pytest.approx(exact.concordant)
    assert found.as_dict() == pytest.approx(exact.as_dict())


@settings(max_examples=60)
@given(st.lists(PATIENT, min_size=4, max_size=20))
def test_counts_by_day_give_the_exact_curves_and_logrank_of_risk_groups(rows):
    risk, known = columns(rows)
    counts = count(risk, **known, time_grid=DAYS, risk_grid=FEW)
    groups = counts.groups()
    group = np.zeros(len(risk), dtype=int)
    for place, one in enumerate(groups):
        part = np.isin(FEW.index(risk), one.bins)
        group[part] = place
        exact = kaplan_meier(known["time"][part], event=known["event"][part])
        days = one.curve.times[one.curve.times != 0.5]  # the middle of the day before day 1
        np.testing.assert_allclose(one.curve.at(days), exact.at(days), atol=1e-12)
    if len(groups) == 2:
        exact = logrank(**known, group=group)
        assert counts.logrank().statistic == pytest.approx(exact.statistic, abs=1e-9)


@given(st.lists(PATIENT, min_size=1, max_size=15), st.integers(0, 15))
def test_the_sum_of_two_sites_is_the_count_of_both(rows, cut):
    risk, known = columns(rows)
    parts = []
    for part in (slice(None, cut), slice(cut, None)):
        some = {name: column[part] for name, column in known.items()}
        parts.append(count(risk[part], **some, time_grid=DAYS, risk_grid=FEW))
    both = count(risk, **known, time_grid=DAYS, risk_grid=FEW)
    assert ((parts[0] + parts[1]).counts == both.counts).all()
    assert (both.patients, both.events) == (len(rows), known["event"].sum())


@pytest.mark.parametrize("seed", range(5))
def test_concordances_from_counts_near_the_pooled_figures_as_bins_shrink(draw, seed):
    some = draw(400, seed=seed)
    curve = censoring_curve(some.time, event=some.event, source="here")
    known = {"time": some.time, "event": some.event}
    exact = concordance(some.risk, **known).estimate
    uno = uno_concordance(some.risk, **known, censoring=curve, tau=2000.0).estimate
    for step, bins, risks, near in ((91.3125, 60, 64, 4e-3), (2.0, 5000, 2000, 6e-4)):
        counts = tally(some, step, bins, risks)
        found = counts.concordance().estimate
        assert found.value == pytest.approx(exact.value, abs=near)
        assert found.standard_error == pytest.approx(exact.standard_error, rel=0.05)
        other = counts.uno(counts.censoring_curve("here"), 2000.0).estimate
        assert other.value == pytest.approx(uno.value, abs=2 * near)


def test_wide_bins_do_not_flatter_the_concordance(draw):
    gaps = []
    for seed in range(20):
        some = draw(300, seed=seed)
        exact = concordance(some.risk, time=some.time, event=some.event).estimate
        gaps.append(tally(some, step=182.625, bins=30).concordance().estimate.value - exact.value)
    assert abs(np.mean(gaps)) < 0.004  # leaving out pairs inside a bin gives + 0.02


def test_curves_from_quarters_are_not_biased_by_the_censoring_inside_them(draw):
    gaps = []
    for seed in range(20):
        some = draw(400, seed=seed)
        group = tally(some).groups(1)[0]
        exact = kaplan_meier(some.time, event=some.event).at(group.curve.times[:21])
        gaps.append(group.curve.survival[:21] - exact)
    assert abs(np.mean(gaps, axis=0)).max() < 0.002  # events first in a bin gives + 0.006


def test_logrank_from_quarters_is_near_the_pooled_one(draw):
    some = draw(400)
    counts = tally(some)
    high = np.isin(counts.risk_grid.index(some.risk), counts.groups()[1].bins).astype(int)
    exact = logrank(some.time, event=some.event, group=high)
    assert counts.logrank().statistic == pytest.approx(exact.statistic, rel=0.03)


def test_censoring_curve_from_quarters_is_near_the_pooled_one(draw):
    some = draw(1000)
    exact = censoring_curve(some.time, event=some.event, source="here")
    found = tally(some).censoring_curve("all sites")
    days = np.linspace(10.0, 2500.0, 60)
    np.testing.assert_allclose(found.at(days), exact.at(days), atol=0.02)
    assert found.until(0.3) == pytest.approx(exact.until(0.3), abs=91.3125)
    assert found.source == "all sites"


def test_two_groups_split_at_the_median_risk(draw):
    low, high = tally(draw(401), risks=4000).groups()
    assert (low.name, high.name) == ("lower risk", "higher risk")
    assert {low.patients, high.patients} == {200, 201}
    assert low.curve.at(np.array([730.5]))[0] > high.curve.at(np.array([730.5]))[0]


def test_more_groups_hold_all_patients_once(draw):
    counts = tally(draw(300))
    groups = counts.groups(5)
    assert [group.name for group in groups][:2] == ["risk group 1 of 5", "risk group 2 of 5"]
    assert sum(group.patients for group in groups) == 300
    assert sum(group.events for group in groups) == counts.events


def test_risks_all_alike_make_one_group_and_no_logrank(draw):
    some = draw(50)
    grid = RiskGrid(0.0, 0.0, 16)
    counts = count(some.risk * 0, time=some.time, event=some.event, time_grid=DAYS, risk_grid=grid)
    assert [group.name for group in counts.groups()] == ["all patients"]
    assert counts.logrank().reason == "the risks do not divide the patients into groups"


def test_nobody_counted_gives_reasons_and_no_groups():
    none = np.zeros(0)
    counts = count(none, time=none, event=none > 0, time_grid=DAYS, risk_grid=FEW)
    assert counts.groups() == ()
    assert counts.concordance().estimate.value is None
    assert counts.logrank().statistic is None


def test_a_curve_ends_when_nobody_is_at_risk_and_is_ready_for_json():
    time, event = np.array([50.0, 150.0, 150.0]), np.array([True, True, False])
    grid = TimeGrid(100.0, 60)
    counts = count(np.zeros(3), time=time, event=event, time_grid=grid, risk_grid=FEW)
    found = counts.groups(1)[0].as_dict()
    assert found["time"] == [0.0, 100.0, 200.0]
    assert found["at_risk"] == [3.0, 2.0, 0.0]
    # 2/3, then 1 event among 2 less half of the censored: 2/3 * (1 - 1/1.5)
    assert found["survival"] == pytest.approx([1.0, 2 / 3, 2 / 9])


def test_those_censored_on_day_0_are_counted_and_inform_no_comparison():
    time, event = np.array([0.0, 0.0, 5.0, 80.0]), np.array([False, False, True, False])
    risk = np.array([3.0, -3.0, 1.0, 0.0])
    counts = count(risk, time=time, event=event, time_grid=TimeGrid(30.0, 9), risk_grid=FEW)
    assert counts.patients == 4
    assert counts.concordance().comparable == 1.0


def test_counts_on_different_grids_are_not_added(draw):
    with pytest.raises(FederationError, match="Counts must share their grids"):
        _ = tally(draw(5)) + tally(draw(5), step=30.0)


@pytest.mark.parametrize("array", [np.zeros((10, 2, 40), int), -np.ones((11, 2, 40), int)])
def test_counts_of_another_shape_or_below_0_are_refused(array):
    with pytest.raises(FederationError, match=r"must be of shape \(11, 2, 40\) and >= 0"):
        OutcomeCounts.from_array(array, time_grid=DAYS, risk_grid=FEW)


def test_counts_cross_the_wire_unchanged(draw):
    one = tally(draw(30))
    grids = {"time_grid": one.time_grid, "risk_grid": one.risk_grid}
    assert (OutcomeCounts.from_array(one.to_array(), **grids).counts == one.counts).all()


@pytest.mark.data
@pytest.mark.parametrize("cohort", ["tcga_gbmlgg", "tcga_kirc", "tcga_luad"])
def test_default_grids_reach_the_pooled_concordance_of_real_follow_up(cohort):
    if "CONCORD_DATA" not in os.environ:
        pytest.skip("CONCORD_DATA does not name the real cohorts")
    table = pd.read_csv(Path(os.environ["CONCORD_DATA"]) / cohort / "clinical.csv")
    table = table.drop_duplicates("case_id").dropna(subset=["age", "survival_months"])
    event = table.censorship.to_numpy() == 0
    time = table.survival_months.to_numpy() * 30.4375
    risk = table.age.to_numpy(dtype=float)
    sums = moments(risk)
    grids = {"time_grid": TimeGrid(91.3125, 60), "risk_grid": RiskGrid(sums.centre, sums.scale, 64)}
    found = count(risk, time=time, event=event, **grids).concordance().estimate
    exact = concordance(risk, time=time, event=event).estimate
    assert found.value == pytest.approx(exact.value, abs=3e-3)
    assert found.low == pytest.approx(exact.low, abs=4e-3)
