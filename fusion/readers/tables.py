"""Tables as hospitals keep them: csv, parquet or Excel, read without guessing."""

import csv
import os
import warnings
from collections.abc import Callable, Iterable, Mapping
from itertools import chain
from pathlib import Path

import pandas as pd
import pyarrow as pa

from fusion.errors import SiteError
from fusion.readers.findings import listed
from fusion.readers.workbook import read_workbook

NOT_KNOWN = (
    "", "na", "n/a", "nan", "none", "null", "-", "?", "unknown", "not available",
    "[not available]", "[not applicable]", "[unknown]",
)  # fmt: skip
"""Texts that stand for a value that is not known, in lower case."""


def read_table(path: Path, *, what: str, text: bool) -> pd.DataFrame:
    """Return a table; identifiers keep their leading zeros.

    Args:
        path: A file ending in .csv, in .tsv, .tab or .txt (separated by tabs), in .parquet, or in
            .xlsx (one sheet). Lines that begin with # before the header are comments.
        what: What the table is, for the error message, such as "Clinical table".
        text: True = each cell as text without blanks around it ("" where it is empty); False =
            numbers as numbers, except in the first column and in `patient`, `patient_id`,
            `case_id`, which are text.

    Returns:
        At least one row and one column; column names are unique.

    Raises:
        SiteError: The file is missing, of another kind, unreadable, empty, or names a column twice.

    Privacy: patient data; stays in the process.

    Source: own.
    """
    if not os.path.isfile(path):  # noqa: PTH113 -- a name too long for the disk is no file
        raise SiteError(
            f"{what} must exist, got no file '{str(path)[:200]}'. Put it there, or mend site.toml.",
            public=f"{what} is missing.",
        )
    suffix = path.suffix.lower()
    if suffix not in (*_SEPARATORS, *_FRAMES):
        raise SiteError(
            f"{what} must be a .csv or .parquet file, got '{path.name}'. Save it as csv (UTF-8); "
            "a .tsv, .tab or .txt file is read as separated by tabs, an .xlsx file if it has one "
            "sheet.",
            public=f"{what} is of a kind that is not read.",
        )
    try:
        csv_like = suffix in _SEPARATORS
        table = _read_csv(path, text) if csv_like else _plain_frame(_FRAMES[suffix](path), text)
    except (OSError, ValueError, csv.Error, pd.errors.ParserWarning, pa.ArrowException) as error:
        raise SiteError(
            f"{what} must be readable, got '{path.name}': {_first_line(error)}. Save it anew, as "
            "UTF-8 with commas if it is a csv.",
            public=f"{what} cannot be read.",
        ) from None
    return _checked(table, path, what)


def patient_column(table: pd.DataFrame) -> str:
    """Return the column of an omics table that holds the patient: a known name, or the first.

    Source: own.
    """
    return next(iter(columns_named(table.columns, ID_COLUMNS)), str(table.columns[0]))


ID_COLUMNS = ("patient", "patient_id", "case_id")
"""Names of the patient's column that are recognised, in any case of letters."""

SLIDE_COLUMNS = ("slide", "slide_id")
"""Names of the slide's column that are recognised, in any case of letters."""


def columns_named(columns: Iterable[object], known: Iterable[str]) -> list[str]:
    """Return those of a table's columns that have a known name, in any case of letters.

    Source: own.
    """
    names = set(known)
    return [str(column) for column in columns if str(column).lower() in names]


def _read_csv(path: Path, text: bool) -> pd.DataFrame:
    mark = _SEPARATORS[path.suffix.lower()]
    with path.open(encoding="utf-8-sig", newline="") as lines:
        comments, first = 0, next(lines, "")
        while first.startswith("#"):
            comments, first = comments + 1, next(lines, "")
        header = [
            name.strip() for name in next(csv.reader(chain([first], lines), delimiter=mark), [])
        ]
    _check_unique(header)
    if len(header) == 1 and any(other in header[0] for other in ",;\t|"):
        raise ValueError(f"its columns are not separated by {'commas' if mark == ',' else 'tabs'}")
    if _holds_null(path):
        raise ValueError("it holds a null byte")
    kinds = str if text else dict.fromkeys([*columns_named(header, ID_COLUMNS), *header[:1]], str)
    with warnings.catch_warnings():
        warnings.simplefilter("error", pd.errors.ParserWarning)
        table = pd.read_csv(
            path, sep=mark, skiprows=comments, dtype=kinds, names=header, header=0,
            index_col=False, encoding="utf-8-sig", keep_default_na=not text, low_memory=False,
        )  # fmt: skip
    return text_cells(table) if text else table


def _holds_null(path: Path) -> bool:
    """A null byte would end a cell early, without a word."""
    with path.open("rb") as file:
        return any(b"\0" in part for part in iter(lambda: file.read(2**20), b""))


def _read_parquet(path: Path) -> pd.DataFrame:
    table = pd.read_parquet(path)
    return table if isinstance(table.index, pd.RangeIndex) else table.reset_index()


def _plain_frame(table: pd.DataFrame, text: bool) -> pd.DataFrame:
    """Return a typed table with checked column names, its identifiers as text."""
    names = [str(name).strip() for name in table.columns]
    _check_unique(names)
    table = table.set_axis(names, axis=1)
    if text:
        return text_cells(table)
    ids = {*columns_named(names, ID_COLUMNS), *names[:1]}
    return table.assign(**{name: table[name].map(_cell) for name in ids})


def _check_unique(names: list[str]) -> None:
    if len(set(names)) < len(names):
        twice = sorted({name for name in names if names.count(name) > 1})
        raise ValueError(f"columns named twice: {listed(twice)}")


def text_cells(table: pd.DataFrame) -> pd.DataFrame:
    """Return the table with each cell as text, "" where it is empty.

    Source: own.
    """
    return pd.DataFrame({name: table[name].map(_cell).astype(object) for name in table.columns})


def _cell(value: object) -> str:
    """Return one cell as text: whole floats without '.0', the unknown as ''."""
    if value is None or value is pd.NA or value != value:
        return ""
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value).strip()


_SEPARATORS: Mapping[str, str] = {".csv": ",", ".tsv": "\t", ".tab": "\t", ".txt": "\t"}
_FRAMES: Mapping[str, Callable[[Path], pd.DataFrame]] = {
    ".parquet": _read_parquet,
    ".xlsx": read_workbook,
}


def _checked(table: pd.DataFrame, path: Path, what: str) -> pd.DataFrame:
    if table.empty:
        raise SiteError(
            f"{what} must have at least one row, got none in '{path.name}'. Export it again.",
            public=f"{what} is empty.",
        )
    return table


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0].rstrip(".")
