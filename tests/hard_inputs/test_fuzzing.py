"""Damaged folders by the hundred here, by the thousand in `make test-hard`."""

import os
import shutil
from collections import Counter

import pytest

from tests.hard_inputs.fuzzing import ACCEPTED, KINDS, REFUSED, WRONG, judge, opened, sound_folders

CASES = int(os.environ.get("CONCORD_FUZZ", "270"))
"""Damaged folders to make; the seed is the number of the folder."""


@pytest.fixture(scope="module")
def sound(tmp_path_factory):
    return sound_folders(tmp_path_factory.mktemp("sound"))


def test_every_damaged_folder_is_refused_in_a_sentence_or_read_as_it_is(sound, tmp_path, capsys):
    verdicts = [judge(seed, sound, tmp_path) for seed in range(CASES)]
    counts = Counter(one.outcome for one in verdicts)
    with capsys.disabled():
        told = ", ".join(f"{number} {outcome}" for outcome, number in counts.most_common())
        os.write(1, f"\n{CASES} damaged folders: {told}\n".encode())
    assert [one for one in verdicts if one.outcome == WRONG] == []
    assert min(counts[REFUSED], counts[ACCEPTED]) > CASES / 20  # it can see both


def test_a_seed_does_the_same_damage_again(sound, tmp_path):
    assert judge(7, sound, tmp_path) == judge(7, sound, tmp_path)


@pytest.mark.parametrize("kind", dict.fromkeys(KINDS))
def test_the_second_reader_would_notice_a_wrong_cohort(sound, tmp_path, kind):
    """A cohort of the sound folder, held against a folder with one other value, differs."""
    from tests.hard_inputs.fuzzing import compare

    cohort, other = opened(sound[kind]), tmp_path / "other"
    shutil.copytree(sound[kind], other)
    compare(cohort, other)
    table = next(other.glob("clinical.*"))
    content = table.read_bytes()
    if table.suffix == ".csv":
        table.write_bytes(content.replace(b",200,", b",201,"))
    else:
        import pandas as pd

        rows = pd.read_parquet(table)
        rows.assign(time_days=rows["time_days"].replace(200, 201)).to_parquet(table)
    with pytest.raises(AssertionError):
        compare(cohort, other)
