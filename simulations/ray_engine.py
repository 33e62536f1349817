"""The ray engine: the same apps under Flower's own simulation, started and stopped by us."""

import logging
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from client.settings import site_folders
from fusion.commands import QUIET
from fusion.config import RunConfig
from fusion.errors import ConfigError, FederationError
from server.app import OURS
from server.submission import ask, to_toml
from simulations.programs import Programs, free_ports

log = logging.getLogger("concord.simulate")

SOURCE = Path(__file__).resolve().parents[1]
PACKAGES = ("client", "fusion", "privacy", "server")

PATIENCE = 120.0
"""Seconds in which the SuperLink must listen; on a quiet machine it needs two."""

_LINK = "engine"
_LINK_LOG = "superlink.log"
_LOG = "run.log"
_POLL = 0.25

# Set by whoever started us, these lead to another cluster or another copy of the code.
_FOREIGN = ("PYTHONPATH", "PYTHONHOME", "RAY_ADDRESS")

# Ray's sockets lie below its folder, and their whole path may have 107 characters.
_LONGEST_HOME = 40


def run_ray(config: RunConfig) -> Path:
    """Run a federation over the site folders below `config.sites` under Flower's simulation.

    What Flower and Ray start has a home and a working directory of its own, and ends with the
    run, also when the run fails or is interrupted.

    Args:
        config: The run's settings, with absolute paths.

    Returns:
        The run's folder with result, report and model.

    Raises:
        ConfigError: Ray is not installed, or Concord's source is not there.
        FederationError: The run failed; the sentence is the coordinator's.

    Source: own; the engine is Flower's.
    """
    _check_installed()
    sites = len(site_folders(Path(config.sites)))
    config = replace(config, federation=replace(config.federation, expected_sites=sites))
    home = Path(tempfile.mkdtemp(prefix="concord-"))
    try:
        _write_app(home, config)
        with _terminable(), Programs(home, _environment(home)) as programs:
            _start_link(programs)
            run = _submit(programs, sites)
            _follow(programs, run)
            _check_completed(programs, run)
    finally:
        shutil.rmtree(home, ignore_errors=True)
    return Path(config.out)


def _check_installed() -> None:
    if find_spec("ray") is None:
        raise ConfigError(
            "--engine ray must find Ray, got none installed. Install it with "
            "`pip install 'concord[simulation]'`, or use --engine inline."
        )
    if not (SOURCE / "pyproject.toml").is_file():
        raise ConfigError(
            f"--engine ray must find Concord's source, which Flower packs, got no pyproject.toml "
            f"in '{SOURCE}'. Install with `pip install -e`, or use --engine inline."
        )


def _write_app(home: Path, config: RunConfig) -> None:
    """Copy what Flower packs, so that nothing else of the source folder is looked at."""
    for package in PACKAGES:
        unused = shutil.ignore_patterns("__pycache__")
        shutil.copytree(SOURCE / package, home / "app" / package, ignore=unused)
    shutil.copy(SOURCE / "pyproject.toml", home / "app")
    (home / "run.toml").write_text(to_toml(config), encoding="utf-8")


def _environment(home: Path) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if name not in _FOREIGN}
    # Flower finds its own programs, and with them Ray, through PATH.
    path = f"{Path(sys.executable).parent}{os.pathsep}{kept.get('PATH', '')}"
    ray = {"RAY_TMPDIR": str(home)} if len(str(home)) <= _LONGEST_HOME else {}
    return {**kept, **QUIET, **ray, "PATH": path, "FLWR_HOME": str(home / "flower")}


def _start_link(programs: Programs) -> None:
    """Start a SuperLink that simulates, on a port of its own; another one if that is taken."""
    for _ in range(3):
        (port,) = free_ports(1)
        words = ["flower-superlink", "--insecure", "--simulation", "--host", "127.0.0.1"]
        words += ["--port", str(port), "--disable-runtime-dependency-installation"]
        process = programs.start(words, log=_LINK_LOG)
        if _listens(process, programs.folder / _LINK_LOG):
            break
    else:
        raise FederationError(
            "Flower's SuperLink must start, got three that ended. Try again, or use --engine "
            "inline."
        )
    flower = programs.folder / "flower"
    flower.mkdir(exist_ok=True)
    address = f'[superlink.{_LINK}]\naddress = "127.0.0.1:{port}"\ninsecure = true\n'
    (flower / "config.toml").write_text(f'[superlink]\ndefault = "{_LINK}"\n{address}')


def _listens(process: subprocess.Popen[bytes], log_file: Path) -> bool:
    """Wait until the SuperLink says that it listens; False if it ended or took too long.

    Asking the port would not do: if it was taken in between, another program would answer.
    """
    deadline = time.monotonic() + PATIENCE
    while process.poll() is None and time.monotonic() < deadline:
        if b"Uvicorn running" in log_file.read_bytes():
            return True
        time.sleep(_POLL)
    return False


def _submit(programs: Programs, sites: int) -> str:
    """Hand the app to the SuperLink and return the run's number."""
    size = f"num-supernodes={sites} client-resources-num-cpus=1"
    words = ["run", str(programs.folder / "app"), _LINK, "--run-config", "run.toml"]
    return str(_ask(programs, [*words, "--federation-config", size])["run-id"])


def _follow(programs: Programs, run: str) -> None:
    """Show the coordinator's lines until the run has ended."""
    process = programs.start(["flwr", "log", run, _LINK, "--stream"], log=_LOG)
    rest = ""
    with (programs.folder / _LOG).open(encoding="utf-8", errors="replace") as lines:
        while True:
            ended = process.poll() is not None
            *whole, rest = (rest + lines.read()).split("\n")
            for line in whole:
                if line.startswith(OURS):
                    log.info("%s", line.removeprefix(OURS))
            if ended:
                return
            time.sleep(_POLL)


def _check_completed(programs: Programs, run: str) -> None:
    """Raise unless the run came to a good end; Flower's own programs do not tell by their code."""
    found = _ask(programs, ["ls", _LINK, "--run-id", run])["runs"][0]
    if found["status"] == "finished:completed":
        return
    number, kept = tempfile.mkstemp(prefix="concord-", suffix=".log")
    os.close(number)
    shutil.copy(programs.folder / _LOG, kept)
    log.warning("Flower's log of this run: %s", kept)
    told = found["status-details"].removeprefix("Simulation failed with exception: ")
    raise FederationError(told or f"The run must come to its end, got '{found['status']}'.")


def _ask(programs: Programs, words: list[str]) -> dict[str, Any]:
    """Return what a `flwr` command answers."""

    def call(command: list[str]) -> "subprocess.CompletedProcess[str]":
        return programs.call(command, seconds=PATIENCE)

    return ask(words, call, advice="Use --engine inline.")


@contextmanager
def _terminable() -> Iterator[None]:
    """Let SIGTERM interrupt like Ctrl-C, so that everything started is stopped."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
