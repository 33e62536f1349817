import os
import signal
import subprocess
import sys
import time

import pytest

from fusion.errors import ConfigError, FederationError
from server.cli import main
from server.start import Desk, serve

SLEEP = [sys.executable, "-c", "import time; time.sleep(60)"]


@pytest.fixture
def certificates(tmp_path):
    for name in ("ca.crt", "server.crt", "server.key"):
        (tmp_path / name).write_text("")
    return tmp_path


def test_the_superlink_listens_on_loopback_with_tls_and_node_authentication(certificates):
    programs = Desk(certificates, certificates / "link.db", port=1234, superlink=99).programs()
    words = programs["The SuperLink"]
    assert words[words.index("--host") + 1] == "127.0.0.1"
    assert words[words.index("--port") + 1] == "99"
    assert words[words.index("--ssl-keyfile") + 1] == str(certificates / "server.key")
    assert "--enable-supernode-auth" in words
    assert "--insecure" not in words
    gate = programs["The gate"]
    assert gate[gate.index("--superlink") + 1] == "127.0.0.1:99"
    assert gate[gate.index("--port") + 1] == "1234"


def test_a_folder_without_certificates_is_a_sentence(tmp_path, capsys):
    words = ["start", "--certificates", str(tmp_path), "--database", str(tmp_path / "link.db")]
    assert main(words) == 2
    assert "--certificates must be a folder with ca.crt" in capsys.readouterr().err
    with pytest.raises(ConfigError, match=r"with ca\.crt, got none"):
        Desk(tmp_path, tmp_path / "link.db")


def test_if_one_program_ends_the_other_is_stopped(tmp_path):
    mark = tmp_path / "stopped"
    code = (
        "import pathlib, signal, time\n"
        f"mark = pathlib.Path({str(mark)!r})\n"
        "signal.signal(signal.SIGTERM, lambda *_: exit(mark.touch()))\n"
        "time.sleep(60)\n"
    )
    ends = [sys.executable, "-c", "import time; time.sleep(3); raise SystemExit(4)"]
    before = signal.getsignal(signal.SIGTERM)
    try:
        with pytest.raises(FederationError, match="The gate must run until it is stopped, got its"):
            serve({"The SuperLink": [sys.executable, "-c", code], "The gate": ends})
    finally:
        signal.signal(signal.SIGTERM, before)
    assert mark.exists()


def test_a_signal_stops_both(tmp_path):
    code = (
        "import sys\n"
        "from server.start import serve\n"
        f"sleep = {SLEEP!r}\n"
        "open(sys.argv[1], 'w').close()\n"
        "serve({'one': sleep, 'two': sleep})\n"
    )
    words = [sys.executable, "-c", code, str(tmp_path / "begun")]
    process = subprocess.Popen(words, env=dict(os.environ), stderr=subprocess.PIPE)
    while not (tmp_path / "begun").exists():
        time.sleep(0.1)
    time.sleep(1.0)
    process.terminate()
    assert b"KeyboardInterrupt" in process.communicate(timeout=60)[1]
