"""A finished model applied to a site's own patients; the table stays at the site."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from client.opened import open_finished, read_patients
from fusion.config import numbers
from fusion.survival.baseline import Baseline
from fusion.training.checkpoint import write_atomically
from fusion.training.data import PatientData
from fusion.training.evaluation import log_hazards
from fusion.training.finished import read_finished
from fusion.training.plan import SurvivalNetwork


@dataclass(frozen=True)
class Predictions:
    """Risks of a site's patients.

    Attributes:
        table: One row a patient: patient, risk, survival at each horizon, missing modalities.
        warnings: What to know before using them.

    Privacy: one row a patient; never leaves the site.

    Source: own.
    """

    table: pd.DataFrame
    warnings: tuple[str, ...]

    def write(self, path: Path) -> None:
        """Write the table as csv, whole or not at all."""
        write_atomically(path, self.table.to_csv(index=False, lineterminator="\n").encode())


def predict(folder: Path, model: Path, *, state: Path | None = None) -> Predictions:
    """Return the risk and survival probabilities of each patient of a site, new ones included.

    Outcomes are not read: the clinical table need not have any, and one patient is enough.

    Args:
        folder: The site's folder.
        model: `model.safetensors` of a run.
        state: Where the site keeps its own heads; None = `.concord` in its folder.

    Returns:
        The table (risk: log hazard, higher = earlier event; survival: probability of being
        event-free at the horizon) and warnings.

    Raises:
        ModelFileError: The file is not a model of this version, or lacks this site's own head.
        SiteError: The folder cannot be used, or its patch features have another width.

    Privacy: reads patient data; nothing is sent.

    Source: own.
    """
    finished = read_finished(model)
    opened = open_finished(finished, read_patients(folder), folder, state=state)
    horizons = numbers(finished.run.evaluation.horizons, "evaluation.horizons")
    lacking = (f"{told}: a learned placeholder stands in" for told in opened.lacking)
    table = _table(opened.network, opened.data, finished.baseline, horizons)
    return Predictions(table, (*opened.warnings, *lacking))


def _table(
    network: SurvivalNetwork, data: PatientData, baseline: Baseline, horizons: Sequence[float]
) -> pd.DataFrame:
    rows = range(len(data))
    risk = log_hazards(network, data, rows)
    curves = network.objective.survival(risk, times=np.array(horizons), baseline=baseline)
    present = {name: held.tolist() for name, held in data.present.items()}
    absent = ["+".join(name for name, held in present.items() if not held[row]) for row in rows]
    columns: dict[str, Any] = {"patient": data.cohort.patients, "risk": risk}
    columns |= {f"survival_{h:g}": curves[:, place] for place, h in enumerate(horizons)}
    return pd.DataFrame(columns | {"missing": absent})
