from collections import Counter
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fusion.readers.cohort import Cohort
from fusion.readers.folds import assign_alone, assign_split


def cohort_of(events, fixed=None, name="lyon"):
    number = len(events)
    return Cohort(
        name=name, role="train", encoder="", feature_width=0,
        patients=tuple(f"p{place:03d}" for place in range(number)),
        time=np.arange(1.0, number + 1), event=np.array(events, bool), tables={},
        clinical=pd.DataFrame(index=range(number)), slides=((),) * number,
        fixed_split=None if fixed is None else np.array(fixed), notes=(), fingerprint="",
    )  # fmt: skip


def split_of(cohort, validation=0.16, test=0.2, seed=1):
    return assign_split(cohort, validation=validation, test=test, seed=seed)


def test_sizes_are_the_shares_and_events_are_balanced():
    cohort = cohort_of([True] * 50 + [False] * 50)
    split = split_of(cohort)
    assert Counter(split.tolist()) == {"train": 64, "validation": 16, "test": 20}
    assert [int(cohort.event[split == word].sum()) for word in ("validation", "test")] == [8, 10]


@settings(max_examples=60, deadline=None)
@given(events=st.lists(st.booleans(), min_size=1, max_size=40), seed=st.integers(0, 9))
def test_every_patient_has_one_word_and_somebody_trains(events, seed):
    split = split_of(cohort_of(events), seed=seed)
    assert set(split.tolist()) <= {"train", "validation", "test"}
    assert (split == "train").any()


@settings(max_examples=60, deadline=None)
@given(events=st.integers(0, 60), censored=st.integers(0, 60), seed=st.integers(0, 9))
def test_share_of_events_is_that_of_the_site_within_one_patient(events, censored, seed):
    cohort = cohort_of([True] * events + [False] * (censored + 1))
    split, rate = split_of(cohort, seed=seed), events / (events + censored + 1)
    for word in ("test", "validation"):
        chosen = split == word
        assert abs(cohort.event[chosen].sum() - rate * chosen.sum()) <= 1


@pytest.mark.parametrize(
    ("number", "sizes"),
    [(2, (2, 0, 0)), (3, (2, 0, 1)), (4, (2, 1, 1)), (5, (3, 1, 1)), (20, (13, 3, 4))],
)
def test_tiny_sites_keep_patients_to_train_on(number, sizes):
    split = split_of(cohort_of([True] * number))
    assert tuple(int((split == w).sum()) for w in ("train", "validation", "test")) == sizes


def test_shares_that_would_leave_nobody_leave_one():
    assert Counter(split_of(cohort_of([True, True]), 0.49, 0.5).tolist()) == {"train": 1, "test": 1}


def test_same_seed_same_split_and_another_seed_or_site_another():
    first = split_of(cohort_of([True, False] * 30))
    assert (split_of(cohort_of([True, False] * 30)) == first).all()
    assert (split_of(cohort_of([True, False] * 30), seed=2) != first).any()
    assert (split_of(cohort_of([True, False] * 30, name="graz")) != first).any()


def test_site_that_only_evaluates_is_all_test():
    cohort = replace(cohort_of([True] * 9, ["train"] * 9), role="evaluate-only")
    assert set(split_of(cohort).tolist()) == {"test"}


def test_split_the_site_fixed_stays():
    fixed = ["train", "validation", "test", "train"]
    assert split_of(cohort_of([True] * 4, fixed)).tolist() == fixed


def test_validation_is_carved_from_train_when_the_site_fixed_only_train_and_test():
    fixed = ["train"] * 40 + ["test"] * 10
    split = split_of(cohort_of([True, False] * 25, fixed))
    assert Counter(split.tolist()) == {"train": 32, "validation": 8, "test": 10}  # .16 x 50 = 8
    assert (split[40:] == "test").all()


def alone(cohort, key=b"secret", seed=1):
    return assign_alone(cohort, validation=0.2, test=0.3, seed=seed, key=key)


def test_alone_one_patient_more_moves_no_other_patient():
    whole, fewer = cohort_of([True, False] * 40), cohort_of([True, False] * 40)
    fewer = replace(fewer, patients=fewer.patients[1:], time=fewer.time[1:], event=fewer.event[1:])
    assert alone(whole)[1:].tolist() == alone(fewer).tolist()


def test_alone_the_split_follows_from_the_sites_secret():
    cohort = cohort_of([True, False] * 100)
    assert (alone(cohort) == alone(cohort)).all()
    for other in (alone(cohort, key=b"another"), alone(cohort, seed=2)):
        # independent draws of .5, .2 and .3 agree in .38 of the patients
        assert 0.2 < (alone(cohort) == other).mean() < 0.56
    sizes = Counter(alone(cohort).tolist())
    assert sizes["test"] == pytest.approx(60, abs=25)
    assert sizes["validation"] == pytest.approx(40, abs=22)
