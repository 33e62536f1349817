"""Random damage to a sound site folder, the same for the same seed."""

import os
import random
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path

import h5py
import numpy as np
import pandas as pd

ODD = (
    "", " ", "0", "1", "-1", "2", "0.5", "1e3", "1e400", "-0", "nan", "inf", "NA", "None", "True",
    "FALSE", "yes", "1,5", "1_000", "0x10", "٣", "½", "2020-01-01", "01", "+7", "7.", ".7",
    "1e-400", "100 days", "a,b", 'a"b', "a\nb", "\ufeffp", "../x", "Zq-101",
    "Zq-101-a.svs", "x" * 300,
)  # fmt: skip
"""Texts for a cell or a value: some are good numbers, most are not."""

Damage = Callable[[Path, random.Random], str]
"""Damages a folder and says how."""


def damage(folder: Path, seed: int) -> list[str]:
    """Damage a folder once, twice or three times and return what was done."""
    rng = random.Random(seed)
    kinds = rng.choices([*DAMAGES], weights=[*DAMAGES.values()], k=rng.choice((1, 1, 1, 2, 3)))
    return [f"{kind.__name__}: {kind(folder, rng)}" for kind in kinds]


def files(folder: Path, *suffixes: str) -> list[Path]:
    found = sorted(path for path in folder.rglob("*") if path.is_file())
    return [path for path in found if not suffixes or path.suffix in suffixes]


def flip_bytes(folder: Path, rng: random.Random) -> str:
    path = rng.choice(files(folder))
    content = bytearray(path.read_bytes())
    for _ in range(rng.choice((1, 1, 4, 32))):
        if content:
            content[rng.randrange(len(content))] = rng.randrange(256)
    path.write_bytes(bytes(content))
    return path.name


def cut_short(folder: Path, rng: random.Random) -> str:
    path = rng.choice(files(folder))
    content = path.read_bytes()
    path.write_bytes(content[: rng.randrange(len(content) + 1)])
    return path.name


def zero_a_stretch(folder: Path, rng: random.Random) -> str:
    path = rng.choice(files(folder))
    content = bytearray(path.read_bytes())
    start = rng.randrange(len(content) + 1)
    stop = min(len(content), start + rng.choice((1, 16, 512)))
    content[start:stop] = bytes(stop - start)
    path.write_bytes(bytes(content))
    return f"{path.name} {start}:{stop}"


def append(folder: Path, rng: random.Random) -> str:
    path = rng.choice(files(folder))
    path.write_bytes(path.read_bytes() + rng.randbytes(rng.choice((1, 50))))
    return path.name


def remove(folder: Path, rng: random.Random) -> str:
    path = rng.choice(files(folder))
    path.unlink()
    return path.name


def rename(folder: Path, rng: random.Random) -> str:
    path = rng.choice(files(folder))
    name = rng.choice((path.name.upper(), f"copy of {path.name}", path.stem, f"{path.name}.h5"))
    path.rename(path.with_name(name))
    return f"{path.name} to {name}"


def turn_into_a_folder(folder: Path, rng: random.Random) -> str:
    path = rng.choice(files(folder))
    path.unlink()
    path.mkdir()
    return path.name


def swap_files(folder: Path, rng: random.Random) -> str:
    one, other = rng.choice(files(folder)), rng.choice(files(folder))
    first, second = one.read_bytes(), other.read_bytes()
    one.write_bytes(second)
    other.write_bytes(first)
    return f"{one.name} and {other.name}"


def copy_a_file(folder: Path, rng: random.Random) -> str:
    path = rng.choice(files(folder))
    name = rng.choice((f"Zq-999-a{path.suffix}", f"{path.stem} 2{path.suffix}"))
    shutil.copy(path, path.with_name(name))
    return f"{path.name} to {name}"


def link_to_nothing(folder: Path, rng: random.Random) -> str:
    path = rng.choice(files(folder))
    path.unlink()
    path.symlink_to("nothing")
    return path.name


def turn_into_a_pipe(folder: Path, rng: random.Random) -> str:
    path = rng.choice(files(folder))
    path.unlink()
    os.mkfifo(path)
    return path.name


def _lines(folder: Path, rng: random.Random) -> tuple[Path, list[str]]:
    path = rng.choice(files(folder, ".csv", ".toml") or [folder / "made.csv"])
    text = path.read_bytes().decode("utf-8", "replace") if path.is_file() else ""
    return path, text.split("\n")


def _write(path: Path, lines: list[str], end: str = "\n") -> None:
    path.write_bytes(end.join(lines).encode())


def delete_a_line(folder: Path, rng: random.Random) -> str:
    path, lines = _lines(folder, rng)
    place = rng.randrange(len(lines))
    del lines[place]
    _write(path, lines)
    return f"{path.name} {place}"


