import os

import pytest

from fusion.errors import SiteError
from fusion.readers.formats.stamp import Stamp, sampled


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "p07.h5"
    path.write_bytes(bytes(100_000))
    return path


def test_a_file_that_stays_passes(file):
    Stamp.of(file).check(file)


@pytest.mark.parametrize("change", ["size", "time"])
def test_a_file_that_changes_is_an_error(file, change):
    before = Stamp.of(file)
    file.write_bytes(bytes(100_001 if change == "size" else 100_000))
    if change == "time":
        os.utime(file, ns=(before.changed + 1, before.changed + 1))
    with pytest.raises(SiteError, match=r"must stay as they are .* got 'p07.h5' changed") as caught:
        before.check(file)
    assert "p07" not in caught.value.public


def test_a_file_that_is_gone_is_left_to_who_opens_it(file):
    before = Stamp.of(file)
    file.unlink()
    before.check(file)


@pytest.mark.parametrize("place", [0, 25_000, 50_000, 73_000, 99_999])
def test_a_sample_sees_the_beginning_the_end_and_between(file, place):
    """Pieces of 4,096 begin at 0, 23,976, 47,952, 71,928 and 95,904."""
    before, content = sampled(file), bytearray(100_000)
    content[place] = 1
    file.write_bytes(bytes(content))
    assert sampled(file) != before


@pytest.mark.parametrize("size", [0, 1, 4096, 5000])
def test_a_sample_sees_all_of_a_small_file(tmp_path, size):
    one, other = tmp_path / "one", tmp_path / "other"
    one.write_bytes(bytes(size))
    other.write_bytes(bytes(max(0, size - 1)) + b"1")
    assert sampled(one) != sampled(other)
    other.write_bytes(bytes(size))
    assert sampled(one) == sampled(other)
