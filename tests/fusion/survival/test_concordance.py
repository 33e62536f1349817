import time as clock
import tracemalloc

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from lifelines.utils import concordance_index
from sksurv.metrics import concordance_index_censored, concordance_index_ipcw

from fusion.errors import FederationError
from fusion.survival.concordance import (
    combine_within,
    concordance,
    concordance_from,
    uno_concordance,
)
from fusion.survival.curves import censoring_curve

PATIENT = st.tuples(st.integers(-2, 2), st.integers(0, 4), st.booleans(), st.integers(1, 3))


def columns(rows):
    risk, time, event, weight = (np.array(column) for column in zip(*rows, strict=True))
    return risk.astype(float), time.astype(float), event, weight.astype(float)


def slow(risk, time, event, pair_weight):
    """Concordant and comparable by the rule's words, pair by pair."""
    right = total = 0.0
    for i in np.flatnonzero(event):
        for j in range(len(risk)):
            if time[i] < time[j] or (time[i] == time[j] and not event[j]):
                total += pair_weight[i]
                right += pair_weight[i] * ((risk[i] > risk[j]) + 0.5 * (risk[i] == risk[j]))
    return right, total


@pytest.mark.parametrize(
    ("times", "events", "comparable"),
    [
        ((1, 2), (1, 0), 1),  # the earlier one is an event
        ((1, 2), (1, 1), 1),
        ((1, 2), (0, 1), 0),  # the earlier one is censored
        ((1, 2), (0, 0), 0),
        ((1, 1), (1, 0), 1),  # equal times, one event: it counts as earlier
        ((1, 1), (1, 1), 0),  # two events at one time
        ((1, 1), (0, 0), 0),
        ((0, 1), (0, 1), 0),  # censored on day 0 informs nothing
    ],
)
def test_two_patients_are_comparable_only_when_the_first_event_is_known(times, events, comparable):
    time, event = np.array(times, dtype=float), np.array(events, dtype=bool)
    found = concordance(np.array([2.0, 1.0]), time=time, event=event)
    assert found.comparable == comparable
    assert found.estimate.value == (1.0 if comparable else None)


def test_tied_risks_count_one_half():
    # pairs: (1,2) right, (1,3) tied, (2,3) wrong: 1.5 of 3
    found = concordance(
        np.array([2.0, 1.0, 2.0]), time=np.array([1.0, 2.0, 3.0]), event=np.array([True] * 3)
    )
    assert (found.concordant, found.comparable, found.estimate.value) == (1.5, 3.0, 0.5)


@given(st.lists(PATIENT, min_size=1, max_size=14))
def test_concordance_counts_as_a_slow_loop_over_pairs(rows):
    risk, time, event, _ = columns(rows)
    found = concordance(risk, time=time, event=event)
    assert (found.concordant, found.comparable) == slow(risk, time, event, np.ones(len(risk)))


@given(st.lists(PATIENT, min_size=1, max_size=8))
def test_a_weight_is_a_number_of_identical_patients(rows):
    risk, time, event, weight = columns(rows)
    some = concordance(risk, time=time, event=event, weight=weight)
    repeat = [np.repeat(column, weight.astype(int)) for column in (risk, time, event)]
    every = concordance(repeat[0], time=repeat[1], event=repeat[2])
    assert (some.concordant, some.comparable) == (every.concordant, every.comparable)
    assert some.estimate.standard_error == pytest.approx(every.estimate.standard_error)


@given(st.lists(PATIENT, min_size=2, max_size=12))
def test_opposite_risk_gives_the_opposite_concordance(rows):
    risk, time, event, _ = columns(rows)
    one, other = (concordance(r, time=time, event=event) for r in (risk, -risk))
    assert one.concordant + other.concordant == one.comparable
    assert one.estimate.standard_error == pytest.approx(other.estimate.standard_error)


def test_concordance_depends_on_the_order_of_risks_alone(draw):
    some = draw(80)
    one = concordance(some.risk, time=some.time, event=some.event)
    assert one == concordance(np.exp(3 * some.risk), time=some.time, event=some.event)


def test_concordance_equals_scikit_survival_with_ties_in_time_and_risk(draw):
    some = draw(200, whole_days=True)
    risk = np.round(some.risk, 1)
    value, right, wrong, tied, _ = concordance_index_censored(some.event, some.time, risk)
    found = concordance(risk, time=some.time, event=some.event)
    assert found.estimate.value == pytest.approx(value, abs=1e-12)
    assert found.comparable == right + wrong + tied


