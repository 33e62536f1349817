"""A run handed to a SuperLink with Flower's own commands, and followed to its end."""

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeAlias

from fusion.config import RunConfig, flatten, from_toml
from fusion.errors import ConfigError, FederationError
from server.folder import prepare

Call: TypeAlias = Callable[[list[str]], "subprocess.CompletedProcess[str]"]
"""Runs a command to its end."""

SOURCE = Path(__file__).resolve().parents[1]
"""Where Flower finds what it sends to the sites, if Concord runs from its source."""

PATIENCE = 120.0
"""Seconds in which one of Flower's commands must answer."""

RESUME = (
    "If the SuperLink has ended, start it again and continue the run with `concord-server run "
    "CONFIG --resume`."
)
"""What to do if it answers no more while a run is followed."""

LOOK, LONGEST_LOOK = 5.0, 30.0
"""Fewest and most seconds between looks at a run; each starts a program, a second of a core."""

SHARE = 20
"""A look is late by at most this part of what the run has taken so far."""


def run_remotely(config: RunConfig, *, app: Path, superlink: str) -> None:
    """Hand a run to a SuperLink and wait for its end.

    If this is interrupted the run goes on; `flwr stop` ends it.

    Args:
        config: The run's settings.
        app: Folder of Concord's source, which Flower packs and sends to the sites.
        superlink: Its name in Flower's configuration.

    Raises:
        ConfigError: The folder is not Concord's source.
        FederationError: The run failed; the sentence is the coordinator's. Or the SuperLink has
            ended: it does not take a run up again, our checkpoint does.

    Source: own; the commands are Flower's.
    """
    if not (app / "pyproject.toml").is_file():
        raise ConfigError(
            f"--app must be the folder of Concord's source, which Flower packs, got no "
            f"pyproject.toml in '{app}'. Name the folder that you installed from."
        )
    with tempfile.TemporaryDirectory(prefix="concord-") as folder:
        settings = Path(folder) / "run.toml"
        settings.write_text(to_toml(config), encoding="utf-8")
        words = ["run", str(app), superlink, "--run-config", str(settings)]
        number = str(ask(words, _call)["run-id"])
    started = time.monotonic()
    while not (run := _status(superlink, number))["status"].startswith("finished"):
        passed = time.monotonic() - started
        time.sleep(min(max(passed / SHARE, LOOK), LONGEST_LOOK))
    if run["status"] != "finished:completed":
        told = run["status-details"] or f"The run must come to its end, got '{run['status']}'."
        raise FederationError(f"{told} (`flwr log {number} {superlink} --show` tells more.)")


def read_run(file: Path, *, resume: bool) -> RunConfig:
    """Return the settings of a run for hospitals.

    Args:
        file: A TOML file of settings.
        resume: Continue from the checkpoint in `out`, whatever the file says.

    Raises:
        ConfigError: A setting does not fit, or `out` is no path that means the same everywhere.

    Source: own.
    """
    config = from_toml(file)
    if not Path(config.out).is_absolute():
        raise ConfigError(
            f"out must be an absolute path, got '{config.out}' in '{file}'. Write it in full: the "
            "SuperLink has another working folder."
        )
    config = replace(config, resume=resume or config.resume)
    prepare(Path(config.out), resume=config.resume)
    return config


def to_toml(config: RunConfig) -> str:
    """Return settings as TOML, as `flwr run --run-config` reads them.

    Source: own; JSON writes scalars as TOML reads them.
    """
    pairs = flatten(config).items()
    return "".join(f"{key} = {json.dumps(value, ensure_ascii=False)}\n" for key, value in pairs)


def ask(words: Sequence[str], call: Call, *, advice: str = "Check --superlink.") -> dict[str, Any]:
    """Return what a `flwr` command answers.

    Args:
        words: After `flwr`.
        call: Runs it.
        advice: What to do if there is no answer.

    Raises:
        FederationError: It answers no JSON, or nothing in time; holds what it said instead.

    Source: own.
    """
    try:
        done = call(["flwr", *words, "--format", "json"])
    except subprocess.TimeoutExpired as error:
        raise FederationError(
            f"Flower must answer `flwr {words[0]}`, got nothing in {error.timeout:g} s. {advice}"
        ) from None
    found = done.stdout.find("{")
    refused = bool(done.returncode) or found < 0
    answer: dict[str, Any] = {} if refused else json.loads(done.stdout[found:])
    # Flower exits 0 when it refuses in JSON.
    if refused or not answer.get("success", True):
        said = answer.get("error-message") or done.stderr or done.stdout
        last = said.strip().splitlines()[-1:]  # before it Flower tells what it is about to do
        raise FederationError(
            f"Flower must answer `flwr {words[0]}`, got: {''.join(last).rstrip('.')}. {advice}"
        )
    return answer


def _status(superlink: str, number: str) -> dict[str, Any]:
    words = ["ls", superlink, "--run-id", number]
    run: dict[str, Any] = ask(words, _call, advice=RESUME)["runs"][0]
    return run


def _call(words: list[str]) -> "subprocess.CompletedProcess[str]":
    # Flower finds its own programs through PATH, beside this Python.
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}"
    told = os.environ | {"PATH": path}
    return subprocess.run(
        words, capture_output=True, text=True, timeout=PATIENCE, env=told, check=False
    )