def double_a_line(folder: Path, rng: random.Random) -> str:
    path, lines = _lines(folder, rng)
    place = rng.randrange(len(lines))
    lines.insert(rng.randrange(len(lines) + 1), lines[place])
    _write(path, lines)
    return f"{path.name} {place}"


def swap_lines(folder: Path, rng: random.Random) -> str:
    path, lines = _lines(folder, rng)
    one, other = rng.randrange(len(lines)), rng.randrange(len(lines))
    lines[one], lines[other] = lines[other], lines[one]
    _write(path, lines)
    return f"{path.name} {one} and {other}"


def other_line_ends(folder: Path, rng: random.Random) -> str:
    path, lines = _lines(folder, rng)
    end = rng.choice(("\r\n", "\r", "\n\n", ";\n", ",\n"))
    _write(path, lines, end)
    return f"{path.name} {end!r}"


def other_separator(folder: Path, rng: random.Random) -> str:
    path, lines = _lines(folder, rng)
    mark = rng.choice((";", "\t", "|", ", ", " ,", ",,"))
    _write(path, [line.replace(",", mark) for line in lines])
    return f"{path.name} {mark!r}"


def other_encoding(folder: Path, rng: random.Random) -> str:
    path, lines = _lines(folder, rng)
    name = rng.choice(("utf-8-sig", "utf-16", "latin-1", "utf-32"))
    path.write_bytes("\n".join(lines).replace("y", "ý").encode(name, "replace"))
    return f"{path.name} {name}"


def odd_cell(folder: Path, rng: random.Random) -> str:
    path, lines = _lines(folder, rng)
    place = rng.randrange(len(lines))
    cells, value = lines[place].split(","), rng.choice(ODD)
    quoted = rng.random() < 0.3
    cells[rng.randrange(len(cells))] = f'"{value}"' if quoted else value
    lines[place] = ",".join(cells)
    _write(path, lines)
    return f"{path.name} {place}: {value[:20]!r}"


def swap_cells(folder: Path, rng: random.Random) -> str:
    path, lines = _lines(folder, rng)
    table = [line.split(",") for line in lines]
    one, other = rng.choice(table), rng.choice(table)
    here, there = rng.randrange(len(one)), rng.randrange(len(other))
    one[here], other[there] = other[there], one[here]
    _write(path, [",".join(cells) for cells in table])
    return path.name


def lose_a_column(folder: Path, rng: random.Random) -> str:
    path, lines = _lines(folder, rng)
    table = [line.split(",") for line in lines]
    place = rng.randrange(len(table[0]))
    _write(path, [",".join(cells[:place] + cells[place + 1 :]) for cells in table])
    return f"{path.name} {table[0][place]}"


def move_a_column(folder: Path, rng: random.Random) -> str:
    path, lines = _lines(folder, rng)
    table = [line.split(",") for line in lines]
    order = list(range(len(table[0])))
    rng.shuffle(order)
    moved = [[cells[n] for n in order if n < len(cells)] for cells in table]
    _write(path, [",".join(cells) for cells in moved])
    return f"{path.name} {order}"


def rename_a_column(folder: Path, rng: random.Random) -> str:
    path, lines = _lines(folder, rng)
    names = lines[0].split(",")
    place, name = rng.randrange(len(names)), rng.choice((*COLUMNS, names[0], ""))
    old, names[place] = names[place], name
    lines[0] = ",".join(names)
    _write(path, lines)
    return f"{path.name} {old} to {name}"


COLUMNS = (
    "patient", "Patient", "patient_id", "case_id", "slide", "SLIDE_ID", "time_days", "time_months",
    "survival_years", "time", "event", "censorship", "status", "split", "age", "Unnamed: 0", "1.5",
)  # fmt: skip


def odd_value_in_toml(folder: Path, rng: random.Random) -> str:
    path = folder / "site.toml"
    lines = path.read_bytes().decode("utf-8", "replace").split("\n") if path.is_file() else [""]
    place = rng.randrange(len(lines))
    key = lines[place].partition("=")[0].strip() or "name"
    value = rng.choice(
        ('"clinical.csv"', '"rna.csv"', '""', "3", "-1", "3.0", "true", "[]", '["a"]', "{}", "nan",
         "2020-01-01", '"days"', '"months"', '"event"', '"patient"', '"all.parquet"', '"clam-pt"',
         '"."', '"/etc/passwd"', '"x\\u0000y"', "'''a\nb'''")
    )  # fmt: skip
    lines[place] = f"{key} = {value}"
    _write(path, lines)
    return f"{key} = {value}"


def odd_key_in_toml(folder: Path, rng: random.Random) -> str:
    path = folder / "site.toml"
    lines = path.read_bytes().decode("utf-8", "replace").split("\n") if path.is_file() else [""]
    keys = (
        'time = "time_days"', 'time_unit = "months"', 'event = "event"', "event_value = 0",
        "censored_value = 1", 'slide = "slide"', 'patient = "patient"', 'missing = ["Zq-103-a.h5"]',
        'role = "evaluate-only"', 'format = "hipt"', "[omics]", "[clinical]", "[features]",
        'cnv = "rna.csv"', 'file = "all.parquet"', "x = 1",
    )  # fmt: skip
    key = rng.choice(keys)
    lines.insert(rng.randrange(len(lines) + 1), key)
    _write(path, lines)
    return key


