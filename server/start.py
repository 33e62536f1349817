"""The coordinator's two programs: Flower's SuperLink on loopback, and the gate before it."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

from fusion.commands import QUIET
from fusion.errors import ConfigError, FederationError

GRACE = 10.0
"""Seconds that a program has to end."""

LOOK = 0.5
"""Seconds between looks at the programs."""


@dataclass(frozen=True)
class Desk:
    """What a coordinator listens with.

    Attributes:
        certificates: Folder that `concord-server certificates` wrote.
        database: Flower's; updates lie in it in clear, so put it on an encrypted disk.
        host: Address on which hospitals reach the gate.
        port: Likewise.
        superlink: Port on loopback.

    Source: own.
    """

    certificates: Path
    database: Path
    host: str = "0.0.0.0"
    port: int = 9443
    superlink: int = 8000

    def __post_init__(self) -> None:
        for name in ("ca.crt", "server.crt", "server.key"):
            if not (self.certificates / name).is_file():
                raise ConfigError(
                    f"--certificates must be a folder with {name}, got none in "
                    f"'{self.certificates}'. Make it with `concord-server certificates`."
                )

    def programs(self) -> dict[str, list[str]]:
        """Return the two commands by name."""
        folder = self.certificates
        return {
            "The SuperLink": [
                *(_program("flower-superlink"), "--host", "127.0.0.1"),
                *("--port", str(self.superlink), "--database", str(self.database)),
                *("--ssl-ca-certfile", str(folder / "ca.crt")),
                *("--ssl-certfile", str(folder / "server.crt")),
                *("--ssl-keyfile", str(folder / "server.key")),
                *("--enable-supernode-auth", "--disable-runtime-dependency-installation"),
            ],
            "The gate": [
                # -P: no module is taken from the working directory
                *(sys.executable, "-P", "-m", "server.cli", "gate"),
                *("--certificates", str(folder), "--host", self.host, "--port", str(self.port)),
                *("--superlink", f"127.0.0.1:{self.superlink}"),
            ],
        }


def serve(programs: Mapping[str, list[str]]) -> None:
    """Run programs until interrupted; if one ends, all end.

    Args:
        programs: Commands by name.

    Raises:
        FederationError: One of them ended by itself.
        KeyboardInterrupt: Somebody stops it.

    Source: own.
    """
    signal.signal(signal.SIGTERM, _interrupt)
    running = dict[str, subprocess.Popen[bytes]]()
    try:
        for name, words in programs.items():
            running[name] = subprocess.Popen(words, env={**QUIET, **os.environ})
        name, code = _first_to_end(running)
        raise FederationError(
            f"{name} must run until it is stopped, got its end with {code}. Read what it wrote "
            "above, mend it and start again."
        )
    finally:
        for program in reversed(running.values()):
            program.terminate()
        for program in running.values():
            try:
                program.wait(GRACE)
            except subprocess.TimeoutExpired:
                program.kill()


def _first_to_end(running: Mapping[str, subprocess.Popen[bytes]]) -> tuple[str, int]:
    while True:
        for name, program in running.items():
            if program.poll() is not None:
                return name, program.returncode
        time.sleep(LOOK)


def _program(name: str) -> str:
    """Return one of Flower's programs, of the same installation as this one."""
    path = Path(sys.executable).with_name(name)
    if not path.is_file():
        raise ConfigError(f"Flower's programs must be installed here, got no '{path}'. Install it.")
    return str(path)


def _interrupt(number: int, frame: FrameType | None) -> None:  # noqa: ARG001 -- a signal handler
    raise KeyboardInterrupt
