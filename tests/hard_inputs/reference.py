"""A second reader of site folders, plain and slow, that shares no line with the product.

It knows what a folder means, not what is wrong in it: whatever it cannot read it raises on, and a
folder that the product accepts but this reader does not is a fault of one of the two.
"""

import csv
import re
import tomllib
from dataclasses import dataclass
from pathlib import Path

import h5py
import numpy as np
import pandas as pd
import torch

UNITS = {"days": 1.0, "months": 30.4375, "years": 365.25}
NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")
SUFFIX = re.compile(r"\.(svs|ndpi|tiff?|mrxs|scn|bif|vms|dcm|h5|pt|npy)$", re.IGNORECASE)


@dataclass
class Expected:
    """What a folder holds, by patient."""

    name: str
    time: dict[str, float]
    event: dict[str, bool]
    patches: dict[str, np.ndarray]
    omics: dict[str, dict[str, dict[str, float]]]


def number(text: str) -> float:
    """Return a number in plain digits; everything else is none."""
    if not NUMBER.fullmatch(text.strip()):
        raise ValueError(f"{text!r} is no number")
    return float(text)


def flag(text: str) -> str:
    """Return a status in one spelling."""
    plain = {"true": "1", "false": "0"}.get(text.strip().lower(), text.strip().lower())
    return f"{float(plain):g}" if NUMBER.fullmatch(plain) else plain


def rows_of(path: Path) -> list[dict[str, str]]:
    """Return a table's rows as texts, by column."""
    if path.suffix.lower() == ".parquet":
        table = parquet(path)
        table.columns = [str(name).strip() for name in table.columns]
        return [{name: as_text(row[name]) for name in table} for _, row in table.iterrows()]
    with path.open(encoding="utf-8-sig", newline="") as lines:
        content = [cells for cells in csv.reader(lines) if cells]
    header = [name.strip() for name in content[0]]
    if len(set(header)) < len(header):
        raise ValueError("a column twice")
    found = []
    for cells in content[1:]:
        if len(cells) > len(header) and any(cells[len(header) :]):
            raise ValueError("a row longer than the header")
        padded = cells + [""] * (len(header) - len(cells))
        found.append({name: cell.strip() for name, cell in zip(header, padded, strict=False)})
    return found


def parquet(path: Path, columns: list[str] | None = None) -> pd.DataFrame:
    table = pd.read_parquet(path, columns=columns)
    return table if isinstance(table.index, pd.RangeIndex) else table.reset_index()


def as_text(value: object) -> str:
    if value is None or value != value:
        return ""
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value).strip()


def named(columns: list[str], told: str, known: tuple[str, ...], default: str = "") -> str:
    """Return the column that site.toml names, or the one of a known name."""
    if told:
        return columns[columns.index(told)]
    found = [name for name in columns if name.lower() in known]
    if len(found) != 1 and (found or not default):
        raise ValueError(f"{found} for {known}")
    return found[0] if found else default


def read(folder: Path) -> Expected:
    """Return what a site folder holds."""
    tree = tomllib.loads((folder / "site.toml").read_text(encoding="utf-8-sig"))
    told = tree.get("clinical", {})
    rows = rows_of(folder / told.get("file", "clinical.csv"))
    columns = list(rows[0])
    patient = named(columns, str(told.get("patient", "")), ("patient", "patient_id", "case_id"))
    times = tuple(f"{stem}_{unit}" for stem in ("time", "survival") for unit in UNITS)
    time = named(columns, str(told.get("time", "")), times)
    unit = UNITS[told.get("time_unit") or time.partition("_")[2]]
    status = named(columns, str(told.get("event", "")), ("event", "censorship"))
    seen, unseen = status_values(told, status)
    expected = Expected(tree["name"].strip(), {}, {}, {}, {})
    for row in rows:
        who, state = row[patient], flag(row[status])
        if state not in (seen, unseen):
            raise ValueError(f"status {state!r}")
        outcome = (number(row[time]) * unit, state == seen)
        if (expected.time.get(who, outcome[0]), expected.event.get(who, outcome[1])) != outcome:
            raise ValueError("two outcomes")
        expected.time[who], expected.event[who] = outcome
    if "features" in tree:
        slide = named(columns, str(told.get("slide", "")), ("slide", "slide_id"), " ")
        expected.patches = patches_of(folder, tree["features"], rows, patient, slide)
    for name, file in tree.get("omics", {}).items():
        expected.omics[name] = genes_of(folder / file)
    return expected


def status_values(told: dict[str, object], column: str) -> tuple[str, str]:
    if told.get("event_value", "") != "":
        return flag(str(told["event_value"])), flag(str(told["censored_value"]))
    return ("1", "0") if column.lower() == "event" else ("0", "1")


def genes_of(path: Path) -> dict[str, dict[str, float]]:
    """Return each patient's values by gene."""
    rows = rows_of(path)
    columns = list(rows[0])
    known = [name for name in columns if name.lower() in ("patient", "patient_id", "case_id")]
    patient = known[0] if known else columns[0]
    found = {}
    for row in rows:
        if row[patient] in found:
            raise ValueError("a patient twice")
        found[row[patient]] = {name: value(row[name]) for name in columns if name != patient}
    return found


def value(text: str) -> float:
    """Return a measurement; a mutation may be written as a truth value."""
    truth = {"true": 1.0, "false": 0.0}
    return truth[text.lower()] if text.lower() in truth else number(text)


def patches_of(
    folder: Path, told: dict[str, object], rows: list[dict[str, str]], patient: str, slide: str
) -> dict[str, np.ndarray]:
    """Return each patient's patches, slides in order of name."""
    lacking = {SUFFIX.sub("", str(name)) for name in told.get("missing", ())}
    bags = bags_of_table(folder / str(told["file"])) if "file" in told else None
    where = folder / str(told.get("folder", "patch_features"))
    found: dict[str, list[np.ndarray]] = {}
    for name, who in sorted({(SUFFIX.sub("", row.get(slide, "")), row[patient]) for row in rows}):
        if name and name not in lacking:
            bag = bag_of(where, name) if bags is None else bags[name]
            found.setdefault(who, []).append(np.asarray(bag, np.float32))
    return {who: np.concatenate(held) for who, held in found.items()}


def bags_of_table(path: Path) -> dict[str, np.ndarray]:
    table = parquet(path, ["slide_id", "embedding"])
    names = table["slide_id"].map(lambda name: SUFFIX.sub("", str(name).strip()))
    return {name: np.stack(list(rows["embedding"])) for name, rows in table.groupby(names)}


def bag_of(folder: Path, name: str) -> np.ndarray:
    """Return one slide's patches, whichever tool wrote them."""
    for below in (folder, folder / "h5_files"):
        if (below / f"{name}.h5").is_file():
            with h5py.File(below / f"{name}.h5") as file:
                held = next(file[key] for key in ("features", "feats") if key in file)
                return held[()].reshape(-1, held.shape[-1])
    held = torch.load(folder / "pt_files" / f"{name}.pt", "cpu", weights_only=True)
    return held.numpy()
