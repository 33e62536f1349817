import json
import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import pandas as pd
import pytest

from fusion.readers.cohort import read_cohort
from fusion.readers.folds import assign_split
from simulations.cli import main

QUICK = ["rounds=1", "training.local-steps=1", "split.validation=0.25", "split.test=0.25"]
SETTINGS = [word for pair in QUICK for word in ("--set", pair)]


@pytest.fixture(scope="module")
def words(hospitals):
    return [
        "compare",
        "--sites",
        str(hospitals),
        "--models",
        "linear",
        "--setting",
        "federated",
        *SETTINGS,
    ]


@pytest.fixture(scope="module")
def compared(words, tmp_path_factory):
    """A comparison in two real processes; look, do not touch."""
    out = tmp_path_factory.mktemp("compare") / "out"
    command = [sys.executable, "-m", "simulations.cli", *words, "--out", str(out), "--json"]
    command += ["--seeds", "2,7", "--jobs", "2"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return out, json.loads(done.stdout), done.stderr


def test_splits_are_those_of_a_single_run(compared, hospitals):
    folds = pd.read_csv(compared[0] / "folds.csv").set_index("patient")
    for seed in (2, 7):
        split = folds[folds["repeat"] == seed]["split"]
        for folder in hospitals.iterdir():
            cohort = read_cohort(folder)
            expected = assign_split(cohort, validation=0.25, test=0.25, seed=seed)
            assert split.loc[list(cohort.patients)].tolist() == expected.tolist()


def test_what_it_says_is_the_table_it_writes(compared):
    out, told, progress = compared
    means = pd.read_csv(out / "means.csv")
    assert [row["model"] for row in told["means"]] == means["model"].tolist()
    assert told["failures"] == []
    assert "2/2 sites 7.1" in progress
    assert "about 0.0 min left" in progress
    assert "aggregate_train" not in progress


def test_a_second_call_finds_everything_done(compared, words, capsys):
    assert main([*words, "--out", str(compared[0]), "--seeds", "2,7"]) == 0
    told = capsys.readouterr()
    assert "2 of 2 runs are there already" in told.err
    assert "linear  federated" in told.out


def children_of(parent):
    """Return the processes that a process started, by number."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            number, rest = stat.read_text().split(" ", 1)
            if int(rest.rsplit(")", 1)[1].split()[1]) == parent:
                found.append(int(number))
    return found


def wait_for(condition, seconds=300.0):
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until
        time.sleep(0.05)


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="needs /proc")
def test_a_killed_comparison_leaves_no_process_and_is_continued(words, tmp_path, capsys):
    out = tmp_path / "out"
    command = [sys.executable, "-m", "simulations.cli", *words, "--out", str(out), "--jobs", "1"]
    running = subprocess.Popen([*command, "--seeds", "3"], stderr=subprocess.DEVNULL)
    first = out / "runs/sites-1-1/federated/linear/result.json"
    wait_for(first.is_file)
    workers = children_of(running.pid)
    running.kill()
    running.wait()
    assert workers
    wait_for(lambda: not any(Path(f"/proc/{worker}").exists() for worker in workers))
    written = first.stat().st_mtime_ns
    assert main([*words, "--out", str(out), "--seeds", "3", "--jobs", "1"]) == 0
    assert first.stat().st_mtime_ns == written
    assert "of 3 runs are there already" in capsys.readouterr().err
    assert pd.read_csv(out / "runs.csv")["seed"].tolist() == [1, 2, 3]


def test_an_interrupted_comparison_says_so_and_nothing_else(words, tmp_path):
    command = [sys.executable, "-m", "simulations.cli", *words, "--out", str(tmp_path / "out")]
    running = subprocess.Popen(
        [*command, "--seeds", "2", "--jobs", "1"],
        stderr=subprocess.PIPE, text=True, start_new_session=True,
    )  # fmt: skip
    wait_for((tmp_path / "out/sites/sites-1-1").is_dir)
    os.killpg(running.pid, signal.SIGINT)
    _, told = running.communicate()
    assert running.returncode == 130
    assert told == "0 of 2 runs are there already\ninterrupted\n"


def test_a_run_that_fails_is_told_at_the_end_and_the_others_are_kept(
    own_hospitals, tmp_path, capsys
):
    for site in own_hospitals.iterdir():
        table = pd.read_csv(site / "clinical.csv").drop(columns="age")
        table.to_csv(site / "clinical.csv", index=False)
    words = ["compare", "--sites", str(own_hospitals), "--models", "ridge,ridge+age", *SETTINGS]
    code = main([*words, "--out", str(tmp_path / "out"), "--seeds", "1", "--jobs", "1"])
    told = capsys.readouterr()
    assert code == 1
    assert "failed: sites 1.1 ridge+age pooled: Clinical column must be one the site" in told.err
    assert pd.read_csv(tmp_path / "out" / "runs.csv")["model"].tolist() == ["ridge"]


@pytest.mark.parametrize(
    ("more", "match"),
    [
        (["--models", "all,gatd"], "got 'gatd'. Did you mean 'gated'?"),
        (["--seeds", "a"], "--seeds must be 5 or 1,2,7, say, got 'a'"),
        (["--seeds", "0"], "--seeds must be 5 or 1,2,7, say, got '0'"),
        (["--jobs", "0"], "--jobs must be >= 1, got 0"),
        (["--set", "rounds"], "--set must be KEY=VALUE, got 'rounds'"),
        (["--sites", "none"], "Sites must be a folder of site folders"),
    ],
)
def test_a_wrong_word_is_a_sentence(words, tmp_path, capsys, more, match):
    assert main([*words, "--out", str(tmp_path / "out"), *more]) == 2
    assert match in capsys.readouterr().err
    assert not Path(tmp_path / "out").exists()
