"""The noised part of an audit: bounds of a patient's row, and figures that hold the noise."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from fusion.interaction.figures import audit_figures
from fusion.interaction.noised import NOISED, NOT_NOISED, bounded_shares, noised_moments
from fusion.interaction.quantities import blocks
from fusion.interaction.tallies import HEAD, AuditTally, audit_tally

NAMES = ("slides", "omics", "clinical")
VALUES = arrays(
    np.float64, (1, 8), elements=st.floats(-1e6, 1e6) | st.sampled_from([0.0, 1e-300, 1e12])
)


@given(VALUES)
def test_no_patient_has_a_part_longer_than_one(values):
    for part in bounded_shares(values, 3).values():
        assert np.linalg.norm(part) <= np.abs(part).sum() <= 1 + 1e-9


def tallied(number=60, seed=1):
    rng = np.random.default_rng(seed)
    return audit_tally(
        rng.standard_normal((number, 8)), modalities=NAMES,
        time=rng.exponential(100, number), event=rng.random(number) < 0.5,
    )  # fmt: skip


def noised(exact, deviation, seed=0):
    """What a site sends: counts and fractions with noise, nothing else."""
    array, places = np.zeros_like(exact.to_array()), blocks(3)
    rng = np.random.default_rng(seed)
    told = [0, 1, *(HEAD + i for name in NOISED for i in range(*places[name].indices(999)))]
    array[told] = exact.to_array()[told] + deviation * rng.standard_normal(len(told))
    return AuditTally.from_array(array, NAMES, deviation)


def test_almost_no_noise_gives_the_exact_shares_with_wider_intervals():
    exact = audit_figures(tallied(), {})
    found = audit_figures(noised(tallied(), 1e-9), {})
    for name in ("local", "published", "moebius"):
        one, two = found["shares"][name], exact["shares"][name]
        for key in ("value", *NAMES):
            assert one[key] == pytest.approx(two[key])
        assert one["standard_error"] >= two["standard_error"]
    assert (found["noised"], exact["noised"], found["patients"]) == (True, False, 60)


def test_intervals_of_noised_shares_hold_the_exact_ones():
    exact = audit_figures(tallied(), {})["shares"]["local"]["value"]
    told = [
        audit_figures(noised(tallied(), 4.0, seed), {})["shares"]["local"] for seed in range(100)
    ]
    assert np.std([one["value"] for one in told]) > 0.03
    held = [one["low"] <= exact <= one["high"] for one in told]
    assert np.mean(held) >= 0.95


def test_the_error_holds_the_bound_on_the_spread_and_the_noise():
    # mean 20 / 100 = 0.2: at most 0.2 * 0.8 * 100 / 99 between patients; noise 3: 9 * 1.04 / 100
    mean, covariance = noised_moments(np.array([20.0]), 100.0, 3.0)
    assert mean.tolist() == [0.2]
    assert covariance[0, 0] == pytest.approx(0.16 * 100 / 99 + 9 * 1.04 / 100)


def test_figures_that_no_noise_can_hide_are_none_with_the_reason():
    found = audit_figures(noised(tallied(), 1.0), {})
    for name in ("ratio", "global", "variance"):
        assert found["shares"][name]["value"] is None
        assert found["shares"][name]["reason"] == NOT_NOISED
    assert found["matrix"] == [[None] * 3] * 3
    assert (found["concordance"]["full"], found["concordance"]["reason"]) == (None, NOT_NOISED)
    assert found["signed"]["mean_interaction"] is None
    assert found["signed"]["synergy"] is not None


def test_a_site_with_noise_and_one_without_add_up_to_noised_figures():
    both = noised(tallied(), 3.0) + tallied(seed=2)
    assert both.noise == 3.0
    assert both.count == pytest.approx(120, abs=12)
    assert audit_figures(both, {})["shares"]["ratio"]["reason"] == NOT_NOISED


def test_an_audit_that_noise_drowns_is_of_nobody():
    found = audit_figures(noised(tallied(4), 50.0), {})
    assert found["patients"] == 0
    assert found["shares"]["local"]["value"] is None
