"""One coordinator and its hospitals on this machine, led by the commands of deploy/README.md."""

import json
import os
import re
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from fusion.config import RunConfig, from_toml
from server.submission import to_toml
from simulations.programs import Programs, free_ports

ROOT = Path(__file__).parents[2]
BLOCK = re.compile(r"^ *```(?:sh|toml) (\S+)\n(.*?)^ *```$", re.M | re.S)
HOSPITALS = ("bergen", "lyon", "porto")
TOLERANCE = 1e-5
LOOK = 8.0
"""Seconds between looks at a run; each starts a program, which takes a second of a core."""
LONG = 600.0
"""Seconds after which a step has failed; a quiet machine needs a tenth."""


def recipes() -> dict[str, str]:
    """Return the page's named blocks."""
    page = (ROOT / "deploy" / "README.md").read_text(encoding="utf-8")
    return {name: re.sub(r"^ {2,4}", "", text, flags=re.M) for name, text in BLOCK.findall(page)}


@dataclass(frozen=True)
class Party:
    """Somebody who types the page's commands, with folders, names and ports of their own."""

    folder: Path
    programs: Programs
    places: dict[str, str]
    ports: dict[str, str] = field(default_factory=dict)

    def written(self, recipe: str) -> str:
        """Return a block with this party's folders, names and ports in place of the page's."""
        told = {**self.places, **self.ports}
        one = re.compile("|".join(map(re.escape, sorted(told, key=len, reverse=True))))
        return one.sub(lambda found: told[found.group()], recipes()[recipe])

    def types(self, recipe: str) -> str:
        """Run a command to its end and return what it printed."""
        done = self.programs.call(["bash", "-ec", self.written(recipe)], seconds=LONG)
        assert done.returncode == 0, f"{recipe}: {done.stdout}{done.stderr}"
        return done.stdout

    def starts(self, recipe: str, *, without: str = "") -> subprocess.Popen[bytes]:
        """Start a program that stays; `without` is a pattern of what to leave out."""
        words = ["bash", "-ec", re.sub(without, "", self.written(recipe))]
        return self.programs.start(words, log=self.log(recipe).name)

    def log(self, recipe: str) -> Path:
        """Return where a program that stays writes its log."""
        return self.programs.folder / f"{self.folder.name}-{recipe}.log"

    def keeps(self, recipe: str, port: str) -> None:
        """Start a program that listens, on a port of its own; on another one if that is taken."""
        for _ in range(3):
            self.ports[port] = str(free_ports(1)[0])
            if _listens(self.starts(recipe), int(self.ports[port])):
                return
        raise AssertionError(f"{recipe} does not stay")


@dataclass(frozen=True)
class Federation:
    """A coordinator and three hospitals that have started."""

    coordinator: Party
    hospitals: dict[str, Party]

    @property
    def out(self) -> Path:
        """Folder of the run's result."""
        return self.coordinator.folder / "runs" / "first"

    def audit(self) -> dict[str, Any]:
        """Audit the finished run's model again and return what that leaves."""
        with logs_told(self.coordinator.programs.folder):
            told = self.coordinator.types("reaudit")
        folder = self.coordinator.folder / "runs" / "first-zero"
        assert f"Report: {folder / 'report.html'}" in told
        return json.loads((folder / "audit.json").read_text(encoding="utf-8"))

    def status(self, number: int = 0) -> dict[str, Any]:
        """Return how a run of the coordinator stands: the first, or the one after so many."""
        runs = _json(self.coordinator.types("status"))["runs"]
        return sorted(runs, key=lambda run: run["pending-at"])[number]

    def result(self) -> dict[str, Any]:
        """Wait for the run's end and return its result."""
        with logs_told(self.coordinator.programs.folder):
            wait_for(lambda: self.status()["status"].startswith("finished"), "the run's end")
            run = self.status()
            assert run["status"] == "finished:completed", run["status-details"]
        return json.loads((self.out / "result.json").read_text(encoding="utf-8"))


def wait_for(done: Callable[[], Any], what: str, *, every: float = LOOK) -> None:
    """Look until something is so."""
    deadline = time.monotonic() + LONG
    while not done():
        assert time.monotonic() < deadline, f"waited {LONG:g} s for {what}"
        time.sleep(every)


@pytest.fixture(scope="module")
def federation(
    tmp_path_factory: pytest.TempPathFactory, hospitals: Path, tiny: Callable[..., RunConfig]
) -> Iterator[Federation]:
    """Follow the page from its first command to the run's start; stop everything at the end."""
    folder = tmp_path_factory.mktemp("deployment")
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    programs = Programs(folder, {**os.environ, "PATH": path})
    with programs:
        with logs_told(folder):
            begun = start(folder, programs, hospitals)
            submit(begun, tiny({"rounds": 3, "audit.every": 1}))
        yield begun
    assert programs.living() == []


