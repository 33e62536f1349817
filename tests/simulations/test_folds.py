from dataclasses import replace

import numpy as np
import pytest

from fusion.errors import ConfigError
from fusion.seeding import generator
from simulations.folds import (
    Fold,
    carve_validation,
    hospital_folds,
    random_folds,
    small_pooled,
)

SIZES = {"a": 60, "b": 30, "c": 25, "d": 20, "e": 12, "f": 9, "g": 4, "h": 1}
HOSPITAL = np.repeat(list(SIZES), list(SIZES.values()))
EVENT = np.random.default_rng(1).random(len(HOSPITAL)) < 0.3


def fold(site, split):
    return Fold("random", 1, 1, 1, np.array(site), np.array(split))


def whole_hospitals(seed, folds=3):
    return hospital_folds(HOSPITAL, EVENT, folds=folds, rng=generator(seed, "folds"))


def test_random_folds_are_of_one_size_and_balanced_by_event():
    found = random_folds(EVENT, folds=5, rng=generator(1, "folds"))
    assert set(found) == {1, 2, 3, 4, 5}
    for counts in (np.bincount(found)[1:], np.bincount(found, weights=EVENT)[1:]):
        assert counts.max() - counts.min() <= 1


def test_equal_seeds_give_equal_folds_and_others_do_not():
    first, again, other = (
        random_folds(EVENT, folds=5, rng=generator(seed, "folds")) for seed in (1, 1, 2)
    )
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()


@pytest.mark.parametrize("seed", range(1, 6))
def test_a_hospital_lies_whole_in_one_fold(seed):
    found = whole_hospitals(seed)
    assert all(len(set(found[name == HOSPITAL])) == 1 for name in SIZES)
    assert set(found) == {1, 2, 3}


@pytest.mark.parametrize("seed", range(1, 6))
def test_folds_of_hospitals_are_balanced_as_far_as_the_largest_allows(seed):
    # 161 patients: 53.7 a fold; the largest hospital alone has 60
    counts = np.bincount(whole_hospitals(seed))[1:]
    assert counts.max() <= 75
    assert counts.min() >= 30


def test_repeats_put_hospitals_together_in_other_ways():
    together = {
        tuple(tuple(np.unique(HOSPITAL[whole_hospitals(seed) == number])) for number in (1, 2, 3))
        for seed in range(1, 9)
    }
    assert len(together) > 4


def test_more_folds_than_hospitals_are_refused():
    with pytest.raises(ConfigError, match="at most the number of hospitals, got 9 folds of 8"):
        whole_hospitals(1, folds=9)


def test_folds_with_a_lone_test_patient_are_refused():
    with pytest.raises(ConfigError, match="must leave two patients to test in each, got 90 folds"):
        random_folds(EVENT, folds=90, rng=generator(1))


def test_small_hospitals_become_one_site():
    found = small_pooled(HOSPITAL, min_patients=12)
    assert set(found) == {"a", "b", "c", "d", "e", "pooled-small"}
    assert (found == "pooled-small").sum() == 9 + 4 + 1


def test_validation_is_carved_from_each_site_and_balanced_by_event():
    site = small_pooled(HOSPITAL, min_patients=20)
    tests = random_folds(EVENT, folds=5, rng=generator(1)) == 1
    given = Fold("random", 1, 1, 1, site, np.where(tests, "test", "train"))
    found = carve_validation(site, EVENT, given, share=0.2)
    np.testing.assert_array_equal(found.tests, tests)
    for name in np.unique(site):
        here = (found.site == name) & ~tests
        validation = here & (found.split == "validation")
        assert abs(validation.sum() - 0.2 * here.sum()) <= 0.5
        assert abs(EVENT[validation].sum() - 0.2 * EVENT[here].sum()) <= 1


def test_lone_patients_join_others_on_their_side():
    site = ["a", "a", "a", "b", "b", "b", "c", "c"]
    split = ["train", "train", "test", "train", "train", "test", "test", "test"]
    found = fold(site, split).settled()
    small = "pooled-small"
    assert found.site.tolist() == ["a", "a", small, "b", "b", small, "c", "c"]


def test_a_patient_whom_nobody_joins_goes_to_the_largest_site():
    found = fold(["a", "a", "b", "c", "c"], ["test"] * 3 + ["train"] * 2).settled()
    assert found.site.tolist() == ["a", "a", "a", "c", "c"]


def test_a_lone_validation_patient_trains():
    found = fold(["a"] * 4, ["train", "train", "validation", "test"]).settled()
    assert found.split.tolist() == ["train", "train", "train", "test"]
    kept = fold(["a"] * 5, ["train", "train", "validation", "validation", "test"]).settled()
    assert kept.split.tolist()[2:4] == ["validation", "validation"]


def test_settling_leaves_the_given_fold_alone():
    given = fold(["a", "a", "b"], ["test", "test", "test"])
    given.settled()
    assert given.site.tolist() == ["a", "a", "b"]
    assert replace(given, number=2).name == "random-1-2"
