"""What the inline engine costs: a federated run beside the same work in a plain loop.

python benchmarks/overhead.py [--sites DIR] [--repeats 7] [--rounds N] [--set KEY=VALUE ...]

Both open the same folders, take the same local steps, validations and audits, and must end in the
same weights. The engine also sends messages, writes checkpoints, the result and the report. Runs
alternate; the ratio is taken pair by pair, on the wall and in processor time.
"""

import argparse
import cProfile
import logging
import os
import pstats
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np

from fusion.config import RunConfig, from_flat
from server.progress import load_progress
from simulations.federation import run_inline
from simulations.plain import run_plain
from simulations.synthetic import make_hospitals

ALLOWED = 1.1


def main() -> int:
    """Measure, print, and fail if the engine costs more than is allowed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sites", type=Path, help="site folders; synthetic hospitals if absent")
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--rounds", type=int, help="those of a default run if absent")
    parser.add_argument("--set", nargs="*", action="extend", default=[], metavar="KEY=VALUE")
    parser.add_argument("--profile", action="store_true", help="where one engine run spends time")
    parsed = parser.parse_args()
    logging.disable(logging.WARNING)
    with tempfile.TemporaryDirectory() as folder:
        config = _config(parsed, Path(folder))
        _timed(run_plain, config)
        _timed(run_inline, config)
        if parsed.profile:
            _profile(config)
        return _measure(config, parsed.repeats)


def _config(parsed: argparse.Namespace, folder: Path) -> RunConfig:
    sites = parsed.sites or folder / "sites"
    if not parsed.sites:
        make_hospitals(sites, patients=150)
    told: dict[str, Any] = dict(pair.split("=", 1) for pair in parsed.set)
    told |= {"rounds": parsed.rounds} if parsed.rounds else {}
    return from_flat(told | {"sites": str(sites.resolve()), "out": str(folder / "run")})


def _timed(work: Callable, config: RunConfig) -> tuple[float, float, Any]:
    if work is run_inline:
        shutil.rmtree(config.out, ignore_errors=True)
    wall, processor = time.perf_counter(), time.process_time()
    found = work(config)
    return time.perf_counter() - wall, time.process_time() - processor, found


def _measure(config: RunConfig, repeats: int) -> int:
    """Alternate both, the first of each pair in turn, and compare medians of the pairs' ratios."""
    walls, processors = [], []
    for repeat in range(repeats):
        order = [run_plain, run_inline][:: 1 if repeat % 2 == 0 else -1]
        found = {work.__name__: _timed(work, config) for work in order}
        plain, engine = found["run_plain"], found["run_inline"]
        progress, _ = load_progress(engine[2])
        for name, value in plain[2].final.items():
            np.testing.assert_array_equal(progress.model[name], value)
        walls.append((plain[0], engine[0]))
        processors.append((plain[1], engine[1]))
        print(
            f"{repeat + 1}/{repeats} plain {plain[0]:.2f} s, engine {engine[0]:.2f} s: "
            f"{engine[0] / plain[0]:.3f} on the wall, {engine[1] / plain[1]:.3f} of the processor",
            flush=True,
        )
    wall, processor = (_median_ratio(pairs) for pairs in (walls, processors))
    print(f"median ratio: {wall:.3f} on the wall, {processor:.3f} of the processor")
    print(f"allowed: {ALLOWED}; weights equal bit for bit in all {repeats} pairs")
    return int(wall > ALLOWED)


def _median_ratio(pairs: list[tuple[float, float]]) -> float:
    return float(np.median([engine / plain for plain, engine in pairs]))


def _profile(config: RunConfig) -> None:
    profile = cProfile.Profile()
    shutil.rmtree(config.out, ignore_errors=True)
    profile.runcall(run_inline, config)
    pstats.Stats(profile).sort_stats("cumulative").print_stats(60)


if __name__ == "__main__":
    sys.exit(main())
