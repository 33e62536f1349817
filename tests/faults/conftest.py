"""A deployment whose parts can be killed and cut off; its ledgers tell who was charged for what."""

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from client.budget import read_account
from fusion.config import RunConfig
from server.progress import FILE, load_progress
from server.submission import to_toml
from simulations.programs import Programs, free_ports
from tests.deployment.conftest import (
    HOSPITALS,
    LONG,
    ROOT,
    Federation,
    Party,
    logs_told,
    start,
    wait_for,
)  # fmt: skip
from tests.faults.wire import HERE

ROUNDS = 6

POLICY = f"""
[cohort]
public-size = 12
minimum-patients = 2
minimum-events = 0
[budget]
max-epsilon = 400
delta = 1e-2
[run]
epsilon = 4
steps = {2 * ROUNDS - 1}
sampling-rate = 1.0
[allowed]
exact-releases = ["counts", "scaling", "validation", "reference", "test"]
"""
"""One step a round, and as many more as rounds: a charge whose work was killed stays charged."""

SETTINGS = {
    "rounds": ROUNDS, "model.name": "omics_only", "data.modalities": "omics",
    "privacy.mode": "record-level", "objective.name": "discrete-time", "objective.cuts": "365,1095",
    "federation.quorum": 3, "federation.expected-sites": 3, "federation.attempts": 5,
    "federation.wait-seconds": LONG, "federation.deadline-seconds": 90.0,
}  # fmt: skip

PARTS = {
    "SuperNode": "client.node", "worker": "client.warm", "launcher": "flower-superexec --insecure",
    "site": "concord-site start", "SuperLink": "flower-superlink",
    "ServerApp": "flwr-serverapp", "gate": "concord-server gate",
}  # fmt: skip
"""Words by which the programs are told apart."""

WATCHED = ("SuperNode", "worker", "launcher", "SuperLink", "ServerApp", "gate")
"""What is killed at random; `concord-site start` itself is for systemd to watch over."""


