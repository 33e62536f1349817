"""Many runs side by side: no more processes than fit into memory, and none outlives its parent."""

import logging
import os
import signal
import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing import get_context, parent_process
from pathlib import Path
from typing import Generic, TypeVar

from fusion.errors import ConcordError, ConfigError

log = logging.getLogger("concord.simulate")

SHARE = 0.8
"""Part of the available memory that the processes may take together."""

Task = TypeVar("Task")


@dataclass(frozen=True)
class Done(Generic[Task]):
    """A task that came to its end.

    Attributes:
        task: Which.
        problem: Why it failed, in a sentence; None = it did not.
    """

    task: Task
    problem: str | None


def do_all(
    tasks: Sequence[Task],
    work: Callable[[Task], None],
    *,
    jobs: int,
    prepare: Callable[[Task], None],
) -> Iterator[Done[Task]]:
    """Do the tasks in several processes and yield each as it ends; a failed one stops no other.

    The first task runs alone; what memory its process held decides how many run beside each other.

    Args:
        tasks: Passed to the processes, in this order.
        work: Does one task; a function of a module.
        jobs: Most processes.
        prepare: Called here with each task just before it is handed over.

    Yields:
        Each task with why it failed, if it did.

    Raises:
        ConfigError: A process was killed from outside, most likely for its memory.

    Source: own.
    """
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    free, peak, room = available_memory(), 0, 1
    queue, running = deque(tasks), dict[Future, Task]()
    pool = ProcessPoolExecutor(jobs, mp_context=get_context("spawn"), initializer=_begin)
    try:
        while queue or running:
            while queue and len(running) < room:
                task = queue.popleft()
                prepare(task)
                with _uninterrupted():
                    running[pool.submit(_measured, work, task)] = task
            for future in wait(running, return_when=FIRST_COMPLETED).done:
                done, held = _ended(running.pop(future), future)
                if held > peak:
                    peak, room = held, _told(places(jobs, free=free, peak=held), jobs, held)
                yield done
    finally:
        pool.shutdown(cancel_futures=True)


def places(jobs: int, *, free: int, peak: int) -> int:
    """Return how many processes of `peak` bytes may run at once: at least 1, at most `jobs`.

    Args:
        jobs: Most processes.
        free: Memory available at the start, in bytes; 0 = not known.
        peak: Most memory a process has held, in bytes; 0 = not known.

    Source: own.
    """
    return jobs if not free or not peak else max(1, min(jobs, int(SHARE * free / peak)))


def available_memory() -> int:
    """Return the memory that can be taken without swapping, in bytes; 0 where it is not told.

    Source: own (MemAvailable of Linux).
    """
    return _kilobytes(Path("/proc/meminfo"), "MemAvailable")


def peak_memory() -> int:
    """Return the most memory this process has held, in bytes; 0 where it is not told.

    Source: own (VmHWM of Linux; getrusage would count the parent's before the program started).
    """
    return _kilobytes(Path("/proc/self/status"), "VmHWM")


def _kilobytes(file: Path, key: str) -> int:
    if not file.is_file():
        return 0
    lines = file.read_text(encoding="utf-8").splitlines()
    return next((1024 * int(line.split()[1]) for line in lines if line.startswith(key + ":")), 0)


def _told(room: int, jobs: int, peak: int) -> int:
    """Return `room`; say so where memory, not --jobs, decides it."""
    if room < jobs:
        log.info(
            "%d of %d processes: one takes %.1f GB, and so many fit into memory",
            room, jobs, peak / 1e9,
        )  # fmt: skip
    return room


def _measured(work: Callable[[Task], None], task: Task) -> int:
    work(task)
    return peak_memory()


def _ended(task: Task, future: Future) -> tuple[Done[Task], int]:
    """Return how a task ended, and the memory of its process where it came to its end."""
    error = future.exception()
    if isinstance(error, BrokenProcessPool):
        raise ConfigError(
            "Every process must be left to finish, got one killed from outside (memory?). Lower "
            "--jobs and start again: what has finished is kept."
        )
    if error is None:
        return Done(task, None), future.result()
    known = isinstance(error, (ConcordError, OSError))
    return Done(task, str(error) if known else f"{type(error).__name__}: {error}"), 0


@contextmanager
def _uninterrupted() -> Iterator[None]:
    """Hold an interrupt back while a process may start: it knows no answer before it began."""
    held: list[int] = []
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    # Another thread may take the signal; Python would raise it here, mask or no mask.
    handler = signal.signal(signal.SIGINT, lambda number, _: held.append(number))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, handler)
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
        if held:
            signal.raise_signal(signal.SIGINT)


def _begin() -> None:
    """Die quietly when interrupted, and with the parent, which may be killed without notice."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
    threading.Thread(target=_follow_parent, daemon=True).start()
    import flwr.app  # noqa: F401 -- it sets its logger up on import, and would undo what follows

    logging.basicConfig(level=logging.ERROR, format="%(message)s")
    for name in ("concord", "flwr"):
        logging.getLogger(name).setLevel(logging.ERROR)


def _follow_parent() -> None:
    parent = parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
