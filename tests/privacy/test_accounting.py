import math
from dataclasses import replace

import dp_accounting
import pytest
from dp_accounting.pld import PLDAccountant
from hypothesis import given, settings
from hypothesis import strategies as st
from opacus.accountants import PRVAccountant
from scipy.optimize import brentq
from scipy.stats import norm

from privacy.accountant import epsilon_of, spent
from privacy.calibration import noise_multiplier_for, plan_within
from privacy.errors import PrivacyError
from privacy.events import PrivacyEvent, merged
from privacy.plan import PrivacyPlan

TRAINING = PrivacyEvent("gaussian", 2.5, 0.2, 100)


def of_gaussians(mu, delta):
    """Closed form of Balle and Wang 2018: delta(epsilon) of N(0, 1) against N(mu, 1)."""

    def excess(epsilon):
        tail = norm.cdf(mu / 2 - epsilon / mu)
        return tail - math.exp(epsilon) * norm.cdf(-mu / 2 - epsilon / mu) - delta

    return brentq(excess, 0, 200)


@pytest.mark.parametrize(("multiplier", "count"), [(10.0, 100), (2.0, 1), (25.0, 100), (1.0, 1)])
def test_full_batch_steps_cost_what_the_closed_form_says(multiplier, count):
    exact = of_gaussians(math.sqrt(count) / multiplier, 1e-3)
    found = epsilon_of([PrivacyEvent("gaussian", multiplier, count=count)], delta=1e-3)
    assert exact <= found + 1e-9
    assert found == pytest.approx(exact, rel=1e-3)


def test_one_laplace_release_costs_one_over_its_scale():
    assert epsilon_of([PrivacyEvent("laplace", 4.0)], delta=1e-12) == pytest.approx(0.25, rel=1e-3)


@pytest.mark.filterwarnings("ignore::UserWarning:opacus", "ignore::RuntimeWarning:opacus")
@pytest.mark.parametrize(
    "history",
    [
        [TRAINING],
        [TRAINING, PrivacyEvent("gaussian", 12.0, count=4)],
        [PrivacyEvent("gaussian", 1.2, 0.05, 200), PrivacyEvent("gaussian", 3.0, 0.5, 20)],
    ],
)
def test_sampled_steps_cost_what_opacus_says(history):
    opacus = PRVAccountant()
    opacus.history = [(e.noise_multiplier, e.sampling_rate, e.count) for e in history]
    found = epsilon_of(history, delta=1e-3)
    assert found == pytest.approx(opacus.get_epsilon(1e-3), rel=0.01)


@settings(max_examples=8, deadline=None)
@given(
    st.lists(
        st.builds(
            PrivacyEvent,
            st.just("gaussian"),
            st.floats(1.0, 20.0),
            st.sampled_from([0.1, 0.5, 1.0]),
            st.integers(1, 30),
        )
        | st.builds(PrivacyEvent, st.just("laplace"), st.floats(1.0, 20.0)),
        min_size=1,
        max_size=4,
    )
)
def test_mixed_histories_cost_what_the_library_says_of_them_one_by_one(history):
    library = PLDAccountant()
    for event in history:
        one = (
            dp_accounting.LaplaceDpEvent(event.noise_multiplier)
            if event.mechanism == "laplace"
            else dp_accounting.PoissonSampledDpEvent(
                event.sampling_rate, dp_accounting.GaussianDpEvent(event.noise_multiplier)
            )
        )
        library.compose(dp_accounting.SelfComposedDpEvent(one, event.count))
    assert epsilon_of(history, delta=1e-3) == pytest.approx(library.get_epsilon(1e-3), rel=0.01)


def test_gaussian_events_over_everybody_become_one():
    # 1 / z^2 = 4 / 6^2 + 2 / 3^2 = 1 / 3
    events = [PrivacyEvent("gaussian", 6.0, count=4), PrivacyEvent("gaussian", 3.0, count=2)]
    (one,) = merged(events)
    assert one.count == 1
    assert one.noise_multiplier == pytest.approx(math.sqrt(3.0))


def test_renyi_orders_bound_the_same_history_from_above():
    found = spent([TRAINING], delta=1e-3)
    assert found.epsilon < found.epsilon_rdp < 1.3 * found.epsilon


def test_nothing_costs_nothing():
    assert epsilon_of([], delta=1e-3) == 0.0


