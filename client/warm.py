"""A process that has imported what is heavy, and makes a copy of itself for each message.

Flower starts a program for each message, which spends seconds of a core on importing torch. Here
`flwr-clientapp` hands its words to this process, whose copy goes on at once. Nothing of a bundle
ever runs in the process itself: bundles are checked, unpacked and imported in the copy, which ends
with its message, so nothing of one message or run is there in the next.
"""

import os
import select
import signal
import sys
from pathlib import Path

from client.launch import main as launch

TASKS = "tasks"
"""Name of the pipe, in the folder that this user alone can enter, that takes one task a line."""

LOOK = 1.0
"""Seconds between looks at whether the parent lives."""

LINES = 4096
"""Bytes read at once; a task has some hundred."""


def main() -> None:
    """Wait for tasks while the process that started this one lives; each copy returns with one."""
    parent, unread = os.getppid(), b""
    import_all()
    # Held open for writing too, so that it does not end when no task is being handed over.
    with os.fdopen(os.open(sys.argv[1], os.O_RDWR), "rb", buffering=0) as pipe:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # copies that have ended are not kept
        while os.getppid() == parent:
            ready, _, _ = select.select([pipe], [], [], LOOK)
            unread += pipe.read(LINES) if ready else b""
            *tasks, unread = unread.split(b"\n")
            for task in tasks:
                if os.fork() == 0:
                    take(task.decode().split(" "))
                    return


def take(words: list[str]) -> None:
    """Do one task, as a program of its own that was called with these words would.

    Source: own.
    """
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    sys.argv[1:] = words
    launch()


def import_all() -> None:
    """Import what a ClientApp imports. Only packages of others stay: the bundle brings ours.

    Source: own.
    """
    import flwr.supernode.cli.flwr_clientapp
    import flwr.supernode.runtime.run_clientapp  # noqa: F401

    import client.app  # noqa: F401


def stand_in(folder: Path) -> str:
    """Return a shell program that hands its words to this process.

    Args:
        folder: Where the pipe is. Flower's words hold no spaces: an address, a token, a number.

    Source: own.
    """
    return f"#!/bin/sh\nprintf '%s\\n' \"$*\" > '{folder / TASKS}'\n"


if __name__ == "__main__":
    main()
