import os

import numpy as np
import pytest

from client.doctor import examine
from client.heads import Heads, head_for
from client.settings import STATE
from fusion.errors import ConcordError, ModelFileError, SiteError
from fusion.readers.cohort import read_cohort

RUN = "0123456789abcdef" * 2


def head(value):
    return {"model.fusion.head.layers.1.weight": np.full((1, 2), value, np.float32)}


def value(found):
    return float(found["model.fusion.head.layers.1.weight"][0, 0])


@pytest.fixture
def heads(tmp_path):
    return Heads(tmp_path, RUN)


def test_a_site_without_heads_has_none(heads):
    assert heads.newest(3) is None


def test_the_newest_up_to_a_round_is_found(heads):
    for number in (1, 2, 5, 12):
        heads.keep(number, head(number))
    assert [value(heads.newest(number)) for number in (1, 3, 5, 11, 99)] == [1, 2, 5, 5, 12]
    assert heads.newest(0) is None


def test_a_repeated_round_replaces_its_head_and_forgets_later_ones(heads):
    for number in (1, 2, 3):
        heads.keep(number, head(number))
    heads.forget(1)
    heads.keep(2, head(20))
    assert value(heads.newest(9)) == 20


def test_runs_are_kept_apart(heads, tmp_path):
    heads.keep(1, head(1))
    assert Heads(tmp_path, RUN[::-1]).newest(1) is None


def test_what_a_crash_leaves_behind_is_not_read(heads, tmp_path):
    heads.keep(1, head(1))
    (tmp_path / "runs" / RUN / f".round-00002.safetensors.{os.getpid()}").write_bytes(b"half")
    assert value(heads.newest(9)) == 1


def test_a_head_that_is_not_finite_is_refused_and_the_one_before_stays(heads):
    heads.keep(1, head(1))
    with pytest.raises(ConcordError, match=r"head must be finite .* in round 2\. Lower") as error:
        heads.keep(2, head(np.nan))
    assert error.value.public == str(error.value)
    assert value(heads.newest(9)) == 1


@pytest.mark.parametrize("run", ["", "../../etc", "0123", RUN.upper(), RUN + "0", RUN + "\n"])
def test_a_name_that_is_none_makes_no_path(tmp_path, run):
    with pytest.raises(ConcordError, match="Run must be named by 32 hexadecimal digits"):
        Heads(tmp_path, run)


def test_a_state_folder_that_cannot_be_written_is_named_at_the_site_alone(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(SiteError, match=r"state folder must be .* written, got '.*file") as error:
        Heads(tmp_path / "file", RUN).keep(1, head(1))
    assert error.value.public == "The site's state folder cannot be written."


def test_a_damaged_head_is_refused(heads, tmp_path):
    heads.keep(1, head(1))
    (tmp_path / "runs" / RUN / "round-00001.safetensors").write_bytes(b"text")
    with pytest.raises(ModelFileError, match="one that Concord wrote"):
        heads.newest(1)


def test_a_model_without_this_sites_head_is_refused(tmp_path):
    with pytest.raises(ModelFileError, match=r"meet this site's own, got none .* with --state"):
        head_for(tmp_path, head(1))


def test_readers_and_doctor_do_not_see_the_state_folder(own_hospitals):
    folder = own_hospitals / "lyon"
    before, told = read_cohort(folder).fingerprint, examine(folder)
    Heads(folder / STATE, RUN).keep(1, head(1))
    assert read_cohort(folder).fingerprint == before
    assert examine(folder) == told
