"""The likelihood ratio attack and its figures, by hand and against known distributions."""

import numpy as np
import pytest

from privacy.attacks.membership import clopper_pearson, likelihood_ratios, membership


def test_the_area_and_its_interval_by_hand():
    # pairs: 3 > 2, 3 > 0, 1 < 2, 1 > 0: 3 of 4. Member means (1, .5), others' (.5, 1):
    # variances .125 each; .125 / 2 + .125 / 2 = .125, 1.96 sqrt(.125) = .693
    found = membership(np.array([3.0, 1.0, 2.0, 0.0]), np.array([True, True, False, False]))
    assert found.auc.value == 0.75
    assert (found.auc.low, found.auc.high) == (pytest.approx(0.75 - 0.693, abs=1e-3), 1.0)
    assert (found.members, found.others) == (2, 2)


def test_ties_count_half_and_unknown_scores_are_left_out():
    scores = np.array([1.0, 1.0, np.nan, 1.0, 1.0])
    found = membership(scores, np.array([True, True, True, False, False]))
    assert (found.auc.value, found.members) == (0.5, 2)
    assert membership(scores, np.array([True, True, True, True, False])) is None


def test_members_found_are_counted_above_the_threshold_of_false_alarms():
    others, members = np.arange(100.0), np.array([10.0, 94.5, 97.5, 99.5])
    found = membership(np.concatenate([members, others]), np.arange(104) < 4).found
    # at most 5 of 100 others may exceed the threshold, 94; at most 1: 98
    assert (found[0.05].value, found[0.01].value) == (0.75, 0.25)


def test_an_interval_of_a_share_by_hand():
    # 0 of 10: high solves (1 - p)^10 = .025
    assert clopper_pearson(0, 10).high == pytest.approx(1 - 0.025**0.1)
    assert clopper_pearson(10, 10).low == pytest.approx(0.025**0.1)


def test_the_interval_of_the_area_covers_in_about_19_of_20():
    # normal scores, one standard deviation apart: the area is Phi(1 / sqrt 2) = .7602
    random, covered = np.random.default_rng(1), 0
    member = np.arange(150) < 90
    for _ in range(400):
        auc = membership(random.standard_normal(150) + member, member).auc
        covered += auc.low <= 0.7602 <= auc.high
    assert 0.92 <= covered / 400 <= 0.98


def attacked(random, shift, patients=400, models=32):
    """Confidences that are `shift` standard deviations higher for members."""
    inside = random.random((models, patients)) < 0.5
    level, member = random.standard_normal(patients), random.random(patients) < 0.5
    noise = random.standard_normal((models, patients))
    shadows = 5 * level + noise + shift * inside
    target = 5 * level + random.standard_normal(patients) + shift * member
    return membership(likelihood_ratios(target, shadows, inside), member)


def test_the_ratio_finds_a_shift_that_hides_behind_differences_of_patients():
    # two normal variables two deviations apart: Phi(2 / sqrt 2) = .921 for who knows the means
    assert attacked(np.random.default_rng(2), 2.0).auc.value == pytest.approx(0.915, abs=0.03)


def test_without_a_difference_nobody_is_found():
    auc = attacked(np.random.default_rng(3), 0.0).auc
    assert auc.low < 0.5 < auc.high


def test_the_ratio_by_hand_and_unknown_without_models_on_both_sides():
    # in: 3, 5 (mean 4); out: 1, 1 (mean 1); residuals 1, 1, 0, 0 over 4 - 2: variance 1
    # (4 - 1) (3 - 2.5) / 1 = 1.5; the second patient is in three of four models
    shadows = np.array([[3.0, 3.0], [5.0, 5.0], [1.0, 1.0], [1.0, 1.0]])
    inside = np.array([[True, True], [True, True], [False, True], [False, False]])
    found = likelihood_ratios(np.array([3.0, 3.0]), shadows, inside)
    assert found[0] == pytest.approx(1.5)
    assert np.isnan(found[1])
