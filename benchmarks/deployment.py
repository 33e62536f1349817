"""What a deployed round costs beside the sites' own work.

python benchmarks/deployment.py RUN --sites DIR

RUN is the folder of a finished deployed run, DIR holds copies of its site folders. The same
settings are run again on the inline engine, where the sites work one after the other in one
process and messages cost next to nothing. Its rounds are the sites' own work: of all together, and,
where each has a core of its own, of about one in so many.
"""

import argparse
import json
import logging
import os
import statistics
import tempfile
from dataclasses import replace
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

from fusion.config import RunConfig, from_flat
from simulations.federation import run_inline

ALLOWED = 1.5
"""Times the sites' own work that a round may cost, beside one exchange of messages."""


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("run", type=Path, metavar="RUN", help="folder of a deployed run")
    parser.add_argument("--sites", type=Path, required=True, help="its site folders")
    parsed = parser.parse_args()
    logging.disable(logging.WARNING)
    result = json.loads((parsed.run / "result.json").read_text(encoding="utf-8"))
    deployed = statistics.median(result["timings"]["rounds_seconds"])
    with tempfile.TemporaryDirectory() as folder:
        own = _own_work(from_flat(result["config"]), parsed.sites, Path(folder) / "run")
    sites = len(result["sites"])
    print(f"a deployed round: {deployed:.2f} s (median of {len(result['rounds']) - 1})")
    print(f"the sites' own work: {own:.2f} s one after the other, {own / sites:.2f} s side by side")
    beside = deployed - ALLOWED * own / sites
    print(f"beyond {ALLOWED} times their work side by side: {beside:.2f} s for messages")


def _own_work(config: RunConfig, sites: Path, out: Path) -> float:
    """Return the median round of the same run in one process, in seconds."""
    run_inline(replace(config, sites=str(sites.resolve()), out=str(out), resume=False))
    timings = json.loads((out / "result.json").read_text(encoding="utf-8"))["timings"]
    return statistics.median(timings["rounds_seconds"])


if __name__ == "__main__":
    main()
