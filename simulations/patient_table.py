"""A CSV file with one row a patient, read and checked column by column."""

import csv
from pathlib import Path

import numpy as np
import pandas as pd
from jaxtyping import Bool

from fusion.errors import ConfigError
from fusion.readers.findings import listed
from fusion.survival.estimate import Flags, Values


def read_table(path: Path, what: str) -> pd.DataFrame:
    """Return the rows of a CSV file, its column names without spaces around them.

    Args:
        path: The file.
        what: What it holds, for messages, such as `Predictions`.

    Returns:
        The file's cells; the column `site` as text, so that 02 is not 2.

    Raises:
        ConfigError: The file is none, is empty, is no CSV, or names a column twice.

    Privacy: Reads one row a patient; errors name columns and lines, not values.

    Source: own.
    """
    try:
        text = dict.fromkeys((n for n in _header(path, what) if n.strip() == "site"), str)
        frame = pd.read_csv(
            path, dtype=text, skipinitialspace=True, encoding="utf-8-sig", low_memory=False
        )
    except (FileNotFoundError, IsADirectoryError):
        raise ConfigError(f"{what} must be a file, got '{path}'. Check the path.") from None
    except pd.errors.EmptyDataError:
        raise ConfigError(
            f"{what} must have a header row, got an empty file '{path}'. Write it again."
        ) from None
    except (OSError, UnicodeDecodeError, csv.Error, pd.errors.ParserError) as error:
        raise ConfigError(f"{what} must be CSV, got '{path}': {error}. Mend it.") from None
    if not isinstance(frame.index, pd.RangeIndex):
        raise ConfigError(
            f"{what} must have a name for every column, got rows longer than the header in "
            f"'{path}'. Mend the header."
        )
    return frame.rename(columns=lambda name: str(name).strip())


def read_numbers(frame: pd.DataFrame, name: str) -> Values:
    """Return a column as finite numbers.

    Raises:
        ConfigError: A row has none; its line is named.

    Source: own.
    """
    values = pd.to_numeric(frame[name], errors="coerce").to_numpy(dtype=np.float64)
    require(np.isfinite(values), f"{name} must be a finite number", "Fill it in or drop the row.")
    return values


def read_outcomes(frame: pd.DataFrame) -> tuple[Values, Flags]:
    """Return the columns `time` (days) and `event` (1 = seen, 0 = censored).

    Raises:
        ConfigError: A row's time or event cannot be used; its line is named.

    Source: own.
    """
    time, status = read_numbers(frame, "time"), read_numbers(frame, "event")
    require(time >= 0, "time must be >= 0 days", "Mend the follow-up.")
    require((status == 0) | (status == 1), "event must be 0 or 1", "Write 1 = seen, 0 = censored.")
    require((time > 0) | (status == 0), "time of an event must be > 0", "Mend the follow-up.")
    return time, status == 1


def read_sites(frame: pd.DataFrame) -> tuple[str, ...] | None:
    """Return the column `site` as text, None without it.

    Raises:
        ConfigError: A row names no site; its line is named.

    Source: own.
    """
    if "site" not in frame.columns:
        return None
    named = frame["site"].notna().to_numpy(dtype=np.bool_)
    require(named, "site must name a site", "Fill it in or drop the column.")
    return tuple(frame["site"].str.strip())


def require(good: Bool[np.ndarray, " patient"], rule: str, remedy: str) -> None:
    """Raise unless every row is good; names up to three lines of the file.

    Raises:
        ConfigError: A row is not.

    Source: own.
    """
    bad = np.flatnonzero(~good)
    if len(bad):
        lines = ", ".join(str(row + 2) for row in bad[:3])
        raise ConfigError(
            f"Column {rule} in every row, got {len(bad)} other rows (line {lines}"
            f"{', ...' if len(bad) > 3 else ''}). {remedy}"
        )


def _header(path: Path, what: str) -> list[str]:
    """Return the column names as pandas will; raise where one comes twice.

    Raise, too, where a null byte would end a cell early.
    """
    with path.open(encoding="utf-8-sig", newline="") as lines:
        header = next(csv.reader(lines, skipinitialspace=True), [])
        if any("\0" in line for line in lines):
            raise ConfigError(f"{what} must be CSV, got a null byte in '{path}'. Mend it.")
    plain = [name.strip() for name in header]
    twice = sorted({name for name in plain if name and plain.count(name) > 1})
    if twice:
        raise ConfigError(
            f"{what} must name a column once, got {listed(twice)} twice in '{path}'. "
            "Rename or remove one."
        )
    return header
