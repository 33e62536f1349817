"""What an audit costs beside one evaluation pass (encode and fuse) of the same patients.

python benchmarks/audit_cost.py [--patients 32] [--patches 2000] [--width 1024] [--donors 100]
                                [--models gated cross_attention ...] [--pooling mean attention]
python benchmarks/audit_cost.py memory [--patches 2000] [--width 1024]

Bags of noise in a temporary folder, one site, default settings, two modalities, one thread; times
are the least processor time of some repeats, which take turns. `mean` is the audit alone, from the
patches on; `together` is a test with its audit, which share the reading of the patches; `marginal`
is the audit with its donors, from the donors' patches on, and `without encoding` what is left of it
where the donors are encoded already. `float64` is the encoding alone if patches were summed in
float64, and `moved` the most that this would change any interaction share. Fails if a ratio of
gated or cross_attention is above what is allowed.

`memory` tells the largest resident memory of a process for few and many patients and donors, with
no patch kept in memory.
"""

import argparse
import copy
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import h5py
import numpy as np
import pandas as pd
import torch

from client.audit import audit, donors
from fusion.config import from_flat
from fusion.interaction.figures import audit_figures
from fusion.interaction.tallies import AuditTally
from fusion.models.base import FusionModel
from fusion.models.entries import MODELS
from fusion.readers.bags import Room
from fusion.readers.cohort import read_cohort
from fusion.readers.omics import omics_vector
from fusion.readers.scaling import Scaling, omics_sums, slide_sums
from fusion.training.data import PatientData
from fusion.training.evaluation import embed, embed_mean_input, pool, scores
from fusion.training.plan import Network, Plan, build_network

ALLOWED = {"mean": 1.3, "together": 1.3, "marginal": 5.0}
"""Times one evaluation pass, for the models of `HELD`."""

HELD = ("gated", "cross_attention")
FUSING = [name for name in MODELS if len(MODELS[name].takes) != 1]
FILES = 16
"""Bags that differ; other patients' bags are links to them, each read and kept on its own."""
GENES = 1000


def main() -> int:
    """Measure, print a table, and fail if an audit costs more than is allowed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", nargs="?", choices=("time", "memory", "once"), default="time")
    parser.add_argument("--patients", type=int, default=32)
    parser.add_argument("--patches", type=int, default=2000)
    parser.add_argument("--width", type=int, default=1024)
    parser.add_argument("--donors", type=int, default=100)
    parser.add_argument("--models", nargs="+", default=FUSING)
    parser.add_argument("--pooling", nargs="+", default=["mean"])
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--folder", type=Path)
    parsed = parser.parse_args()
    torch.set_num_threads(1)
    if parsed.what == "once":
        print(json.dumps({"largest_mb": _once(parsed)}))
        return 0
    with tempfile.TemporaryDirectory() as folder:
        parsed.folder = parsed.folder or Path(folder) / "site"
        return _memory(parsed) if parsed.what == "memory" else _time(parsed)


def _time(parsed: argparse.Namespace) -> int:
    data, plan = _site(parsed, parsed.patients + parsed.donors, Room(2**34))
    for row in range(len(data)):
        list(data.chunks(row, 8192))  # from here on every bag is in memory
    print(f"{parsed.patients} patients of {parsed.patches} x {parsed.width}, R = {parsed.donors}")
    head = ("model", "pooling", "ms", "mean", "together", "marginal", "without encoding", "float64")
    print("| " + " | ".join((*head, "moved", "fusions mean", "fusions marginal")) + " |")
    worst = 0
    for pooling in parsed.pooling:
        for name in parsed.models:
            network = build_network(plan, from_flat({"model.name": name, "model.pooling": pooling}))
            found, fusions = _ratios(network, data, parsed)
            cells = [name, pooling, f"{found.pop('evaluation'):.2f}"]
            cells += [f"{found[key]:.2f}" for key in head[3:]]
            cells += [f"{_moved(network.model, data, parsed.patients):.0e}"]
            cells += [f"{one:.2f}" for one in fusions]
            print("| " + " | ".join(cells) + " |", flush=True)
            if name in HELD:
                worst += sum(found[key] > allowed for key, allowed in ALLOWED.items())
    return int(worst > 0)


def _ratios(
    network: Network, data: PatientData, parsed: argparse.Namespace
) -> tuple[dict[str, float], list[float]]:
    """Return the passes' times, each over that of an evaluation, and fusions a patient."""
    model, rows = network.model, list(range(parsed.patients))
    training = list(range(parsed.patients, len(data)))
    mean = {name: tokens.mean(0) for name, tokens in embed(model, data, rows)[0].items()}

    def held() -> dict[str, torch.Tensor]:
        return donors(model, data, training, number=parsed.donors, seed=1)

    def both() -> None:
        pooled = pool(model, data, rows)
        scores(network, data, rows, pooled)
        audit(model, data, rows, mean, pooled=pooled)

    ready, exact = held(), copy.deepcopy(model).double()
    passes: dict[str, Callable[[], object]] = {
        "evaluation": lambda: scores(network, data, rows),
        "mean": lambda: audit(model, data, rows, mean),
        "together": both,
        "marginal": lambda: audit(model, data, rows, held()),
        "without encoding": lambda: audit(model, data, rows, ready),
        "float64": lambda: embed(exact, data, rows),
    }
    for work in passes.values():
        work()  # the first call builds caches
    taken = [[_processor(work) for work in passes.values()] for _ in range(parsed.repeats)]
    times = dict(zip(passes, np.min(taken, axis=0).tolist(), strict=True))
    base = times.pop("evaluation")
    ratios = {name: time / base for name, time in times.items()}
    fusions = [_fusions(network, data, rows, held) for held in (mean, ready)]
    return ratios | {"evaluation": 1e3 * base / len(rows)}, fusions