def test_concordance_equals_lifelines_with_the_sign_turned(draw):
    some = draw(200)
    found = concordance(some.risk, time=some.time, event=some.event)
    other = concordance_index(some.time, -some.risk, some.event)
    assert found.estimate.value == pytest.approx(other, abs=1e-12)


def test_standard_error_is_the_root_of_the_summed_squared_influences(draw):
    some = draw(30, whole_days=True)
    value = []
    for patient in range(30):
        for step in (1e-5, -1e-5):
            weight = np.ones(30)
            weight[patient] += step
            one = concordance(some.risk, time=some.time, event=some.event, weight=weight)
            value.append(one.concordant / one.comparable)
    influence = (np.array(value[::2]) - np.array(value[1::2])) / 2e-5
    found = concordance(some.risk, time=some.time, event=some.event).estimate
    assert found.standard_error == pytest.approx(np.sqrt((influence**2).sum()), rel=1e-6)


def test_standard_errors_agree_with_the_bootstrap(draw):
    some, rng, drawn = draw(250, seed=3), np.random.default_rng(1), []
    curve = censoring_curve(some.time, event=some.event, source="here")
    for _ in range(300):
        k = rng.integers(0, 250, 250)
        risk, time, event = some.risk[k], some.time[k], some.event[k]
        uno = uno_concordance(risk, time=time, event=event, censoring=curve, tau=2500.0)
        drawn.append((concordance(risk, time=time, event=event).estimate.value, uno.estimate.value))
    risk, known = some.risk, {"time": some.time, "event": some.event}
    uno = uno_concordance(risk, **known, censoring=curve, tau=2500.0).estimate
    mine = (concordance(risk, **known).estimate.standard_error, uno.standard_error)
    np.testing.assert_allclose(mine, np.std(drawn, axis=0), rtol=0.12)


def test_interval_covers_the_truth_as_often_as_it_says(draw):
    large = draw(20_000, seed=99)
    truth = concordance(large.risk, time=large.time, event=large.event).estimate.value
    found = [draw(60, seed=seed) for seed in range(400)]
    each = [concordance(one.risk, time=one.time, event=one.event).estimate for one in found]
    covered = np.mean([one.low <= truth <= one.high for one in each])
    assert 0.92 < covered < 0.98  # 0.95, standard error 0.011


def test_twenty_thousand_patients_fit_in_memory(draw):
    some, start = draw(20_000), clock.perf_counter()
    tracemalloc.start()
    found = concordance(some.risk, time=some.time, event=some.event)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert found.comparable > 1e7
    assert peak < 150e6
    assert clock.perf_counter() - start < 30.0


def test_order_of_patients_changes_nothing(draw):
    some, order = draw(90, whole_days=True), np.random.default_rng(0).permutation(90)
    one = concordance(some.risk, time=some.time, event=some.event)
    other = concordance(some.risk[order], time=some.time[order], event=some.event[order])
    assert other.estimate.as_dict() == pytest.approx(one.estimate.as_dict())


def test_perfect_ranking_has_a_value_and_no_interval():
    time = np.array([1.0, 2.0, 3.0])
    found = concordance(-time, time=time, event=np.array([True] * 3)).estimate
    assert (found.value, found.low, found.standard_error) == (1.0, None, None)
    assert "no spread" in found.reason


@pytest.mark.parametrize("patients", [0, 1, 5])
def test_patients_without_events_have_a_reason_instead(patients):
    found = concordance(
        np.arange(float(patients)), time=np.ones(patients), event=np.zeros(patients, dtype=bool)
    )
    assert found.estimate.value is None
    assert "comparable" in found.estimate.reason


def test_a_risk_that_is_not_finite_is_refused():
    with pytest.raises(FederationError, match="Risk must be finite, got 1 of 2"):
        concordance(np.array([1.0, np.nan]), time=np.ones(2), event=np.array([True, False]))


def test_uno_equals_scikit_survival(draw):
    some = draw(300, seed=5)
    curve = censoring_curve(some.time, event=some.event, source="here")
    theirs = np.array(list(zip(some.event, some.time, strict=True)), dtype="?,f8")
    value = concordance_index_ipcw(theirs, theirs, some.risk, tau=1500.0)[0]
    found = uno_concordance(
        some.risk, time=some.time, event=some.event, censoring=curve, tau=1500.0
    )
    assert found.estimate.value == pytest.approx(value, abs=1e-10)
    assert (found.tau, found.censoring_source) == (1500.0, "here")


