import os
import signal
import socket
import sys
import time
from pathlib import Path

import pytest

from simulations.programs import Programs, free_ports

LINUX = pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="needs /proc")

# Starts a child in a session of its own, as Flower does, writes its number and ends.
DETACHING = (
    "import subprocess, sys; print(subprocess.Popen(['sleep', '60'], start_new_session=True).pid)"
)
DEAF = (
    "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('on', flush=True);"
    "time.sleep(60)"
)


def said(path):
    deadline = time.monotonic() + 20
    while not (path.exists() and path.read_text()):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    return path.read_text().strip()


def lives(number):
    try:
        os.kill(number, 0)
    except ProcessLookupError:
        return False
    return "Z" not in Path(f"/proc/{number}/stat").read_text().split()[2]


@LINUX
def test_a_detached_child_whose_parent_has_ended_is_stopped_too(tmp_path):
    with Programs(tmp_path, os.environ) as programs:
        parent = programs.start([sys.executable, "-c", DETACHING], log="log")
        child = int(said(tmp_path / "log"))
        assert parent.wait(20) == 0
        assert programs.living() == [child]
    assert not lives(child)


def test_a_program_that_does_not_listen_to_the_request_is_made_to_end(tmp_path):
    programs = Programs(tmp_path, os.environ)
    program = programs.start([sys.executable, "-c", DEAF], log="log")
    assert said(tmp_path / "log") == "on"
    programs.stop(grace=0.2)
    assert program.poll() == -signal.SIGKILL
    assert programs.living() == []


def test_programs_are_stopped_when_the_block_fails(tmp_path):
    started = []

    def fail():
        with Programs(tmp_path, os.environ) as programs:
            started.append(programs.start(["sleep", "60"], log="log"))
            raise RuntimeError("in between")

    with pytest.raises(RuntimeError, match="in between"):
        fail()
    assert started[0].poll() == -signal.SIGTERM


def test_other_programs_are_left_alone(tmp_path):
    with Programs(tmp_path, os.environ) as other:
        program = other.start(["sleep", "60"], log="other")
        with Programs(tmp_path, os.environ) as programs:
            programs.start(["sleep", "60"], log="log")
        assert program.poll() is None


def test_a_call_returns_what_was_said(tmp_path):
    programs = Programs(tmp_path, {**os.environ, "WORD": "spoken"})
    done = programs.call(
        [sys.executable, "-c", "import os; print(os.environ['WORD'])"], seconds=20.0
    )
    assert (done.returncode, done.stdout) == (0, "spoken\n")


def test_free_ports_are_free_and_differ():
    ports = free_ports(3)
    assert len(set(ports)) == 3
    for port in ports:
        socket.create_server(("127.0.0.1", port)).close()