def start(folder: Path, programs: Programs, sites: Path, *, hosts: str = "127.0.0.1") -> Federation:
    """Start everybody, in the page's order; `hosts` is how the coordinator is reached."""
    coordinator = start_coordinator(folder, programs, hosts)
    coordinator.types("bundle")
    (bundle,) = coordinator.folder.glob("*.fab")
    hospitals = {name: make_hospital(name, coordinator, sites / name) for name in HOSPITALS}
    for name, hospital in hospitals.items():
        send(hospital.folder / "keys" / f"{name}.pub", coordinator.folder / "hospitals")
        replace(coordinator, places={**coordinator.places, "lyon": name}).types("register")
        shutil.copy(bundle, hospital.folder / "concord.fab")
        hospital.types("approve")
        hospital.keeps("start", "9094")
    wait_for(lambda: everybody(coordinator), "three SuperNodes to be online", every=1.0)
    return Federation(coordinator, hospitals)


def submit(federation: Federation, config: RunConfig) -> None:
    """Start the run: where the page says, when the page says, but with a tiny model."""
    coordinator = federation.coordinator
    file = coordinator.folder / "run.toml"
    file.write_text(coordinator.written("run.toml"), encoding="utf-8")
    page = from_toml(file)
    waiting = replace(page.federation, wait_seconds=LONG)
    config = replace(config, out=page.out, sites="", federation=waiting)
    file.write_text(to_toml(config), encoding="utf-8")
    coordinator.types("run")


def start_coordinator(folder: Path, programs: Programs, hosts: str = "127.0.0.1") -> Party:
    """Return the coordinator once SuperLink and gate listen."""
    places = {
        "/srv/concord/source": str(ROOT),
        "/srv/concord": str(folder / "concord"),
        "concord.example.org": hosts,
        "0.0.0.0": "127.0.0.1",
    }
    (folder / "concord").mkdir()
    coordinator = Party(folder / "concord", programs, places)
    coordinator.types("coordinator-environment")
    coordinator.types("certificates")
    coordinator.keeps("superlink", "8000")
    coordinator.keeps("gate", "9443")
    coordinator.types("connection")
    return coordinator


def make_hospital(name: str, coordinator: Party, site: Path) -> Party:
    """Return a hospital with its folder, a key and the coordinator's authority."""
    folder = coordinator.programs.folder / name
    folder.mkdir()
    places = {
        "/srv/lyon/site": str(site),
        "/srv/lyon": str(folder),
        "lyon": name,
        "concord.example.org": "127.0.0.1",
    }
    ports = {"9443": coordinator.ports["9443"], "9094": str(free_ports(1)[0])}
    hospital = Party(folder, coordinator.programs, places, ports)
    hospital.types("hospital-environment")
    hospital.types("keys")
    send(coordinator.folder / "tls" / "ca.crt", folder)
    return hospital


def send(file: Path, folder: Path) -> None:
    """Carry a file to somebody else."""
    folder.mkdir(exist_ok=True)
    shutil.copy(file, folder)


def everybody(coordinator: Party) -> bool:
    """Return whether all hospitals are online."""
    nodes = _json(coordinator.types("online"))["nodes"]
    return sum(node["status"] == "online" for node in nodes) == len(HOSPITALS)


@contextmanager
def logs_told(folder: Path) -> Iterator[None]:
    """Add the end of every log to a failure."""
    try:
        yield
    except AssertionError as error:
        ends = [f"{error}"]
        for path in sorted(folder.glob("*.log")):
            lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
            told = [line for line in lines if "uvicorn.access" not in line]
            ends += [f"\n== {path.name}", *told[-30:]]
        raise AssertionError("\n".join(ends)) from error


def _json(text: str) -> dict[str, Any]:
    return json.loads(text[text.index("{") :])


def _listens(process: subprocess.Popen[bytes], port: int) -> bool:
    """Wait until a program listens; False if it ends first."""
    deadline = time.monotonic() + LONG
    while process.poll() is None:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                time.sleep(0.5)
                return process.poll() is None
        assert time.monotonic() < deadline, f"nobody listens on port {port}"
        time.sleep(0.2)
    return False


@pytest.fixture(scope="session")
def page() -> dict[str, str]:
    """The named blocks of deploy/README.md."""
    return recipes()


@pytest.fixture(scope="session")
def newcomer() -> Callable[..., Party]:
    """Make one more hospital."""
    return make_hospital


@pytest.fixture(scope="session")
def alike() -> Callable[[Any, Any], bool]:
    """Compare two results: words and counts equal, numbers to 1e-5."""

    def compare(one: Any, other: Any) -> bool:
        if isinstance(one, dict) and isinstance(other, dict):
            return one.keys() == other.keys() and all(compare(one[k], other[k]) for k in one)
        if isinstance(one, list) and isinstance(other, list):
            return len(one) == len(other) and all(map(compare, one, other))
        if isinstance(one, float) and isinstance(other, float):
            return abs(one - other) <= TOLERANCE
        return one == other

    return compare


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Tell what the tests have measured."""
    for report in terminalreporter.stats.get("passed", []):
        for name, value in report.user_properties:
            terminalreporter.write_line(f"{name}: {value}")