@pytest.mark.parametrize(("epsilon", "rate"), [(1.0, 0.2), (3.0, 0.2), (3.0, 1.0)])
def test_the_noise_is_the_least_that_keeps_within_epsilon(epsilon, rate):
    found = noise_multiplier_for(epsilon, delta=1e-3, steps=100, sampling_rate=rate)
    cost = [
        epsilon_of([PrivacyEvent("gaussian", found * factor, rate, 100)], delta=1e-3)
        for factor in (1.0, 0.998)
    ]
    assert cost[0] <= epsilon < cost[1]


def test_what_stands_beside_training_takes_its_part_of_epsilon():
    like = PrivacyPlan(1.0, max_grad_norm=1.0, steps=100, delta=1e-3, sampling_rate=0.2)
    alone = plan_within(3.0, like)
    plan = plan_within(3.0, replace(like, releases=(PrivacyEvent.parse("gaussian:12:4"),)))
    assert plan.noise_multiplier > alone.noise_multiplier
    assert 2.99 < plan.spent().epsilon <= 3.0
    assert plan.expected_batch == 20.0
    assert plan.sampling == "poisson"


def test_rounds_of_a_plan_cost_together_what_the_plan_says():
    plan = PrivacyPlan(5.0, max_grad_norm=1.0, steps=12, delta=1e-3)
    rounds = [plan.training(3)] * 4
    assert epsilon_of(rounds, delta=1e-3) == pytest.approx(plan.spent().epsilon, rel=1e-9)
    assert plan.sampling == "full"


@pytest.mark.parametrize("epsilon", [0.0, -1.0, math.inf, math.nan])
def test_an_epsilon_that_promises_nothing_is_refused(epsilon):
    with pytest.raises(PrivacyError, match="epsilon must be a number > 0"):
        noise_multiplier_for(epsilon, delta=1e-3, steps=10)


def test_an_epsilon_that_is_spent_already_is_refused():
    with pytest.raises(
        PrivacyError, match=r"exceed what is spent beside training, got 1 with 5\.9"
    ):
        noise_multiplier_for(1.0, delta=1e-3, steps=10, beside=[PrivacyEvent("gaussian", 0.6)])


@pytest.mark.parametrize("delta", [0.0, 1.0, -1e-3])
def test_a_delta_out_of_range_is_refused(delta):
    with pytest.raises(PrivacyError, match=r"delta must be in \(0, 1\)"):
        epsilon_of([TRAINING], delta=delta)


def test_a_delta_that_gives_one_patient_away_is_refused():
    with pytest.raises(PrivacyError, match=r"delta must be < 1 / public_size = 0\.01"):
        PrivacyPlan(1.0, max_grad_norm=1.0, steps=1, delta=0.01, public_size=100)


@pytest.mark.parametrize("nothing", [{"max_grad_norm": 0.0}, {"steps": 0}, {"public_size": 0}])
def test_a_plan_of_nothing_is_refused(nothing):
    fields = {"max_grad_norm": 1.0, "steps": 1, "public_size": 10} | nothing
    with pytest.raises(PrivacyError, match=f"{next(iter(nothing))} must be > 0"):
        PrivacyPlan(1.0, delta=1e-3, **fields)


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ({"mechanism": "gaussian", "noise_multiplier": 0.0}, "noise_multiplier must be"),
        ({"mechanism": "gaussian", "noise_multiplier": math.nan}, "noise_multiplier must be"),
        ({"mechanism": "gaussian", "noise_multiplier": 1.0, "sampling_rate": 0.0}, "sampling_rate"),
        ({"mechanism": "gaussian", "noise_multiplier": 1.0, "count": 0}, "count must be >= 1"),
        (
            {"mechanism": "laplace", "noise_multiplier": 1.0, "sampling_rate": 0.5},
            "sampled release",
        ),
    ],
)
def test_an_event_out_of_range_is_refused(words, told):
    with pytest.raises(PrivacyError, match=told):
        PrivacyEvent(**words)


def test_an_event_is_read_as_typed():
    assert PrivacyEvent.parse("gaussian:12:4") == PrivacyEvent("gaussian", 12.0, count=4)
    assert PrivacyEvent.parse("laplace:4") == PrivacyEvent("laplace", 4.0)


@pytest.mark.parametrize(
    "text", ["gaussian", "uniform:1", "gaussian:x", "gaussian:1:2:3", "gaussian:1:1.5", ""]
)
def test_a_release_typed_otherwise_is_refused(text):
    with pytest.raises(PrivacyError, match=r"must be mechanism:noise_multiplier\[:count\]"):
        PrivacyEvent.parse(text)


def test_a_run_without_steps_is_refused():
    with pytest.raises(PrivacyError, match="steps must be >= 1, got 0"):
        noise_multiplier_for(1.0, delta=1e-3, steps=0)
