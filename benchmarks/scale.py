"""Memory at scale: one patient with very many patches, and very many sites.

python benchmarks/scale.py patient [--patches 100000] [--width 1024] [--dtype float16]
                                   [--pooling mean|attention]
python benchmarks/scale.py sites [--sites 100] [--rounds 10]

Each prints one JSON document. `patient` trains with default settings over two sites, one of which
holds the large patient among its training patients, and tells the largest resident memory of the
process that did it. `sites` tells the resident memory in each round's last training message, when
the coordinator holds its replies. Both make their data in a temporary folder and remove it.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import h5py
import numpy as np
import pandas as pd

ROWS = 4096
"""Patches written at a time."""

NORMAL = (60, 250, 900, 40, 0, 600, 130, 512, 80, 300, 70, 1500)
"""Patches of the other patients of a site; 0 = no slide."""


def main() -> int:
    """Make the data, measure in a fresh process, print what it measured."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    commands = parser.add_subparsers(dest="command", required=True)
    patient = commands.add_parser("patient")
    patient.add_argument("--patches", type=int, default=100_000)
    patient.add_argument("--width", type=int, default=1024)
    patient.add_argument("--dtype", choices=("float16", "float32"), default="float16")
    patient.add_argument("--pooling", choices=("mean", "attention"), default="mean")
    patient.add_argument("--rounds", type=int, default=3)
    sites = commands.add_parser("sites")
    sites.add_argument("--sites", type=int, default=100)
    sites.add_argument("--patients", type=int, default=20)
    sites.add_argument("--rounds", type=int, default=10)
    measure = commands.add_parser("measure")
    measure.add_argument("settings", nargs="+", metavar="KEY=VALUE")
    parsed = parser.parse_args()
    if parsed.command == "measure":
        print(json.dumps(_measure(dict(pair.split("=", 1) for pair in parsed.settings))))
        return 0
    with tempfile.TemporaryDirectory() as folder:
        make = _make_patient if parsed.command == "patient" else _make_sites
        settings = make(Path(folder) / "sites", parsed)
        settings += [f"sites={folder}/sites", f"out={folder}/run", f"rounds={parsed.rounds}"]
        asked = {name: value for name, value in vars(parsed).items() if name != "command"}
        print(json.dumps(asked | _child(settings)))
    return 0


def _child(settings: Sequence[str]) -> dict:
    """Measure in a process of its own, whose memory holds nothing else."""
    done = subprocess.run(
        [sys.executable, __file__, "measure", *settings],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        stdout=subprocess.PIPE, check=True, text=True,
    )  # fmt: skip
    return json.loads(done.stdout.splitlines()[-1])


def _make_patient(sites: Path, parsed: argparse.Namespace) -> list[str]:
    rng = np.random.default_rng(1)
    for name, sizes in (("large", (parsed.patches, *NORMAL)), ("normal", NORMAL)):
        folder = sites / name / "patch_features"
        folder.mkdir(parents=True)
        for place, size in enumerate(sizes):
            _write_bag(folder / f"{name}-{place:02d}.h5", size, parsed.width, parsed.dtype, rng)
        _write_tables(sites / name, sizes, parsed.width, rng)
    return [f"model.pooling={parsed.pooling}"]


def _write_bag(path: Path, patches: int, width: int, dtype: str, rng: np.random.Generator) -> None:
    if not patches:
        return
    with h5py.File(path, "w") as file:
        data = file.create_dataset("features", (patches, width), dtype)
        for start in range(0, patches, ROWS):
            stop = min(start + ROWS, patches)
            data[start:stop] = rng.standard_normal((stop - start, width), np.float32)


def _write_tables(folder: Path, sizes: Sequence[int], width: int, rng: np.random.Generator) -> None:
    names = [f"{folder.name}-{place:02d}" for place in range(len(sizes))]
    split = ["train", *["train", "validation", "test"] * len(sizes)][: len(sizes)]
    clinical = pd.DataFrame({
        "patient": names,
        "slide": [name if size else "" for name, size in zip(names, sizes, strict=True)],
        "time_days": rng.integers(1, 3000, len(sizes)),
        "event": np.arange(len(sizes)) % 2,
        "split": split,
    })  # fmt: skip
    clinical.to_csv(folder / "clinical.csv", index=False)
    genes = pd.DataFrame(
        rng.standard_normal((len(sizes), 30)), columns=[f"G{n}" for n in range(30)]
    )
    genes.insert(0, "patient", names)
    genes.to_parquet(folder / "rna.parquet", index=False)
    (folder / "site.toml").write_text(
        f'name = "{folder.name}"\n[features]\nfolder = "patch_features"\nencoder = "made-up"\n'
        f'width = {width}\n[clinical]\nfile = "clinical.csv"\n[omics]\nrna = "rna.parquet"\n'
    )


def _make_sites(sites: Path, parsed: argparse.Namespace) -> list[str]:
    from simulations.synthetic import make_hospitals

    make_hospitals(sites, sites=parsed.sites, patients=parsed.patients)
    return []


def _measure(settings: dict[str, str]) -> dict:
    """Run a federation here and return its memory in MB and seconds."""
    from client.app import app
    from fusion.config import from_flat
    from simulations.federation import run_inline
    from simulations.start import check_sites

    rounds: dict[int, float] = {}

    def watch(message, context):
        reply = app(message, context)
        if message.metadata.message_type == "train":
            rounds[int(message.content["request"]["round"])] = _memory("VmRSS")
        return reply

    before, config, started = _memory("VmRSS"), from_flat(settings), time.monotonic()
    check_sites(config)
    run_inline(config, client=watch)
    return {
        "imported_mb": before,
        "largest_mb": _memory("VmHWM"),
        "round_mb": list(rounds.values()),
        "seconds": round(time.monotonic() - started, 1),
    }


def _memory(key: str) -> float:
    """Return a line of /proc/self/status in MB (10^6 bytes).

    Not getrusage: its ru_maxrss of a child starts at what the parent held.
    """
    lines = Path("/proc/self/status").read_text().splitlines()
    told = next(line.split()[1] for line in lines if line.startswith(f"{key}:"))
    return round(int(told) * 1024 / 1e6, 1)


if __name__ == "__main__":
    sys.exit(main())