def _moved(model: FusionModel, data: PatientData, patients: int) -> float:
    """Return the largest change of a share if patches were summed in float64."""
    held, rows = embed_mean_input(model, data.plan.widths), list(range(patients))
    shares = []
    for one in (model, copy.deepcopy(model).double()):
        tally = AuditTally.from_array(audit(one, data, rows, held)["audit"], model.modalities)
        found = audit_figures(tally, {})["shares"]
        shares.append([share["value"] or 0.0 for share in found.values()])
    return float(np.abs(np.subtract(*shares)).max())


def _fusions(network: Network, data: PatientData, rows: list[int], background) -> float:
    """Return how many rows an audit fuses, a patient."""
    fused: list[int] = []
    kind = type(network.model.fusion)
    forward = kind.forward

    def counted(self, embeddings):
        fused.append(len(next(iter(embeddings.values()))))
        return forward(self, embeddings)

    kind.forward = counted
    try:
        audit(network.model, data, rows, background)
    finally:
        kind.forward = forward
    return sum(fused) / len(rows)


def _processor(work: Callable[[], object]) -> float:
    started = time.process_time()
    work()
    return time.process_time() - started


def _memory(parsed: argparse.Namespace) -> int:
    """Print the largest memory of a fresh process for each size."""
    print("| model | patients | donors | MB |")
    for model in parsed.models:
        for patients, number in ((32, 0), (128, 0), (32, 100), (128, 100), (32, 400)):
            with tempfile.TemporaryDirectory() as folder:
                words = ["once", "--models", model, "--patients", patients, "--donors", number,
                         "--patches", parsed.patches, "--width", parsed.width,
                         "--folder", f"{folder}/site"]  # fmt: skip
                done = subprocess.run(
                    [sys.executable, __file__, *map(str, words)],
                    stdout=subprocess.PIPE, check=True, text=True,
                    env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
                )  # fmt: skip
            print(f"| {model} | {patients} | {number} | {json.loads(done.stdout)['largest_mb']} |")
    return 0


def _once(parsed: argparse.Namespace) -> float:
    data, plan = _site(parsed, parsed.patients + parsed.donors, Room(0))
    rows, training = list(range(parsed.patients)), list(range(parsed.patients, len(data)))
    model = build_network(plan, from_flat({"model.name": parsed.models[0]})).model
    held = embed_mean_input(model, plan.widths)
    if parsed.donors:
        held = donors(model, data, training, number=parsed.donors, seed=1)
    audit(model, data, rows, held)
    lines = Path("/proc/self/status").read_text().splitlines()
    told = next(line.split()[1] for line in lines if line.startswith("VmHWM:"))
    return round(int(told) * 1024 / 1e6, 1)


def _site(parsed: argparse.Namespace, patients: int, room: Room) -> tuple[PatientData, Plan]:
    """Write a site of so many patients and read it with a room of some size."""
    folder, rng = parsed.folder, np.random.default_rng(1)
    (folder / "patch_features").mkdir(parents=True)
    names = [f"p{number:04d}" for number in range(patients)]
    for number, name in enumerate(names):
        path = folder / "patch_features" / f"{name}.h5"
        if number >= FILES:
            os.link(folder / "patch_features" / f"{names[number % FILES]}.h5", path)
            continue
        with h5py.File(path, "w") as file:
            patches = rng.standard_normal((parsed.patches, parsed.width), np.float32)
            file.create_dataset("features", data=patches.astype(np.float16))
    _write_tables(folder, names, parsed.width, rng)
    cohort = read_cohort(folder)
    vector = omics_vector(cohort, tables=("rna",), clinical=())
    slides = slide_sums(cohort.bags(Room(0)), patients=list(range(2)), width=parsed.width)
    omics = omics_sums(vector, training=np.ones(patients, dtype=bool), clip=5.0)
    scaling = Scaling.from_sums(omics, slides, names=vector.names, clip=5.0)
    plan = Plan(
        modalities=("slides", "omics"), encoder=cohort.encoder, feature_width=parsed.width,
        tables=("rna",), clinical=(), scaling=scaling, edges=(0.0, 700.0, 3650.0),
        rates=(0.2, 0.3), projections={},
        groups={"one": vector.names[::2], "other": vector.names[1::2]},
    )  # fmt: skip
    return PatientData(cohort, plan, max_patches=512, bags=cohort.bags(room)), plan


def _write_tables(folder: Path, names: list[str], width: int, rng: np.random.Generator) -> None:
    clinical = pd.DataFrame({
        "patient": names, "slide": names,
        "time_days": rng.integers(1, 3000, len(names)), "event": np.arange(len(names)) % 2,
    })  # fmt: skip
    clinical.to_csv(folder / "clinical.csv", index=False)
    columns = [f"G{number}" for number in range(GENES)]
    genes = pd.DataFrame(rng.standard_normal((len(names), GENES)), columns=columns)
    genes.insert(0, "patient", names)
    genes.to_parquet(folder / "rna.parquet", index=False)
    (folder / "site.toml").write_text(
        f'name = "large"\n[features]\nfolder = "patch_features"\nencoder = "made-up"\n'
        f'width = {width}\n[clinical]\nfile = "clinical.csv"\n[omics]\nrna = "rna.parquet"\n'
    )


if __name__ == "__main__":
    sys.exit(main())
