"""Epsilon as measured with canaries: below the accountant's for a sound engine, above for bugs."""

from dataclasses import replace

import numpy as np
import pytest

from privacy.accountant import epsilon_of
from privacy.attacks.canaries import (
    canary_epsilon,
    gaussian_epsilon,
    least_share,
    run_canaries,
)
from privacy.events import PrivacyEvent
from privacy.randomness import SystemRandomness


def measured(plan, randomness, seed=1, number=300):
    run = run_canaries(plan, number=number, seed=seed, randomness=randomness)
    return canary_epsilon(run, delta=plan.delta)


def test_bounds_hold_over_seeds_and_estimates_are_near(full, seeded):
    # 95 % each: of 20 bounds more than 3 are too high in 2 % of all cases, and seeds are fixed
    epsilon = full.spent().epsilon
    found = [measured(full, seeded(seed), seed) for seed in range(20)]
    assert sum(one.lower > epsilon for one in found) <= 3
    assert np.mean([one.epsilon for one in found]) == pytest.approx(epsilon, rel=0.1)
    assert min(one.lower for one in found) > 0.3 * epsilon
    assert found[0].noise_multiplier == pytest.approx(2.0, rel=0.1)


def test_the_bound_of_a_sampled_run_is_near_and_below(poisson, seeded):
    epsilon = poisson.spent().epsilon
    found = measured(poisson, seeded(3))
    assert 0.6 * epsilon < found.lower < epsilon
    assert found.epsilon == pytest.approx(epsilon, rel=0.15)
    assert found.sampling_rate == pytest.approx(0.2, abs=0.03)


@pytest.mark.parametrize("bug", ["half noise", "no clipping", "patch-level clipping"])
def test_a_planted_bug_brings_the_bound_above_the_accountant(full, plant, bug):
    plant(bug)
    assert measured(full, SystemRandomness(), number=100).lower > full.spent().epsilon


def test_a_wrong_sampling_rate_brings_the_bound_above_the_accountant(poisson, seeded, plant):
    plant("a wrong sampling rate")
    assert measured(poisson, seeded(1)).lower > poisson.spent().epsilon


def test_an_accountant_that_begins_anew_each_round_is_found_out(full, seeded):
    """Its epsilon is that of one round of four; the canaries lived through all of them."""
    one_round = epsilon_of([full.training(1)], delta=full.delta)
    assert measured(full, seeded(1)).lower > one_round


def test_no_noise_at_all_is_an_infinite_epsilon(full):
    class Silence:
        def uniform(self, number):
            return np.full(number, 0.5)

        def normal(self, number):
            return np.zeros(number)

    assert measured(full, Silence(), number=20).lower == np.inf


def test_a_run_that_draws_nobody_bounds_nothing(poisson, seeded):
    plan = replace(poisson, sampling_rate=1e-6, steps=1)
    assert measured(plan, seeded(1), number=20).lower == 0.0


def test_about_half_of_the_canaries_take_part_and_only_they_are_drawn(poisson, seeded):
    run = run_canaries(replace(poisson, steps=3), number=200, seed=5, randomness=seeded(1))
    assert 70 < run.inserted.sum() < 130
    assert not run.drawn[:, ~run.inserted].any()
    assert run.drawn.shape == run.responses.shape == (3, 200)


def test_least_share_by_hand():
    # P(X >= 1 | n = 1, p) = p = 0.025; 0 of n: nothing is known; all of n: nobody was left out
    assert least_share(1, 2) == pytest.approx(1 - 0.975**0.5)  # 1 - (1 - p)^2 = 0.025
    assert (least_share(0, 10), least_share(10, 10)) == (0.0, 1.0)


@pytest.mark.parametrize("mu", [0.2, 2.0])
def test_the_gaussian_epsilon_is_the_accountants(mu):
    by_distributions = epsilon_of([PrivacyEvent("gaussian", 1 / mu)], delta=1e-3)
    assert gaussian_epsilon(mu, delta=1e-3) == pytest.approx(by_distributions, rel=5e-3)
    # Phi(mu / 2) - Phi(-mu / 2) = .008 for mu = .02: epsilon 0 is enough at delta .01
    assert gaussian_epsilon(0.02, delta=0.01) == gaussian_epsilon(-1.0, delta=0.01) == 0.0
