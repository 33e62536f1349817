"""A run's screen, from a checkpoint that a run left between two rounds."""

import os

import numpy as np
import pytest

from fusion.config import from_flat
from server.cli import main
from server.progress import FILE, Progress
from server.rounds import first_record
from server.watch import screen


def record(number, answered, failed=(), **more):
    """A round of three sites."""
    return {
        **first_record(),
        "round": number,
        "answered": list(answered),
        "failed": [{"site": site, "reason": reason} for site, reason in failed],
        "sites": [{"name": name, "concordance": 0.6 + number / 100} for name in answered],
        **more,
    }


@pytest.fixture
def run(tmp_path):
    """Two rounds of five; porto has left, lyon is private."""
    budget = [{"name": "lyon", "epsilon": 1.234, "max_epsilon": 3.0}]
    records = (
        first_record(),
        record(1, ["bergen", "lyon", "porto"]),
        record(2, ["bergen", "lyon"], [("porto", "no answer in 300 s")], privacy=budget),
    )
    model = {"w": np.zeros(2, np.float32)}
    progress = Progress(2, model, model, records=records, seconds=(10.0, 12.0))
    progress.save(tmp_path, from_flat({"rounds": 5, "federation.quorum": 2}), {})
    return tmp_path


def test_one_screen_tells_round_time_quorum_and_sites(run):
    told = screen(run, now=(run / FILE).stat().st_mtime + 7).splitlines()
    assert told[0].endswith("round 2/5 done, 22 s in rounds; round 3 under way for 7 s")
    assert told[1] == "round 2: answered 2, quorum 2; the model moved"
    cells = {line.split()[0]: " ".join(line.split()[1:]) for line in told[5:8]}
    assert cells == {
        "bergen": "round 2 0.620 - -",
        "lyon": "round 2 0.620 1.23 of 3 1.77",
        "porto": "round 1 0.610 - -",
    }


def test_alerts_and_errors_are_on_it(run):
    told = screen(run)
    assert "Alerts:\n  none" in told
    assert "Last errors:\n  porto left in round 2: no answer in 300 s\n  round 2: porto: no" in told


def test_before_the_first_round_it_says_what_is_waited_for(tmp_path):
    assert "opening; the sites describe themselves" in screen(tmp_path)


def test_once_prints_plain_text_and_ends(run, capsys):
    assert main(["watch", str(run), "--once"]) == 0
    told = capsys.readouterr().out
    assert "round 2/5 done" in told
    assert "\x1b" not in told


def test_it_ends_with_the_run(run, capsys):
    os.rename(run / FILE, run / "kept")  # noqa: PTH104 -- a run that has ended
    (run / "audit.json").write_text("{}")
    assert main(["watch", str(run)]) == 0
    assert "opening" in capsys.readouterr().out


def test_a_folder_that_is_not_there_is_a_sentence(tmp_path, capsys):
    assert main(["watch", str(tmp_path / "none"), "--once"]) == 2
    assert "A run to watch must have a folder" in capsys.readouterr().err
