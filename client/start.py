"""A hospital's programs: the SuperNode that calls out, and what runs approved code."""

import logging
import os
import secrets
import signal
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

from client.launch import KEPT, SITE
from client.rehearsal import rehearse
from client.settings import STATE
from client.warm import TASKS, stand_in
from fusion.commands import QUIET
from fusion.errors import ConfigError

log = logging.getLogger("concord.site")

AGAIN = 20.0
"""Seconds until programs of which one has ended are started again."""

SUPERNODE = "The SuperNode"

GRACE = 10.0
"""Seconds that a program has to end."""

LOOK = 0.5
"""Seconds between looks at the programs."""

POLL = {"FLWR_SUPEREXEC_TASK_POLL_INTERVAL": "0.2"}
"""Seconds between the launcher's looks for work, by Flower's own setting; its default is 1."""


@dataclass(frozen=True)
class Station:
    """What a hospital connects with.

    Attributes:
        site: The site's folder.
        server: `host:port` of the coordinator's gate.
        authority: The coordinator's `ca.crt`.
        key: The site's private key.
        port: On loopback, for the site's own programs.
        state: Folder for what the site keeps of a run; None = in its own folder.
        peers: Folder of the sites' public keys, SITE.pub each, this one's with them; None = the
            site takes part in no secure sum.
    """

    site: Path
    server: str
    authority: Path
    key: Path
    port: int = 9094
    state: Path | None = None
    peers: Path | None = None

    def __post_init__(self) -> None:
        for name, path in (
            ("--site", self.site / "site.toml"),
            ("--authority", self.authority),
            ("--key", self.key),
        ):
            if not path.is_file():
                raise ConfigError(f"{name} must lead to a file, got none at '{path}'. Mend it.")
        if self.peers is not None and not self.peers.is_dir():
            raise ConfigError(f"--peers must be a folder, got '{self.peers}'. Mend it.")
        for path in filter(None, (self.site, self.state, self.peers, self.key)):
            if '"' in str(path):
                raise ConfigError(f"A path must hold no quotation mark, got '{path}'. Rename it.")

    def node(self, secret: Path) -> list[str]:
        """Return the command of the SuperNode, which runs no code of a bundle itself."""
        told = f'site="{self.site.resolve()}"'
        if self.state is not None:
            told += f' state="{self.state.resolve()}"'
        if self.peers is not None:
            told += f' key="{self.key.resolve()}" peers="{self.peers.resolve()}"'
        return [
            # -P: no module is taken from the working directory
            *(sys.executable, "-P", "-m", "client.node", "--isolation", "process"),
            *("--superlink", self.server, "--root-certificates", str(self.authority)),
            *("--auth-supernode-private-key", str(self.key)),
            *("--host", "127.0.0.1", "--port", str(self.port)),
            *("--superexec-auth-secret-file", str(secret), "--node-config", told),
        ]

    def launcher(self, secret: Path) -> list[str]:
        """Return the command that looks for work and starts `flwr-clientapp` for it."""
        return [
            *(_program("flower-superexec"), "--insecure"),
            *("--runtime-api-address", f"127.0.0.1:{self.port}"),
            *("--superexec-auth-secret-file", str(secret), "--parent-pid", str(os.getpid())),
        ]


def take_part(station: Station) -> None:
    """Take part in runs until interrupted; what ends by itself is started again.

    Raises:
        ConfigError: Flower's programs are not installed here, or the policy cannot be read.
        PrivacyError: A private step is not what the site's policy plans.
        KeyboardInterrupt: Somebody stops it.

    Privacy: code of a bundle runs only after a person here has approved its bytes.

    Source: own.
    """
    signal.signal(signal.SIGTERM, _interrupt)
    if told := rehearse(station.site):
        log.info("%s", told)
    while True:
        with _private_folder() as folder:
            environment, secret = _environment(station, folder), folder / "secret"
            words = {
                SUPERNODE: station.node(secret),
                "The launcher": station.launcher(secret),
                "The worker": worker(folder),
            }
            with _running(list(words.values()), environment) as programs:
                ended = _first_to_end(programs)
        name, code = list(words)[ended], programs[ended].returncode
        log.warning("%s It is started again in %.0f s.", reason(name, code), AGAIN)
        time.sleep(AGAIN)


def worker(folder: Path) -> list[str]:
    """Return the command of the process that messages are answered from.

    Source: own.
    """
    return [sys.executable, "-P", "-m", "client.warm", str(folder / TASKS)]


def reason(name: str, code: int) -> str:
    """Return why a program ended, in a sentence.

    Args:
        name: Of the program.
        code: It ended with; negative = by a signal.

    Source: own.
    """
    if name != SUPERNODE or code <= 0:
        how = f"was stopped by {signal.Signals(-code).name}" if code < 0 else f"ended with {code}"
        return f"{name} {how}."
    return (
        f"{name} was refused or could not connect. The coordinator refuses a key for about a "
        "minute after a crash, until it has marked the site offline; if this goes on, ask whether "
        "the key is registered."
    )


@contextmanager
def _running(
    words: Sequence[Sequence[str]], environment: Mapping[str, str]
) -> Iterator[list[subprocess.Popen[bytes]]]:
    """Start programs, and stop them at the end."""
    programs = list[subprocess.Popen[bytes]]()
    try:
        for command in words:
            programs.append(subprocess.Popen(command, env=dict(environment)))
        yield programs
    finally:
        for program in reversed(programs):
            program.terminate()
        for program in programs:
            try:
                program.wait(GRACE)
            except subprocess.TimeoutExpired:
                program.kill()


def _first_to_end(programs: Sequence[subprocess.Popen[bytes]]) -> int:
    while True:
        for place, program in enumerate(programs):
            if program.poll() is not None:
                return place
        time.sleep(LOOK)


@contextmanager
def _private_folder() -> Iterator[Path]:
    """Make the secret and the pipe between the programs, and what stands for Flower's program."""
    with tempfile.TemporaryDirectory(prefix="concord-") as name:
        folder = Path(name)
        (folder / "secret").write_bytes(secrets.token_bytes(32))
        program = folder / "flwr-clientapp"
        program.write_text(stand_in(folder))
        program.chmod(stat.S_IRWXU)
        os.mkfifo(folder / TASKS, stat.S_IRUSR | stat.S_IWUSR)
        yield folder


def _environment(station: Station, folder: Path) -> dict[str, str]:
    """Return this process's environment with `flwr-clientapp` leading to our launcher."""
    path = f"{folder}{os.pathsep}{os.environ.get('PATH', '')}"
    site = station.site.resolve()
    kept = (station.state or site / STATE).resolve()
    return {**QUIET, **POLL, **os.environ, "PATH": path, SITE: str(site), KEPT: str(kept)}


def _program(name: str) -> str:
    """Return one of Flower's programs, of the same installation as this one."""
    path = Path(sys.executable).with_name(name)
    if not path.is_file():
        raise ConfigError(f"Flower's programs must be installed here, got no '{path}'. Install it.")
    return str(path)


def _interrupt(number: int, frame: FrameType | None) -> None:  # noqa: ARG001 -- a signal handler
    raise KeyboardInterrupt
