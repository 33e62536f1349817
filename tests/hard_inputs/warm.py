"""A process that has run its first command itself, and forks each later one.

Starting Python and torch takes seconds; a fork takes milliseconds, and is killed as truly. Each
line of its input is a command in JSON, each line of its output what became of it.
"""

import json
import os
import signal
import sys
import time
from collections.abc import Callable
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

import torch

from client import private_training
from privacy.ledger import Ledger
from simulations.cli import main

MOMENTS: dict[str, tuple[Any, str]] = {
    "halved": (os, "fsync"),
    "renamed": (Path, "replace"),
    "appended": (Ledger, "_append"),
    "charged": (Ledger, "charge"),
    "trained": (private_training, "take_steps"),
    "kept": (Ledger, "keep_reply"),
}
"""What has just been done when a process is killed; `appended` is not yet committed."""


def count_steps(path: str) -> None:
    """Let this process write the site's name into a file before each noisy step it takes."""
    real, log = private_training._gradient, os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)

    def counted(task: Any, *words: Any) -> Any:
        gradient = real(task, *words)

        def step(number: int) -> float | None:
            os.write(log, f"{task.site.cohort.name}\n".encode())
            return gradient(step=number)

        return step

    private_training._gradient = counted


def die_at(moment: str, number: int) -> None:
    """Let this process be killed when it has done something for the n-th time."""
    home, name = MOMENTS[moment]
    real: Callable[..., Any] = getattr(home, name)
    left = [number]

    def deadly(*words: Any, **named: Any) -> object:
        done = real(*words, **named)
        left[0] -= 1
        if not left[0]:
            if moment == "halved":
                os.ftruncate(words[0], os.fstat(words[0]).st_size // 2)
            os.kill(os.getpid(), signal.SIGKILL)
        return done

    setattr(home, name, deadly)


def run(order: dict[str, Any]) -> dict[str, Any]:
    """Fork a command, kill it after `seconds` if it still runs, and tell how it ended."""
    started, child = time.monotonic(), os.fork()
    if child == 0:
        become(order)
    deadline, killed = order.get("seconds"), False
    while True:
        ended, status = os.waitpid(child, os.WNOHANG)
        if ended:
            break
        if deadline is not None and not killed and time.monotonic() - started > deadline:
            os.kill(child, signal.SIGKILL)
            killed = True
        time.sleep(0.001)
    code = os.waitstatus_to_exitcode(status)
    return {"code": code, "seconds": time.monotonic() - started}


def become(order: dict[str, Any]) -> None:
    """Turn this process into the command; never return."""
    log = os.open(order["log"], os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(log, 1)
    os.dup2(log, 2)
    if "steps" in order:
        count_steps(order["steps"])
    if "moment" in order:
        die_at(order["moment"], order["number"])
    code = 70
    try:
        code = main(order["words"])
    finally:
        sys.stdout.flush()
        os._exit(code)


if __name__ == "__main__":
    torch.set_num_threads(1)  # a thread would not survive the fork
    with redirect_stdout(sys.stderr):
        main(json.loads(sys.stdin.readline())["words"])  # what is imported late is imported now
    for line in sys.stdin:
        sys.stdout.write(json.dumps(run(json.loads(line))) + "\n")
        sys.stdout.flush()
