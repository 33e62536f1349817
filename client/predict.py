"""A finished model applied to a site's own patients; the table stays at the site."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from client.opened import open_finished, read_patients
from fusion.config import numbers
from fusion.objectives.classification import ClassificationObjective
from fusion.training.checkpoint import write_atomically
from fusion.training.data import PatientData
from fusion.training.evaluation import scores
from fusion.training.finished import FinishedModel, read_finished
from fusion.training.plan import Network

WEIGHTED = (
    "probabilities are those of a population in which all classes are as frequent, for which the "
    "model was trained (objective.class-weights)"
)
"""What to know of a model that was trained with class weights."""


@dataclass(frozen=True)
class Predictions:
    """What a model says of a site's patients.

    Attributes:
        table: One row a patient: patient, risk and survival at each horizon, or the predicted
            class and the probability of each, and missing modalities.
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
    """Return risk and survival, or class probabilities, of each patient of a site, new or not.

    Outcomes are not read: the clinical table need not have any, and one patient is enough.

    Args:
        folder: The site's folder.
        model: `model.safetensors` of a run.
        state: Where the site keeps its own heads; None = `.concord` in its folder.

    Returns:
        The table (risk: log hazard, higher = earlier event; survival: probability of being
        event-free at the horizon; `class` and `probability_<class>` of a model of classes) and
        warnings.

    Raises:
        ModelFileError: The file is not a model of this version, or lacks this site's own head.
        SiteError: The folder cannot be used, or its patch features have another width.

    Privacy: reads patient data; nothing is sent.

    Source: own.
    """
    finished = read_finished(model)
    opened = open_finished(finished, read_patients(folder), folder, state=state)
    lacking = (f"{told}: a learned placeholder stands in" for told in opened.lacking)
    table = _table(opened.network, opened.data, finished)
    weighted = (WEIGHTED,) if len(set(finished.plan.class_weights)) > 1 else ()
    return Predictions(table, (*opened.warnings, *lacking, *weighted))


def _table(network: Network, data: PatientData, finished: FinishedModel) -> pd.DataFrame:
    rows = range(len(data))
    present = {name: held.tolist() for name, held in data.present.items()}
    absent = ["+".join(name for name, held in present.items() if not held[row]) for row in rows]
    said = scores(network, data, rows)
    columns = _classes(said, finished) if finished.plan.classes else _risks(said, network, finished)
    return pd.DataFrame({"patient": data.cohort.patients, **columns, "missing": absent})


def _risks(risk: np.ndarray, network: Network, finished: FinishedModel) -> dict[str, Any]:
    horizons = numbers(finished.run.evaluation.horizons, "evaluation.horizons")
    times = np.array(horizons)
    curves = network.survival.survival(risk, times=times, baseline=finished.baseline)
    return {"risk": risk} | {
        f"survival_{horizon:g}": curves[:, place] for place, horizon in enumerate(horizons)
    }


def _classes(logits: np.ndarray, finished: FinishedModel) -> dict[str, Any]:
    classes = finished.plan.classes
    chosen = [classes[place] for place in logits.argmax(axis=1)]
    probabilities = ClassificationObjective.probabilities(logits).T
    named = zip(classes, probabilities, strict=True)
    return {"class": chosen} | {f"probability_{name}": values for name, values in named}
