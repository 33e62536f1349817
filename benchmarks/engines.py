"""What an engine needs for many sites: seconds, and the memory of all its processes together.

python benchmarks/engines.py [--sites 50] [--patients 24] [--rounds 3] [--engines inline,ray]

Each engine runs the same synthetic federation through `concord-simulate run`. Memory is the sum
over its processes at the worst moment, looked at five times a second: PSS, in which a page that
several processes share counts once, and RSS, in which it counts in each. Linux only. The engines'
models must agree to 1e-5.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
from safetensors.numpy import load_file

from simulations.synthetic import make_hospitals

EVERY = 0.2
MARK = "CONCORD_BENCHMARK"


@dataclass
class Peak:
    """The most memory all processes together have held, in MB."""

    mark: str
    held: dict[str, float] = field(default_factory=lambda: {"Pss": 0.0, "Rss": 0.0})
    processes: int = 0

    def look(self) -> None:
        """Add up what every process that bears the mark holds now."""
        now = {"Pss": 0.0, "Rss": 0.0}
        found = 0
        for folder in Path("/proc").glob("[0-9]*"):
            try:
                if self.mark.encode() not in (folder / "environ").read_bytes():
                    continue
                lines = (folder / "smaps_rollup").read_text().splitlines()
            except OSError:
                continue
            found += 1
            for line in lines:
                name, _, rest = line.partition(":")
                if name in now:
                    now[name] += int(rest.split()[0]) / 1024
        self.held = {name: max(value, now[name]) for name, value in self.held.items()}
        self.processes = max(self.processes, found)


def main() -> int:
    """Measure each engine and print a row of it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sites", type=int, default=50)
    parser.add_argument("--patients", type=int, default=24, help="a site")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--engines", default="inline,ray")
    parsed = parser.parse_args()
    models = {}
    print("engine  seconds  PSS, MB  RSS, MB  processes")
    with tempfile.TemporaryDirectory() as folder:
        sites = Path(folder, "sites")
        make_hospitals(sites, sites=parsed.sites, patients=parsed.patients)
        for engine in parsed.engines.split(","):
            out = Path(folder, engine)
            words = ["run", "--sites", str(sites), "--out", str(out), "--engine", engine]
            seconds, peak = _watch([*words, "--rounds", str(parsed.rounds)])
            pss, rss = peak.held.values()
            print(f"{engine:6}  {seconds:7.1f}  {pss:7.0f}  {rss:7.0f}  {peak.processes:9}")
            models[engine] = load_file(out / "model.safetensors")
    first, *others = models.values()
    for other in others:
        for name, value in first.items():
            np.testing.assert_allclose(other[name], value, atol=1e-5, rtol=0, err_msg=name)
    return 0


def _watch(words: list[str]) -> tuple[float, Peak]:
    peak = Peak(f"{MARK}={os.getpid()}.{time.monotonic_ns()}")
    name, _, value = peak.mark.partition("=")
    started = time.monotonic()
    command = [sys.executable, "-m", "simulations.cli", *words]
    with tempfile.TemporaryFile("w+") as said:
        marked = {**os.environ, name: value}
        process = subprocess.Popen(command, env=marked, stdout=subprocess.DEVNULL, stderr=said)
        while process.poll() is None:
            peak.look()
            time.sleep(EVERY)
        if process.returncode:
            said.seek(0)
            sys.exit(said.read())
    return time.monotonic() - started, peak


if __name__ == "__main__":
    sys.exit(main())