def _bag(folder: Path, rng: random.Random) -> Path:
    return rng.choice(files(folder, ".h5") or [folder / "made.h5"])


def odd_features(folder: Path, rng: random.Random) -> str:
    path, number = _bag(folder, rng), np.random.default_rng(rng.randrange(1000))
    shape = rng.choice(((4, 3), (1, 4, 3), (4, 7), (3,), (0, 3), (3, 4), (2, 2, 3), (), (4, 0)))
    kind = rng.choice(("f2", "f4", "f8", ">f4", "i4", "u1", "bool", "c8", "S4"))
    values = np.asarray(100 * number.normal(size=shape)).astype(kind)
    if rng.random() < 0.3 and values.size and values.dtype.kind == "f":
        values.reshape(-1)[0] = rng.choice((np.nan, np.inf, -0.0))
    layout: dict[str, object] = {}
    if values.size and values.ndim and rng.random() < 0.4:
        layout = {"chunks": True, "compression": rng.choice(("gzip", "lzf"))}
    path.unlink(missing_ok=True)
    with h5py.File(path, "w") as file:
        file.create_dataset(rng.choice(("features", "features", "feats")), data=values, **layout)
    return f"{path.name} {kind} {shape}"


def odd_parts_of_a_bag(folder: Path, rng: random.Random) -> str:
    path = _bag(folder, rng)
    kind = rng.choice(("coords", "attribute", "group", "rename", "link", "half", "nested"))
    try:
        with h5py.File(path, "a") as file:
            _change_parts(file, kind, rng)
    except (OSError, KeyError, ValueError, RuntimeError):
        return f"{path.name} {kind}: not possible"
    return f"{path.name} {kind}"


def _change_parts(file: h5py.File, kind: str, rng: random.Random) -> None:
    if kind == "coords":
        file["coords"] = np.ones((rng.choice((4, 5, 6)), 2)) * rng.choice((1, np.nan))
    elif kind == "attribute":
        file["features"].attrs[rng.choice(("name", "patch_size", "encoder"))] = "Zq-103"
    elif kind == "group":
        del file["features"]
        file.create_group("features")
    elif kind == "rename":
        file.move("features", rng.choice(("Features", "feats", "data")))
    elif kind == "link":
        file.move("features", "kept")
        file["features"] = rng.choice((h5py.SoftLink("/kept"), h5py.ExternalLink("x.h5", "/kept")))
    elif kind == "half":
        del file["features"]
        file.create_dataset("features", (40, 3), "f4", chunks=(10, 3))[: rng.choice((0, 20))] = 1
    else:
        file.move("features", "a/features")


def odd_parquet(folder: Path, rng: random.Random) -> str:
    path = rng.choice(files(folder, ".parquet") or [folder / "made.parquet"])
    try:
        table = pd.read_parquet(path)
    except (OSError, ValueError):
        table = pd.DataFrame({"patient": ["Zq-101"], "A": [1.0]})
    name = rng.choice(list(table.columns)) if len(table.columns) else "A"
    kind = rng.choice(("drop", "text", "null", "index", "twice", "rows", "first"))
    changed = {
        "drop": lambda: table.drop(columns=name, errors="ignore"),
        "text": lambda: table.assign(**{name: "text"}),
        "null": lambda: table.assign(**{name: table.get(name, pd.Series(dtype=float)).shift(1)}),
        "index": lambda: table.set_index(name) if name in table else table,
        "twice": lambda: pd.concat([table, table.iloc[:1]]),
        "rows": lambda: table.iloc[: rng.randrange(len(table) + 1)],
        "first": lambda: table[[name, *[other for other in table.columns if other != name]]],
    }[kind]()
    changed.to_parquet(path)
    return f"{path.name} {kind} {name}"


DAMAGES: Mapping[Damage, int] = {
    flip_bytes: 6, cut_short: 2, zero_a_stretch: 3, append: 2, remove: 1, rename: 1,
    turn_into_a_folder: 1, swap_files: 2, copy_a_file: 1, link_to_nothing: 1, turn_into_a_pipe: 1,
    delete_a_line: 3, double_a_line: 3, swap_lines: 3, other_line_ends: 2, other_separator: 2,
    other_encoding: 2, odd_cell: 12, swap_cells: 4, lose_a_column: 2, move_a_column: 2,
    rename_a_column: 4, odd_value_in_toml: 6, odd_key_in_toml: 5, odd_features: 5,
    odd_parts_of_a_bag: 5, odd_parquet: 5,
}  # fmt: skip
"""Each kind of damage, and how often it comes."""
