import json
import os

import pytest

from fusion.errors import ConfigError
from simulations.processes import available_memory, do_all, peak_memory, places


def test_a_failed_task_stops_no_other():
    # json.loads stands for the work: a spawned process must be able to import it
    done = list(do_all(["1", "x", "2"], json.loads, jobs=2, prepare=lambda _: None))
    problems = {one.task: one.problem for one in done}
    assert problems["1"] is problems["2"] is None
    assert problems["x"].startswith("JSONDecodeError: Expecting value")


def test_a_killed_process_is_a_sentence():
    with pytest.raises(ConfigError, match="one killed from outside"):
        list(do_all([9, 9], os._exit, jobs=1, prepare=lambda _: None))


def test_each_task_is_prepared_just_before_it_is_handed_over():
    seen = []
    for done in do_all(["1", "2"], json.loads, jobs=1, prepare=seen.append):
        assert seen[-1] == done.task
    assert seen == ["1", "2"]


@pytest.mark.parametrize(
    ("free", "peak", "expected"),
    [(10, 2, 4), (10, 3, 2), (10, 100, 1), (10, 1, 6), (0, 2, 6), (10, 0, 6)],
)
def test_no_more_processes_than_fit_into_four_fifths_of_the_memory(free, peak, expected):
    assert places(6, free=free, peak=peak) == expected


def test_memory_is_measured():
    assert 2**24 < peak_memory() < available_memory()
