"""Small sound folders that the catalogue and the fuzzer break: sites, a cohort, predictions."""

import csv
import io
from collections.abc import Mapping
from pathlib import Path

import h5py
import numpy as np

WIDTH = 3
PATIENTS = tuple(f"Zq-{number}" for number in range(101, 109))
"""Eight identifiers with a mark that no other text has, so that a leak shows."""

MARK = "Zq-"
GENES = ("TP53", "EGFR", "KRAS", "PTEN")


def site_toml(name: str) -> str:
    return f"""name = "{name}"

[features]
folder = "patch_features"
encoder = "made-up-3"
width = {WIDTH}

[clinical]
file = "clinical.csv"

[omics]
rna = "rna.csv"
"""


def rows_of(patients: tuple[str, ...] = PATIENTS) -> list[dict[str, str]]:
    """One row a slide; the last patient has two slides, the first has none."""
    rows = []
    for place, patient in enumerate(patients):
        row = {
            "patient": patient, "slide": f"{patient}-a.svs" if place else "",
            "time_days": str(100 + 50 * place), "event": str(place % 2), "age": str(50 + place),
        }  # fmt: skip
        rows.append(row)
    return [*rows, {**rows[-1], "slide": f"{patients[-1]}-b.svs"}]


def write_rows(path: Path, rows: list[dict[str, str]]) -> None:
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, fieldnames=list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    path.write_text(text.getvalue(), encoding="utf-8")


def read_rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as lines:
        return list(csv.DictReader(lines))


def expression(patients: tuple[str, ...] = PATIENTS) -> list[dict[str, str]]:
    """Every patient but the second; three decimals between -2 and 2."""
    values = np.random.default_rng(len(patients)).uniform(-2, 2, (len(patients), len(GENES)))
    return [
        {"patient": patient, **{g: f"{x:.3f}" for g, x in zip(GENES, row, strict=True)}}
        for place, (patient, row) in enumerate(zip(patients, values, strict=True))
        if place != 1
    ]


def write_bag(path: Path, datasets: Mapping[str, np.ndarray], **layout: object) -> None:
    path.unlink(missing_ok=True)
    with h5py.File(path, "w") as file:
        for name, values in datasets.items():
            file.create_dataset(name, data=values, track_times=False, **layout)


def patches(number: int, width: int = WIDTH) -> np.ndarray:
    return np.random.default_rng(number).normal(size=(4 + number % 3, width)).astype(np.float16)


def make_site(folder: Path, name: str = "lyon", patients: tuple[str, ...] = PATIENTS) -> Path:
    """Write a site folder that trains: eight patients, eight slides, one csv table of genes."""
    (folder / "patch_features").mkdir(parents=True)
    (folder / "site.toml").write_text(site_toml(name), encoding="utf-8")
    rows = rows_of(patients)
    write_rows(folder / "clinical.csv", rows)
    write_rows(folder / "rna.csv", expression(patients))
    for number, row in enumerate(row for row in rows if row["slide"]):
        name_ = row["slide"].replace(".svs", ".h5")
        write_bag(folder / "patch_features" / name_, {"features": patches(number)})
    return folder


def make_sites(folder: Path) -> Path:
    """Write two sites whose patients differ."""
    make_site(folder / "lyon")
    others = tuple(patient.replace("Zq-1", "Zq-2") for patient in PATIENTS)
    make_site(folder / "porto", "porto", others)
    return folder


def make_cohort(folder: Path) -> Path:
    """Write a cohort of two hospitals to be partitioned."""
    make_site(folder)
    (folder / "site.toml").unlink()
    (folder / "rna.csv").rename(folder / "genomics.csv")
    rows = read_rows(folder / "clinical.csv")
    halves = [{**row, "site": "north" if row["patient"] < "Zq-105" else "south"} for row in rows]
    write_rows(folder / "clinical.csv", halves)
    return folder
