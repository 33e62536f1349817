"""A network namespace with one wire to this machine, which can be cut."""

import os
import shutil
import subprocess
from types import TracebackType

HERE, THERE = "10.213.71.1", "10.213.71.2"
"""Addresses of the wire's two ends."""

SPACE, NEAR, FAR = "concord-faults", "concord-near", "concord-far"


def can_cut() -> bool:
    """Return whether this user may make network namespaces."""
    if os.geteuid() != 0 or shutil.which("ip") is None:
        return False
    made = subprocess.run(["ip", "netns", "add", f"{SPACE}-try"], capture_output=True, check=False)
    subprocess.run(["ip", "netns", "del", f"{SPACE}-try"], capture_output=True, check=False)
    return made.returncode == 0


class Wire:
    """Makes the namespace and the wire, and removes both."""

    INSIDE = ("ip", "netns", "exec", SPACE)
    """Before the words of a command that runs inside."""

    def __enter__(self) -> "Wire":
        _ip("netns", "add", SPACE)
        _ip("link", "add", NEAR, "type", "veth", "peer", "name", FAR, "netns", SPACE)
        _ip("addr", "add", f"{HERE}/30", "dev", NEAR)
        _ip("-n", SPACE, "addr", "add", f"{THERE}/30", "dev", FAR)
        for words in (("link", "set", NEAR), ("-n", SPACE, "link", "set", FAR)):
            _ip(*words, "up")
        _ip("-n", SPACE, "link", "set", "lo", "up")
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        _ip("netns", "del", SPACE)  # the wire goes with its end

    def cut(self) -> None:
        """Let nothing through: packets are lost, as when a cable is pulled."""
        _ip("link", "set", NEAR, "down")

    def join(self) -> None:
        """Let everything through again."""
        _ip("link", "set", NEAR, "up")


def _ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True, capture_output=True)
