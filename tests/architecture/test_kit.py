"""The units and compose files of deploy/: they are read, and say what the commands understand."""

import configparser
import re
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from client.cli import main as site
from server.cli import main as server

KIT = Path(__file__).parents[2] / "deploy"
UNITS = sorted((KIT / "systemd").glob("*.service"))
COMPOSE = sorted((KIT / "compose").glob("*.yaml"))
COMMANDS = {"concord-site": site, "concord-server": server}


def words_of(path):
    """The command that a unit or a compose file starts, without its folder."""
    if path.suffix == ".yaml":
        (service,) = yaml.safe_load(path.read_text(encoding="utf-8"))["services"].values()
        words = service["command"]
    else:
        words = shlex.split(unit(path)["Service"]["ExecStart"])
    return Path(words[0]).name, words[1:]


def unit(path):
    read = configparser.ConfigParser(interpolation=None, strict=False)
    read.optionxform = str
    read.read(path, encoding="utf-8")
    return read


def test_there_are_two_of_each():
    assert [len(UNITS), len(COMPOSE)] == [2, 2]


@pytest.mark.parametrize("path", [*UNITS, *COMPOSE], ids=lambda path: path.name)
def test_what_is_started_is_a_command_with_words_it_knows(path, tmp_path, capsys):
    """Every path leads into an empty folder, so each command ends with a sentence about files."""
    name, words = words_of(path)
    told = [re.sub(r"(?<![\w.])/(?=\w)", f"{tmp_path}/", word) for word in words]
    assert COMMANDS[name](told) == 2
    assert re.search(r"error: --(site|certificates) must", capsys.readouterr().err)


@pytest.mark.parametrize("path", UNITS, ids=lambda path: path.name)
def test_a_unit_has_its_sections_and_runs_as_nobody_special(path):
    found = unit(path)
    assert found.sections() == ["Unit", "Service", "Install"]
    assert found["Service"]["User"] == "concord"
    assert found["Service"]["NoNewPrivileges"] == "true"
    assert "FLWR_TELEMETRY_ENABLED=0" in found["Service"]["Environment"]


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="no systemd here")
@pytest.mark.parametrize("path", UNITS, ids=lambda path: path.name)
def test_systemd_reads_the_unit(path):
    done = subprocess.run(
        ["systemd-analyze", "verify", str(path)], capture_output=True, text=True, check=False
    )
    told = [line for line in done.stderr.splitlines() if "is not executable" not in line]
    assert not [line for line in told if path.name in line]


def test_a_hospital_publishes_no_port_and_its_data_is_read_only():
    told = yaml.safe_load((KIT / "compose" / "site.yaml").read_text(encoding="utf-8"))
    (service,) = told["services"].values()
    assert "ports" not in service
    assert "/srv/lyon/site:/site:ro" in service["volumes"]
    assert service["read_only"] is True


def test_the_coordinator_publishes_the_gate_alone():
    told = yaml.safe_load((KIT / "compose" / "coordinator.yaml").read_text(encoding="utf-8"))
    (service,) = told["services"].values()
    assert service["ports"] == ["9443:9443"]
