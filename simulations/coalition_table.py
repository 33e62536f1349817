"""Coalition values of anybody's model in a CSV file, checked: one row a patient."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from jaxtyping import Bool, Float

from fusion.errors import ConfigError
from fusion.modalities import MOST
from fusion.readers.findings import listed
from fusion.registry import nearest
from fusion.survival.estimate import Flags, Values
from simulations.patient_table import (
    read_numbers,
    read_outcomes,
    read_sites,
    read_table,
    require,
)

WHAT = "Coalition values"

LARGEST = 1e30
"""Values beyond this would overflow in standard errors, which hold eighth-order products."""

_COALITION = re.compile(r"v\((.*)\)", re.DOTALL)
_ALMOST = re.compile(r"v\s*[(\[{]", re.IGNORECASE)

Coalition = frozenset[str]


@dataclass(frozen=True, eq=False)
class CoalitionTable:
    """What a file of coalition values holds, checked.

    Attributes:
        modalities: Names, in the order of their own columns; the i-th is bit i of a coalition.
        values: Model outputs, patient x 2^M, columns in bitmask order.
        time: Follow-up in days, None without the columns `time` and `event`.
        event: True = event seen, None likewise.
        sites: Each patient's site, None without that column.
        ignored: Columns that mean nothing here.

    Source: own.
    """

    modalities: tuple[str, ...]
    values: Float[np.ndarray, "patient coalition"]
    time: Values | None
    event: Flags | None
    sites: tuple[str, ...] | None
    ignored: tuple[str, ...]


def read_coalitions(path: Path) -> CoalitionTable:
    """Return the coalition values of a CSV file, checked.

    Columns: `v()`, `v(slides)`, `v(rna)`, `v(slides+rna)`, ..., one for each set of visible
    modalities, names in any order inside; optional `time` (days), `event` (1 = seen, 0 =
    censored) and `site`. The modalities are those of the columns with one name.

    Args:
        path: The file.

    Returns:
        The values, in the order of the file.

    Raises:
        ConfigError: The file, one of its columns or values cannot be used; it is named.

    Privacy: Reads one row a patient; errors name columns and lines, not values.

    Source: own.
    """
    frame = read_table(path, WHAT)
    found = _coalitions(frame.columns)
    modalities = _modalities(found)
    values = _values(frame, modalities, found)
    if not len(frame):
        raise ConfigError(
            f"{WHAT} must have one patient or more, got 0 in '{path}'. Write one row a patient."
        )
    outcome = {"time", "event"}
    followed = outcome <= set(frame.columns)
    time, event = read_outcomes(frame) if followed else (None, None)
    known = {*found.values(), "site"} | (outcome if followed else set())
    ignored = tuple(name for name in frame.columns if name not in known)
    return CoalitionTable(modalities, values, time, event, read_sites(frame), ignored)


def _coalitions(columns: Iterable[str]) -> dict[Coalition, str]:
    """Return the column of each coalition; raise where two columns mean the same one."""
    found: dict[Coalition, str] = {}
    for column in columns:
        match = _COALITION.fullmatch(column)
        if match is None:
            if _ALMOST.match(column):
                raise ConfigError(
                    f"A coalition's column must be called v(), v(slides) or v(slides+rna), got "
                    f"'{column}'. Rename it."
                )
            continue
        coalition = _members(match[1], column)
        if coalition in found:
            raise ConfigError(
                f"{WHAT} must have one column a coalition, got '{found[coalition]}' and "
                f"'{column}', which are the same one. Remove one."
            )
        found[coalition] = column
    return found


def _members(inside: str, column: str) -> Coalition:
    names = [name.strip() for name in inside.split("+")] if inside.strip() else []
    if "" in names or len(set(names)) < len(names):
        raise ConfigError(
            f"A coalition must name each of its modalities once, got '{column}'. Rename it."
        )
    return frozenset(names)


def _modalities(found: Mapping[Coalition, str]) -> tuple[str, ...]:
    """Return the names that have a column of their own; raise unless all names have one."""
    single = tuple(next(iter(coalition)) for coalition in found if len(coalition) == 1)
    for coalition, column in found.items() if single else ():
        for name in sorted(coalition - set(single)):
            raise ConfigError(
                f"Every modality must have a column of its own, got no 'v({name})' beside "
                f"'{column}'. {nearest(name, single)}"
            )
    if not 2 <= len(single) <= MOST:
        raise ConfigError(
            f"{WHAT} must be of 2 to {MOST} modalities, got {len(single)} columns v(NAME)"
            f"{': ' if single else ''}{listed(single)}. Write v(), v(slides), v(rna), "
            "v(slides+rna), say."
        )
    return single


def _values(
    frame: pd.DataFrame, modalities: tuple[str, ...], found: Mapping[Coalition, str]
) -> Float[np.ndarray, "patient coalition"]:
    """Return the values in bitmask order; raise where a coalition has no column."""
    wanted = [
        tuple(name for bit, name in enumerate(modalities) if coalition >> bit & 1)
        for coalition in range(1 << len(modalities))
    ]
    absent = [f"v({'+'.join(names)})" for names in wanted if frozenset(names) not in found]
    if absent:
        raise ConfigError(
            f"{WHAT} of {len(modalities)} modalities must have {len(wanted)} columns, one for each "
            f"set of them, got none for {listed(absent)}. Add it."
        )
    columns = [found[frozenset(names)] for names in wanted]
    values = np.column_stack([read_numbers(frame, column) for column in columns])
    for column, part in zip(columns, values.T, strict=True):
        require(_moderate(part), f"{column} must be below 1e30 in size", "Scale the output.")
    return values


def _moderate(part: Values) -> Bool[np.ndarray, " patient"]:
    return np.abs(part) < LARGEST
