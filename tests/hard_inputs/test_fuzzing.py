"""Damaged folders by the hundred here, by the thousand in `make test-hard`."""

import shutil
import sys
from collections import Counter

import pandas as pd
import pytest

from tests.hard_inputs.fuzzing import (
    ACCEPTED,
    KINDS,
    REFUSED,
    WRONG,
    compare,
    judge,
    opened,
    sound_folders,
)


@pytest.fixture(scope="module")
def sound(tmp_path_factory):
    return sound_folders(tmp_path_factory.mktemp("sound"))


def judged(seeds, sound, place):
    verdicts = [judge(seed, sound, place) for seed in seeds]
    assert [one for one in verdicts if one.outcome == WRONG] == []
    counts = Counter(one.outcome for one in verdicts)
    assert min(counts[REFUSED], counts[ACCEPTED]) > len(seeds) / 10  # it can see both
    return counts


def test_a_damaged_folder_is_refused_in_a_sentence_or_read_as_it_is(sound, tmp_path):
    assert judged(range(135), sound, tmp_path).total() == 135


@pytest.mark.hard
def test_five_thousand_damaged_folders_are_refused_or_read_as_they_are(sound, tmp_path):
    counts = judged(range(5000), sound, tmp_path)
    sys.stdout.write(f"\n5000 damaged folders: {dict(counts)}\n")


def test_a_seed_does_the_same_damage_again(sound, tmp_path):
    assert judge(7, sound, tmp_path) == judge(7, sound, tmp_path)


@pytest.mark.parametrize("kind", dict.fromkeys(KINDS))
def test_the_second_reader_would_notice_a_wrong_cohort(sound, tmp_path, kind):
    """A cohort of the sound folder, held against a folder with one other value, differs."""
    cohort, other = opened(sound[kind]), tmp_path / "other"
    shutil.copytree(sound[kind], other)
    compare(cohort, other)
    table = next(other.glob("clinical.*"))
    content = table.read_bytes()
    if table.suffix == ".csv":
        table.write_bytes(content.replace(b",200,", b",201,"))
    else:
        rows = pd.read_parquet(table)
        rows.assign(time_days=rows["time_days"].replace(200, 201)).to_parquet(table)
    with pytest.raises(AssertionError):
        compare(cohort, other)
