"""Anybody's predictions in a CSV file, checked."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from jaxtyping import Float

from fusion.errors import ConfigError
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
    frame = read_table(path, "Predictions")
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
    risk = read_numbers(frame, "risk")
    time, event = read_outcomes(frame)
    horizons, survival = _survival(frame)
    others = (str(name) for name in frame.columns if name not in (*REQUIRED, "site"))
    ignored = tuple(name for name in others if not name.startswith(SURVIVAL))
    return Predictions(risk, time, event, read_sites(frame), horizons, survival, ignored)


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
        survival[:, place] = read_numbers(frame, days[day])
        inside = (survival[:, place] >= 0) & (survival[:, place] <= 1)
        require(inside, f"{days[day]} must be from 0 to 1", "Write a probability.")
        if place:
            falls = survival[:, place] <= survival[:, place - 1] + 1e-9
            require(falls, f"{days[day]} must not exceed earlier survival", "Mend the curves.")
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
