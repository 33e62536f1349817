import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from client.node import LATEST, SOON, Pace
from client.warm import TASKS, stand_in

PROGRAM = """
import json, os, sys
from client import warm
warm.import_all = lambda: None
sys.seen = []
def launch():
    sys.seen.append(os.getpid())
    with open(sys.argv[1], "w") as file:
        json.dump({"words": sys.argv[2:], "pid": os.getpid(), "seen": len(sys.seen)}, file)
warm.launch = launch
warm.main()
"""


@pytest.fixture
def worker(tmp_path):
    """A worker whose tasks write what they were told into a file."""
    os.mkfifo(tmp_path / TASKS)
    (tmp_path / "flwr-clientapp").write_text(stand_in(tmp_path))
    words = [sys.executable, "-c", PROGRAM, str(tmp_path / TASKS)]
    with subprocess.Popen(words) as process:
        yield process
        process.terminate()


def do(folder, name):
    """Hand over a task as Flower does, and return what it wrote."""
    out = folder / name
    words = ["sh", str(folder / "flwr-clientapp"), str(out), "--token", name, "--insecure"]
    subprocess.run(words, check=True, timeout=30)
    return wait_for(lambda: json.loads(out.read_text()) if out.is_file() and out.stat().st_size
                    else None)  # fmt: skip


def wait_for(look, seconds=30.0):
    deadline = time.monotonic() + seconds
    while (found := look()) is None:
        assert time.monotonic() < deadline
        time.sleep(0.02)
    return found


def test_each_task_has_a_process_of_its_own_and_finds_nothing_of_the_one_before(worker, tmp_path):
    one, other = do(tmp_path, "one"), do(tmp_path, "other")
    assert one["words"] == ["--token", "one", "--insecure"]
    assert len({one["pid"], other["pid"], worker.pid}) == 3
    assert (one["seen"], other["seen"]) == (1, 1)


def test_a_killed_task_leaves_the_worker_at_work(worker, tmp_path):
    do(tmp_path, "one")
    assert worker.poll() is None
    assert do(tmp_path, "other")["seen"] == 1
    worker.send_signal(signal.SIGTERM)
    assert worker.wait(30) == -signal.SIGTERM


def test_the_worker_ends_with_the_process_that_started_it(tmp_path):
    os.mkfifo(tmp_path / TASKS)
    (tmp_path / "flwr-clientapp").write_text(stand_in(tmp_path))
    code = "import subprocess, sys; print(subprocess.Popen(sys.argv[1:]).pid, flush=True); input()"
    words = [sys.executable, "-c", code, sys.executable, "-c", PROGRAM, str(tmp_path / TASKS)]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as parent:
        worker = Path(f"/proc/{int(parent.stdout.readline())}")
        do(tmp_path, "one")
        parent.kill()
    wait_for(lambda: None if (worker / "exe").exists() else True)


def test_the_supernode_looks_soon_after_work_and_seldom_without():
    assert [Pace.pause(idle) for idle in (0.0, 20.0, 1e4)] == [SOON, 1.0, LATEST]


def test_work_makes_the_supernode_look_soon_again(monkeypatch):
    slept, pace = [], Pace()
    monkeypatch.setattr("client.node.time.sleep", slept.append)
    pace._worked -= 1e4
    for seconds in (3.0, 0.5, 3.0):
        pace.sleep(seconds)
    assert slept[0] == LATEST
    assert all(pause < 0.5 for pause in slept[1:])
