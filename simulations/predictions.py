"""Anybody's predictions in a CSV file, checked."""

import csv
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from jaxtyping import Bool, Float

from fusion.errors import ConfigError
from fusion.readers.findings import listed
from fusion.registry import nearest
from fusion.survival.estimate import Flags, Values

REQUIRED = ("risk", "time", "event")
SURVIVAL = "survival_"


@dataclass(frozen=True)
class Predictions:
    """What a file of predictions holds, checked.

    Attributes:
        risk: Any ranking score, higher = earlier event.
        time: Follow-up in days.
        event: True = event seen.
        sites: Each patient's site, None without that column.
        horizons: Days of the survival columns, increasing.
        survival: Predicted probability of being event-free at each horizon.
        ignored: Columns that mean nothing here.

    Source: own.
    """

    risk: Values
    time: Values
    event: Flags
    sites: tuple[str, ...] | None
    horizons: Float[np.ndarray, " time"]
    survival: Float[np.ndarray, "patient time"]
    ignored: tuple[str, ...] = ()


def read_predictions(path: Path) -> Predictions:
    """Return the predictions of a CSV file, checked.

    Columns: `risk` (higher = earlier event), `time` (days), `event` (1 = seen, 0 = censored);
    optional `site` and `survival_<days>` (probability of being event-free).

    Args:
        path: The file.

    Returns:
        The predictions, in the order of the file.

    Raises:
        ConfigError: The file or one of its values cannot be used; it is named.

    Privacy: Reads one row a patient; errors name lines, not values.

    Source: own.
    """
    frame = _read_csv(path)
    for name in REQUIRED:
        if name not in frame.columns:
            raise ConfigError(
                f"Predictions must have the columns risk, time and event, got no '{name}' in "
                f"'{path}'. {nearest(name, map(str, frame.columns))}"
            )
    if len(frame) < 2:
        raise ConfigError(
            f"Predictions must have two patients or more, got {len(frame)} in '{path}'. "
            "Write one row a patient."
        )
    risk, time, status = (_numbers(frame, name) for name in REQUIRED)
    _require(time >= 0, "time must be >= 0 days", "Mend the follow-up.")
    _require((status == 0) | (status == 1), "event must be 0 or 1", "Write 1 = seen, 0 = censored.")
    _require((time > 0) | (status == 0), "time of an event must be > 0", "Mend the follow-up.")
    horizons, survival = _survival(frame)
    others = (str(name) for name in frame.columns if name not in (*REQUIRED, "site"))
    ignored = tuple(name for name in others if not name.startswith(SURVIVAL))
    return Predictions(risk, time, status == 1, _sites(frame), horizons, survival, ignored)


def _read_csv(path: Path) -> pd.DataFrame:
    try:
        _check_header(path)
        frame = pd.read_csv(
            path,
            dtype={"site": str},
            skipinitialspace=True,
            encoding="utf-8-sig",
            low_memory=False,
        )
    except FileNotFoundError:
        raise ConfigError(f"Predictions must be a file, got '{path}'. Check the path.") from None
    except pd.errors.EmptyDataError:
        raise ConfigError(
            f"Predictions must have a header row, got an empty file '{path}'. Write it again."
        ) from None
    except (OSError, UnicodeDecodeError, csv.Error, pd.errors.ParserError) as error:
        raise ConfigError(f"Predictions must be CSV, got '{path}': {error}. Mend it.") from None
    if not isinstance(frame.index, pd.RangeIndex):
        raise ConfigError(
            f"Predictions must have a name for every column, got rows longer than the header in "
            f"'{path}'. Mend the header."
        )
    return frame.rename(columns=lambda name: str(name).strip())


def _check_header(path: Path) -> None:
    """Raise where a column has two names, or a null byte would end a cell early."""
    with path.open(encoding="utf-8-sig", newline="") as lines:
        header = [name.strip() for name in next(csv.reader(lines), [])]
        if any("\0" in line for line in lines):
            raise ConfigError(f"Predictions must be CSV, got a null byte in '{path}'. Mend it.")
    twice = sorted({name for name in header if name and header.count(name) > 1})
    if twice:
        raise ConfigError(
            f"Predictions must name a column once, got {listed(twice)} twice in '{path}'. "
            "Rename or remove one."
        )


def _numbers(frame: pd.DataFrame, name: str) -> Values:
    """Return a column as finite numbers."""
    values = pd.to_numeric(frame[name], errors="coerce").to_numpy(dtype=np.float64)
    _require(np.isfinite(values), f"{name} must be a finite number", "Fill it in or drop the row.")
    return values


def _require(good: Bool[np.ndarray, " patient"], rule: str, remedy: str) -> None:
    """Raise unless every row is good; names up to three lines of the file."""
    bad = np.flatnonzero(~good)
    if len(bad):
        lines = ", ".join(str(row + 2) for row in bad[:3])
        raise ConfigError(
            f"Column {rule} in every row, got {len(bad)} other rows (line {lines}"
            f"{', ...' if len(bad) > 3 else ''}). {remedy}"
        )


def _sites(frame: pd.DataFrame) -> tuple[str, ...] | None:
    if "site" not in frame.columns:
        return None
    named = frame["site"].notna().to_numpy(dtype=np.bool_)
    _require(named, "site must name a site", "Fill it in or drop the column.")
    return tuple(frame["site"].str.strip())


def _survival(
    frame: pd.DataFrame,
) -> tuple[Float[np.ndarray, " time"], Float[np.ndarray, "patient time"]]:
    """Return the horizons in days, increasing, and the predicted survival at each."""
    named = [name for name in frame.columns if name.startswith(SURVIVAL)]
    days = {_days(name): name for name in named}
    if len(days) < len(named):
        raise ConfigError(
            f"Survival columns must each have a horizon of their own, got {listed(named)}. "
            "Remove one of those that are equal."
        )
    horizons = np.array(sorted(days), dtype=np.float64)
    survival = np.zeros((len(frame), len(days)))
    for place, day in enumerate(sorted(days)):
        survival[:, place] = _numbers(frame, days[day])
        inside = (survival[:, place] >= 0) & (survival[:, place] <= 1)
        _require(inside, f"{days[day]} must be from 0 to 1", "Write a probability.")
        if place:
            falls = survival[:, place] <= survival[:, place - 1] + 1e-9
            _require(falls, f"{days[day]} must not exceed earlier survival", "Mend the curves.")
    return horizons, survival


def _days(name: str) -> float:
    try:
        days = float(name.removeprefix(SURVIVAL))
    except ValueError:
        days = -1.0
    if not 0 < days < np.inf:
        raise ConfigError(
            f"Survival columns must be called survival_<days>, got '{name}'. "
            "Write survival_365.25 or rename the column."
        )
    return days