@given(st.lists(PATIENT, min_size=2, max_size=12), st.integers(1, 5))
def test_uno_counts_as_a_slow_loop_with_the_censoring_just_before_each_event(rows, tau):
    risk, time, event, _ = columns(rows)
    curve = censoring_curve(time, event=event, source="here")
    before = [np.prod([1 - h for t, h in hazards(time, event) if t < now]) for now in time]
    used = [g**-2.0 if seen and now < tau else 0.0
            for g, seen, now in zip(before, event, time, strict=True)]  # fmt: skip
    found = uno_concordance(risk, time=time, event=event, censoring=curve, tau=float(tau))
    expected = slow(risk, time, event, used)
    assert (found.concordant, found.comparable) == pytest.approx(expected)


def hazards(time, event):
    """Censoring hazard at each time, events at that time gone before."""
    for now in np.unique(time):
        left = ((time > now) | ((time == now) & ~event)).sum()
        if left:
            yield now, ((time == now) & ~event).sum() / left


def test_uno_is_harrell_when_nobody_is_censored_early(draw):
    some = draw(60)
    event, known = np.ones(60, dtype=bool), {"time": some.time}
    curve = censoring_curve(some.time, event=event, source="here")
    uno = uno_concordance(some.risk, **known, event=event, censoring=curve, tau=1e9)
    assert uno.estimate == concordance(some.risk, **known, event=event).estimate


def test_uno_leaves_out_pairs_whose_earlier_time_reaches_tau():
    time, event = np.array([1.0, 2.0, 3.0]), np.array([True] * 3)
    curve = censoring_curve(time, event=event, source="here")
    found = uno_concordance(-time, time=time, event=event, censoring=curve, tau=2.0)
    assert found.comparable == 2.0  # day 1 before 2 and 3; day 2 is not below tau


def test_mean_within_sites_weighs_by_comparable_pairs():
    one = concordance_from(60.0, comparable=100.0, standard_error=0.05)
    other = concordance_from(270.0, comparable=300.0, standard_error=0.02)
    found = combine_within([one, other])
    assert found.value == pytest.approx(330 / 400)
    # sqrt((0.25 * 0.05)^2 + (0.75 * 0.02)^2) = sqrt(0.00015625 + 0.000225)
    assert found.standard_error == pytest.approx(0.0195256, abs=1e-6)


def test_mean_within_sites_takes_a_site_of_one_mind_at_its_most_uncertain():
    one = concordance_from(270.0, comparable=300.0, standard_error=0.02)
    agreed = concordance_from(2.0, comparable=2.0, standard_error=None)
    found = combine_within([one, agreed])
    # (300/302 * 0.02)^2 + (2/302 * 0.5)^2 = 0.00039471 + 0.00001096
    assert found.standard_error == pytest.approx(np.sqrt(0.00040567), abs=1e-6)


def test_mean_within_sites_leaves_out_sites_without_pairs():
    one = concordance_from(60.0, comparable=100.0, standard_error=0.05)
    none = concordance_from(0.0, comparable=0.0, standard_error=None)
    assert combine_within([one, none]).value == pytest.approx(0.6)
    assert combine_within([none]).reason == "no site has a comparable pair of patients"


def test_mean_within_sites_agrees_with_the_bootstrap_by_site(draw):
    sites, rng = [draw(80, seed=1), draw(150, seed=2)], np.random.default_rng(0)

    def figure(rows):
        return combine_within(
            [concordance(s.risk[k], time=s.time[k], event=s.event[k])
             for s, k in zip(sites, rows, strict=True)]
        )  # fmt: skip

    drawn = [figure([rng.integers(0, n, n) for n in (80, 150)]).value for _ in range(200)]
    found = figure([np.arange(80), np.arange(150)])
    assert found.standard_error == pytest.approx(np.std(drawn), rel=0.15)


def test_one_site_reports_its_pairs_and_uno_its_end_for_json():
    plain = concordance_from(3.0, comparable=4.0, standard_error=0.1)
    assert plain.as_dict()["comparable_pairs"] == 4.0
    time, event = np.array([1.0, 2.0, 3.0]), np.array([True] * 3)
    curve = censoring_curve(time, event=event, source="here")
    uno = uno_concordance(time, time=time, event=event, censoring=curve, tau=2.5).as_dict()
    assert (uno["tau"], uno["censoring_source"]) == (2.5, "here")
