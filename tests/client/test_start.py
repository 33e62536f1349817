import os
import signal
import stat
import subprocess
import sys
from dataclasses import replace

import pytest

from client.start import Station, _environment, _first_to_end, _private_folder, _running, reason
from fusion.errors import ConfigError


@pytest.fixture
def station(tmp_path):
    for name in ("site.toml", "ca.crt", "lyon.key"):
        (tmp_path / name).write_text("")
    return Station(tmp_path, "concord.example.org:9443", tmp_path / "ca.crt", tmp_path / "lyon.key")


def test_the_supernode_runs_no_bundle_and_calls_the_coordinator(station, tmp_path):
    words = station.node(tmp_path / "secret")
    assert words[:4] == [sys.executable, "-P", "-m", "client.node"]
    told = dict(zip(words[4::2], words[5::2], strict=True))
    assert told["--isolation"] == "process"
    assert told["--superlink"] == "concord.example.org:9443"
    assert told["--host"] == "127.0.0.1"
    assert told["--node-config"] == f'site="{tmp_path}"'
    assert told["--superexec-auth-secret-file"] == str(tmp_path / "secret")
    assert "--insecure" not in words


def test_the_app_is_told_of_keys_only_with_peers(station, tmp_path):
    with_peers = replace(station, peers=tmp_path)
    told = f'site="{tmp_path}" key="{tmp_path}/lyon.key" peers="{tmp_path}"'
    assert with_peers.node(tmp_path / "secret")[-1] == told


def test_peers_must_be_a_folder(station, tmp_path):
    with pytest.raises(ConfigError, match="--peers must be a folder, got"):
        replace(station, peers=tmp_path / "nowhere")


def test_flowers_name_leads_to_our_launcher_and_the_secret_is_new(station):
    with _private_folder() as one, _private_folder() as other:
        assert (one / "secret").read_bytes() != (other / "secret").read_bytes()
        assert stat.S_IMODE(one.stat().st_mode) == 0o700
        environment = _environment(station, one)
        assert environment["CONCORD_SITE"] == str(station.site)
        assert environment["CONCORD_STATE"] == str(station.site / ".concord")
        assert environment["FLWR_TELEMETRY_ENABLED"] == "0"
        words = ["sh", "-c", "command -v flwr-clientapp"]
        done = subprocess.run(words, env=environment, capture_output=True, text=True, check=True)
        assert stat.S_ISFIFO((one / "tasks").stat().st_mode)
    assert done.stdout.startswith(str(one))
    assert not one.exists()


def test_programs_are_stopped_together():
    sleep = [sys.executable, "-c", "import time; time.sleep(60)"]
    with _running([sleep, [sys.executable, "-c", ""]], os.environ) as programs:
        assert _first_to_end(programs) == 1
        assert programs[0].poll() is None
    assert programs[0].poll() == -signal.SIGTERM


def test_an_interrupt_stops_the_command_and_both_programs(station, tmp_path):
    code = (
        "import sys\n"
        "from client import start\n"
        "start._program = lambda name: '/bin/sh'\n"
        "code = 'import time; print(flush=True); time.sleep(60)'\n"
        "sleep = lambda self, secret: [sys.executable, '-c', code]\n"
        "start.Station.node = start.Station.launcher = sleep\n"
        "start.worker = lambda folder: sleep(None, None)\n"
        "from client.cli import main\n"
        "sys.exit(main(sys.argv[1:]))\n"
    )
    words = ["start", "--site", str(tmp_path), "--server", "x:1"]
    words += ["--authority", str(station.authority), "--key", str(station.key)]
    words = [sys.executable, "-c", code, *words]
    process = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert [process.stdout.readline() for _ in range(3)] == [b"\n"] * 3
    process.send_signal(signal.SIGTERM)
    _, said = process.communicate(timeout=20)
    assert process.returncode == 130
    assert said == b"interrupted\n"


@pytest.mark.parametrize("lacking", ["site.toml", "ca.crt", "lyon.key"])
def test_what_is_not_there_is_named_before_anything_starts(station, lacking):
    (station.site / lacking).unlink()
    with pytest.raises(ConfigError, match=f"must lead to a file, got none at '.*{lacking}'"):
        Station(station.site, station.server, station.authority, station.key)


def test_a_path_that_would_end_flowers_quotation_is_refused(station, tmp_path):
    with pytest.raises(ConfigError, match="must hold no quotation mark"):
        Station(station.site, "x:1", station.authority, station.key, state=tmp_path / 'a"b')


@pytest.mark.parametrize(
    ("name", "code", "sentence"),
    [
        ("The SuperNode", 1, "refuses a key for about a minute after a crash"),
        ("The SuperNode", -9, "The SuperNode was stopped by SIGKILL."),
        ("The worker", 1, "The worker ended with 1."),
    ],
)
def test_why_a_program_is_started_again_is_told(name, code, sentence):
    assert sentence in reason(name, code)
