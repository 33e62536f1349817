"""What the step test says of a sound engine, and of five unsound ones."""

import math
from dataclasses import replace

import pytest

from privacy.attacks import step
from privacy.attacks.canaries import patches_for
from privacy.attacks.step import SUMS, TOLERANCE, StepFigure, check_step, measure_step
from privacy.engine import ENGINES
from privacy.errors import PrivacyError

HOOKS = pytest.mark.filterwarnings("ignore:Full backward hook is firing:UserWarning")


@pytest.fixture(autouse=True)
def _forget():
    """A plan that was tried before is tried again."""
    step._checked.cache_clear()
    yield
    step._checked.cache_clear()


@HOOKS
@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("noise", [0.6, 40.0])
def test_a_sound_engine_does_what_its_plan_claims(poisson, seeded, engine, noise):
    plan = replace(poisson, noise_multiplier=noise)
    figures = measure_step(plan, engine=engine, randomness=seeded(1))
    assert [str(one) for one in figures if not one.holds] == []
    assert [one.claimed for one in figures] == [noise, 1.0, pytest.approx(1 / noise), 0.0, 0.2]


def test_errors_are_as_large_as_the_figures_vary(full, seeded):
    runs = [measure_step(full, randomness=seeded(seed)) for seed in range(8)]
    for figures in zip(*runs, strict=True):
        off = [(one.found - one.claimed) ** 2 for one in figures]
        if figures[
            0
        ].standard_error:  # the mean square of 8, chi square: .17 to 2.75 in 99 % (chi square)
            ratio = sum(off) / len(off) / figures[0].standard_error ** 2
            assert 0.15 < ratio < 3.0, figures[0].name


@pytest.mark.parametrize(
    ("bug", "found"),
    [
        ("half noise", "noise in clips .* where 2 is claimed; mu"),
        ("the same noise in every step", "likeness of two steps' noise 1 where 0"),
        ("no clipping", r"clips that one patient moves (99|100)[.\d]* where 1 is claimed; mu"),
        ("patch-level clipping", "clips that one patient moves (9.9|10)"),
        ("a wrong sampling rate", r"share of patients drawn 0\.(39|4)\d* where 0\.2 is claimed"),
    ],
)
def test_each_planted_bug_is_flagged_and_nothing_may_be_trained(poisson, plant, bug, found):
    assert len(check_step(poisson)) == 5
    step._checked.cache_clear()
    plant(bug)
    with pytest.raises(PrivacyError, match=rf"what the site's ledger counts, got.*{found}"):
        check_step(poisson)


@pytest.mark.parametrize("bug", ["half noise", "no clipping"])
def test_bugs_stand_out_of_strong_noise_too(poisson, plant, bug):
    plant(bug)
    with pytest.raises(PrivacyError, match="Nothing was trained"):
        check_step(replace(poisson, noise_multiplier=60.0))


@pytest.mark.parametrize("noise", [0.5, 5.0, 50.0, 500.0])
def test_a_canary_has_patches_enough_to_stand_out_of_any_noise(full, noise):
    """Clipped apart, k patches move the sum by k: mu is (k - 1) / z too large."""
    plan = replace(full, noise_multiplier=noise)
    error = math.sqrt((2 + 1 / (4 * noise**2)) / SUMS)
    assert (patches_for(plan) - 1) / noise > 3 * TOLERANCE * error


def test_a_full_batch_that_leaves_somebody_out_is_flagged(full, seeded, monkeypatch):
    monkeypatch.setattr(step, "draw_patients", lambda rows, *_: rows[1:])
    share = measure_step(full, randomness=seeded(1))[-1]
    assert (share.standard_error, share.holds) == (0.0, False)
    assert share.found == pytest.approx((SUMS - 1) / SUMS)


def test_five_standard_errors_are_too_many():
    assert StepFigure("noise", 1.5, 1.0, 0.1).holds
    assert not StepFigure("noise", 1.51, 1.0, 0.1).holds