@dataclass
class Faulty:
    """A federation and the means to break it."""

    federation: Federation
    config: RunConfig
    random: random.Random

    @property
    def coordinator(self) -> Party:
        return self.federation.coordinator

    def lead(self, name: str, *, resume: bool = False) -> subprocess.Popen[bytes]:
        """Start `concord-server run`, which follows the run to its end."""
        file = self.coordinator.folder / f"{name}.toml"
        file.write_text(to_toml(replace(self.config, out=str(self.out(name)))), encoding="utf-8")
        words = f". {self.coordinator.folder}/environment && exec concord-server run {file}"
        words += f" --app {ROOT}" + (" --resume" if resume else "")
        return self.coordinator.programs.start(["bash", "-ec", words], log=f"{name}.log")

    def out(self, name: str) -> Path:
        return self.coordinator.folder / "runs" / name

    def done(self, name: str) -> int:
        """Return how many rounds are in the checkpoint; -1 = there is none."""
        return load_progress(self.out(name))[0].round if (self.out(name) / FILE).is_file() else -1

    def at_work(self, name: str, run: subprocess.Popen[bytes]) -> bool:
        """Return whether a run has begun, or its command has ended."""
        return self.done(name) >= 0 or run.poll() is not None

    def pids(self, part: str) -> list[int]:
        """Return the processes of one part."""
        found = []
        for pid in self.coordinator.programs.living():
            with suppress(OSError):
                words = Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode()
                found += [pid] if PARTS[part] in words and "bash -ec" not in words else []
        return found

    def kill(self, part: str, *, of: str = "") -> int:
        """Kill a part outright, or that of one hospital; return how many processes it had."""
        hurt = [pid for pid in self.pids(part) if not of or _belongs(pid, of)]
        for pid in hurt:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        return len(hurt)

    def strike(self) -> str:
        """Kill one process of any part, at random, and return of which."""
        found = {part: pids for part in WATCHED if (pids := self.pids(part))}
        part = self.random.choice(sorted(found))
        with suppress(ProcessLookupError):
            os.kill(self.random.choice(found[part]), signal.SIGKILL)
        return part

    @contextmanager
    def moved(self, site: str, inside: Sequence[str], address: str) -> Iterator[None]:
        """Let a hospital work inside a namespace, from where it reaches a gate of its own."""
        hospital, port = self.federation.hospitals[site], str(free_ports(1)[0])
        here, there = f"127.0.0.1:{hospital.ports['9443']}", f"{address}:{port}"
        gate = self.coordinator.written("gate").replace("--host 127.0.0.1", f"--host {address}")
        gate = gate.replace(f"--port {self.coordinator.ports['9443']}", f"--port {port}")
        programs, log = self.coordinator.programs, hospital.log("start").name
        programs.start(["bash", "-ec", gate], log="wire-gate.log")
        self._stop(site)
        started = hospital.written("start").replace(here, there)
        programs.start([*inside, "bash", "-ec", started], log=log)
        yield
        self._stop(site)
        hospital.starts("start")

    def _stop(self, site: str) -> None:
        for pid in self.pids("site"):
            if f"/{site}" in Path(f"/proc/{pid}/cmdline").read_text(encoding="utf-8"):
                os.kill(pid, signal.SIGTERM)
                wait_for(lambda pid=pid: not Path(f"/proc/{pid}/exe").exists(), "its end")

    def mend(self) -> None:
        """Start again what no program watches over: the SuperLink and the gate."""
        for part, recipe in (("SuperLink", "superlink"), ("gate", "gate")):
            if not self.pids(part):
                self.coordinator.starts(recipe)

    def finish(self, name: str, process: subprocess.Popen[bytes]) -> None:
        """Follow a run to its end; resume it as often as it fails."""
        deadline = time.monotonic() + LONG
        with logs_told(self.coordinator.programs.folder):
            while process.wait(LONG):
                assert time.monotonic() < deadline, f"{name} does not end"
                self.mend()
                time.sleep(5.0)
                process = self.lead(name, resume=(self.out(name) / FILE).is_file())

    def check(self, name: str) -> dict[str, Any]:
        """Return a run's result, once rounds and budgets have been compared with the ledgers."""
        result = json.loads((self.out(name) / "result.json").read_text(encoding="utf-8"))
        assert [record["round"] for record in result["rounds"]] == list(range(ROUNDS + 1))
        told = {site["name"]: site for site in result["privacy"]["sites"]}
        run = load_progress(self.out(name))[0].run
        for site, hospital in self.federation.hospitals.items():
            account = read_account(Path(hospital.places["/srv/lyon/site"]))
            own = [e for e in account.entries if e.kind == "charge" and e.body["run"] == run]
            charged = {entry.body["round"] for entry in own}
            assert charged == set(range(1, ROUNDS + 1)), site
            assert told[site]["epsilon"] == pytest.approx(account.spent.epsilon, rel=1e-9)
            assert told[site]["steps"] == sum(event.count for e in own for event in e.events)
        return result


def _belongs(pid: int, hospital: str) -> bool:
    """Return whether a process works for a hospital, by the site's folder in its environment."""
    with suppress(OSError):
        text = Path(f"/proc/{pid}/environ").read_bytes().decode(errors="replace")
        return f"/{hospital}/" in text.partition("CONCORD_SITE=")[2].partition("\0")[0] + "/"
    return False


@pytest.fixture(scope="module")
def faulty(
    tmp_path_factory: pytest.TempPathFactory, hospitals: Path, tiny: Callable[..., RunConfig]
) -> Iterator[Faulty]:
    """A coordinator and three hospitals with a ledger each."""
    folder = tmp_path_factory.mktemp("faults")
    sites = Path(shutil.copytree(hospitals, folder / "sites"))
    for name in HOSPITALS:
        (sites / name / "policy.toml").write_text(POLICY, encoding="utf-8")
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    with Programs(folder, {**os.environ, "PATH": path}) as programs:
        with logs_told(folder):
            federation = start(folder, programs, sites, hosts=f"127.0.0.1 --host {HERE}")
        config = replace(tiny(SETTINGS), sites="")
        yield Faulty(federation, config, random.Random(7))
    assert programs.living() == []
