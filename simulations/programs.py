"""Programs that belong together: started with one mark, stopped with all they started."""

import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack, suppress
from pathlib import Path
from types import TracebackType
from uuid import uuid4

MARK = "CONCORD_PROGRAMS"
"""Environment variable by which the descendants of one group are found again."""

_POLL = 0.1

_KILLS = 5
"""A process that starts another while it is being killed makes more than one pass needed."""


class Programs:
    """Starts programs and, at the end of the `with`, stops them and everything they started.

    Flower and Ray detach their children from whoever started them. On Linux they are found by a
    mark in their environment; elsewhere only what stayed in the programs' process groups is.

    Args:
        folder: Working directory of the programs and home of their logs.
        environment: Their environment; the mark is added.

    Source: own.
    """

    def __init__(self, folder: Path, environment: Mapping[str, str]) -> None:
        self.folder = folder
        self.environment = {**environment, MARK: uuid4().hex}
        self._started: list[subprocess.Popen[bytes]] = []

    def __enter__(self) -> "Programs":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def start(self, words: Sequence[str], *, log: str) -> subprocess.Popen[bytes]:
        """Start a program whose output goes to the file `log` in the folder.

        Raises:
            OSError: The program does not exist.
        """
        with ExitStack() as opened:
            output = opened.enter_context((self.folder / log).open("ab"))
            process = subprocess.Popen(
                words,
                cwd=self.folder,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self._started.append(process)
        return process

    def call(self, words: Sequence[str], *, seconds: float) -> subprocess.CompletedProcess[str]:
        """Run a program to its end and return what it said.

        Raises:
            OSError: The program does not exist.
            subprocess.TimeoutExpired: It took longer; it has been stopped.
        """
        return subprocess.run(
            words,
            cwd=self.folder,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=seconds,
            check=False,
        )

    def living(self) -> list[int]:
        """Return the numbers of the programs' processes, descendants included."""
        mark = f"{MARK}={self.environment[MARK]}".encode()
        marked = {
            int(path.parent.name)
            for path in Path("/proc").glob("[0-9]*/environ")
            if mark in _read(path).split(b"\0")
        }
        ours = {process.pid for process in self._started if process.poll() is None}
        return sorted(marked | ours)

    def stop(self, *, grace: float = 5.0) -> None:
        """Ask every process to end, and after `grace` seconds make it.

        Args:
            grace: Seconds.
        """
        self._send(signal.SIGTERM)
        self._wait(grace)
        for _ in range(_KILLS):
            if self.living():
                self._send(signal.SIGKILL)
                self._wait(1.0)

    def _send(self, number: int) -> None:
        """Send a signal to the programs' groups, the last first, and to who left them."""
        for process in reversed(self._started):
            if process.poll() is None:
                _signal(os.killpg, process.pid, number)
        for living in self.living():
            _signal(os.kill, living, number)

    def _wait(self, seconds: float) -> None:
        deadline = time.monotonic() + seconds
        while self.living() and time.monotonic() < deadline:
            time.sleep(_POLL)


def free_ports(number: int) -> list[int]:
    """Return loopback ports that nobody listens on at this moment.

    Source: own.
    """
    with ExitStack() as opened:
        sockets = [
            opened.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(number)
        ]
        return [one.getsockname()[1] for one in sockets]


def _read(path: Path) -> bytes:
    """Return a file of /proc; nothing if the process has ended or is somebody else's."""
    try:
        return path.read_bytes()
    except OSError:
        return b""


def _signal(send: Callable[[int, int], None], to: int, number: int) -> None:
    with suppress(ProcessLookupError, PermissionError):
        send(to, number)
