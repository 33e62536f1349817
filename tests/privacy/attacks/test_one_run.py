"""The bound from guesses of one run, by hand and against guessers whose epsilon is known."""

import math

import numpy as np
import pytest

from privacy.accountant import epsilon_of
from privacy.attacks.canaries import run_canaries
from privacy.attacks.one_run import Guesses, audit_delta, canary_scores, one_run


def test_the_chance_without_delta_is_the_binomial_tail():
    # epsilon = ln 3: right with 3/4; P(2 of 2) = 9/16, P(>= 1 of 2) = 15/16
    assert Guesses(2, 2, 10).chance(math.log(3), 0.0) == pytest.approx(9 / 16)
    assert Guesses(1, 2, 10).chance(math.log(3), 0.0) == pytest.approx(15 / 16)


def test_delta_adds_its_part():
    # f(2) = 9/16; i = 1: (15/16 - 9/16) / 1 = 6/16, i = 2: (1 - 9/16) / 2 = 7/32; 2 m delta = .2
    assert Guesses(2, 2, 10).chance(math.log(3), 0.01) == pytest.approx(9 / 16 + 0.2 * 6 / 16)


def test_all_right_bounds_epsilon_by_hand():
    # p^20 = .05, p = .05^(1/20) = .8609, epsilon = ln(p / (1 - p)) = 1.823
    assert Guesses(20, 20, 20).bound(delta=0.0, alpha=0.05) == pytest.approx(1.823, abs=2e-3)
    assert Guesses(10, 20, 20).bound(delta=0.0, alpha=0.05) == 0.0


def test_a_delta_that_is_not_far_below_one_in_the_coins_explains_every_guess():
    guesses = Guesses(100, 100, 400)
    assert guesses.bound(delta=1e-3, alpha=0.05) < guesses.bound(delta=1e-5, alpha=0.05) - 1
    assert audit_delta(400) == 1e-5
    assert audit_delta(10_000) == 1e-6


def answers(random, coins, epsilon):
    """Randomised response: the score says the coin with probability e^eps / (1 + e^eps)."""
    inserted = random.random(coins) < 0.5
    honest = random.random(coins) < 1 / (1 + math.exp(-epsilon))
    return np.where(inserted == honest, 1.0, 0.0) + 1e-6 * random.random(coins), inserted


@pytest.mark.parametrize("epsilon", [0.5, 2.0])
def test_the_bound_holds_and_is_near_for_randomised_response(epsilon):
    random = np.random.default_rng(4)
    found = [one_run(*answers(random, 1000, epsilon), delta=1e-5).lower for _ in range(20)]
    assert sum(lower > epsilon for lower in found) <= 3
    assert np.mean(found) > 0.6 * epsilon


def test_scores_that_know_nothing_bound_nothing():
    random = np.random.default_rng(5)
    found = one_run(random.random(500), random.random(500) < 0.5, delta=1e-5)
    assert found.lower < 0.3
    assert (found.coins, found.delta) == (500, 1e-5)


def test_a_lone_coin_is_not_guessed():
    found = one_run(np.zeros(1), np.ones(1, bool), delta=audit_delta(1))
    assert (found.lower, found.guesses) == (0.0, 0)


@pytest.mark.parametrize("plan_name", ["full", "poisson"])
def test_canaries_are_told_apart_but_never_beyond_the_accountant(plan_name, seeded, request):
    plan = request.getfixturevalue(plan_name)
    run = run_canaries(plan, number=400, seed=2, randomness=seeded(2))
    scores = canary_scores(run.responses, noise_multiplier=2.0, sampling_rate=plan.sampling_rate)
    delta = audit_delta(400)
    found = one_run(scores, run.inserted, delta=delta)
    assert 0 < found.lower < epsilon_of(plan.events(), delta=delta)


def test_scores_of_canaries_by_hand():
    # q = 1: (1 - .5) / 4 + (0 - .5) / 4 = 0; q = .5: ln(.5 + .5 e^.125) + ln(.5 + .5 e^-.125)
    responses = np.array([[1.0], [0.0]])
    assert canary_scores(responses, noise_multiplier=2.0, sampling_rate=1.0) == pytest.approx(0.0)
    mixed = math.log(0.5 + 0.5 * math.exp(0.125)) + math.log(0.5 + 0.5 * math.exp(-0.125))
    assert canary_scores(responses, noise_multiplier=2.0, sampling_rate=0.5) == pytest.approx(mixed)
