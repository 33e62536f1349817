"""A finished model applied to a site's own patients; the table stays at the site."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from client.heads import head_for
from client.settings import STATE
from fusion.config import numbers
from fusion.device import choose_device, make_repeatable
from fusion.errors import SiteError
from fusion.modalities import CLINICAL, SLIDES
from fusion.readers.cohort import Cohort, read_roster
from fusion.readers.findings import counted
from fusion.readers.omics import align, held_tables, omics_vector, positions
from fusion.readers.roster import Roster
from fusion.readers.site_toml import read_site_description
from fusion.survival.baseline import Baseline
from fusion.training.checkpoint import write_atomically
from fusion.training.data import PatientData
from fusion.training.evaluation import log_hazards
from fusion.training.finished import read_finished
from fusion.training.plan import Plan, SurvivalNetwork, build_network, load_weights


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
    plan, run = finished.plan, finished.run
    cohort = _unfollowed(read_roster(folder))
    warnings = _warnings(cohort, plan)
    device = choose_device(read_site_description(folder).device)
    make_repeatable(device)
    fitting, most = _fitting(plan, cohort), run.data.max_patches
    data = PatientData(cohort, fitting, max_patches=most, device=device)
    network = build_network(plan, run).to(device)
    head = head_for(state or folder / STATE, finished.arrays) if finished.local else {}
    load_weights(network, {**head, **finished.arrays})
    horizons = numbers(run.evaluation.horizons, "evaluation.horizons")
    return Predictions(_table(network, data, finished.baseline, horizons), warnings)


def _unfollowed(roster: Roster) -> Cohort:
    """Return the patients with no follow-up and no event, for `predict` alone."""
    number = len(roster.patients)
    return Cohort(
        **vars(roster), time=np.full(number, np.nan), event=np.zeros(number, bool), fixed_split=None
    )


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


def _fitting(plan: Plan, cohort: Cohort) -> Plan:
    """Return the plan with only those tables and columns that the site has."""
    tables = held_tables(cohort, plan.tables)
    clinical = tuple(name for name in plan.clinical if name in cohort.clinical.columns)
    return replace(plan, tables=tables, clinical=clinical)


def _warnings(cohort: Cohort, plan: Plan) -> tuple[str, ...]:
    """Return what differs between the site and what the model was trained on."""
    found = []
    if SLIDES in plan.modalities:
        if cohort.feature_width not in (0, plan.feature_width):
            raise SiteError(
                f"Patch features must have the model's width {plan.feature_width}, got "
                f"{cohort.feature_width} at site '{cohort.name}'. Extract them with "
                f"{plan.encoder}.",
                public="Patch features of another width than the model's.",
            )
        if cohort.feature_width and cohort.encoder != plan.encoder:
            found.append(
                f"patch features come from '{cohort.encoder}', the model was trained on "
                f"'{plan.encoder}': its risks mean little here"
            )
        lacking = int((~cohort.has_slides).sum())
        if lacking:
            found.append(
                f"{counted(lacking, 'patient')} without slides: a learned placeholder stands in"
            )
    return (*found, *_vector_warnings(cohort, plan))


def _vector_warnings(cohort: Cohort, plan: Plan) -> list[str]:
    fitting, wanted = _fitting(plan, cohort), plan.scaling.names
    own = omics_vector(cohort, tables=fitting.tables, clinical=fitting.clinical)
    vector, found = align(own, wanted), []
    absent = len(set(wanted) - set(own.names))
    if absent:
        found.append(f"{absent} of {len(wanted)} features are absent: their mean stands in")
    for modality, behind in plan.parts.items():
        present = plan.present(vector, modality)
        lacking = counted(int((~present).sum()), "patient")
        if not present.all():
            found.append(f"{lacking} without {modality}: a learned placeholder stands in")
        gaps = present & np.isnan(vector.values[:, positions(wanted).get(CLINICAL, [])]).any(axis=1)
        if CLINICAL in behind and gaps.any():
            some = counted(int(gaps.sum()), "patient")
            found.append(f"{some} without a clinical value: the mean stands in")
    return found
