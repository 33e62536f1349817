"""A finished model opened at a site: its network, the patients, and how the two differ."""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from client.heads import head_for
from client.settings import STATE
from fusion.device import choose_device, make_repeatable
from fusion.errors import SiteError
from fusion.modalities import CLINICAL, SLIDES
from fusion.models.entries import MODELS
from fusion.readers.cohort import Cohort, read_roster
from fusion.readers.findings import counted
from fusion.readers.omics import align, held_tables, omics_vector, positions
from fusion.readers.site_toml import read_site_description
from fusion.training.data import PatientData
from fusion.training.finished import FinishedModel
from fusion.training.plan import Network, Plan, build_network, load_weights


@dataclass(frozen=True, eq=False)
class OpenedModel:
    """A finished model and a site's patients, ready for each other.

    Attributes:
        network: With its weights, where the site computes.
        data: All patients of the site.
        warnings: What differs between the site and what the model was trained on.
        lacking: Who lacks what, counted, in sentences without an end.

    Privacy: holds patient data; nothing here leaves the site.

    Source: own.
    """

    network: Network
    data: PatientData
    warnings: tuple[str, ...]
    lacking: tuple[str, ...]


def open_finished(
    finished: FinishedModel, cohort: Cohort, folder: Path, *, state: Path | None = None
) -> OpenedModel:
    """Return a finished model and a site's patients, ready for each other.

    Args:
        finished: What the model file holds.
        cohort: The site's patients.
        folder: The site's folder.
        state: Where the site keeps its own heads; None = `.concord` in its folder.

    Raises:
        ModelFileError: The weights do not fit, or this site has no head of its own for them.
        SiteError: The site's patch features have another width.

    Privacy: reads patient data; nothing is sent.

    Source: own.
    """
    plan, run = finished.plan, finished.run
    warnings, lacking = _differences(cohort, plan), _lacking(cohort, plan)
    device = choose_device(read_site_description(folder).device)
    make_repeatable(device)
    fitting, most = _fitting(plan, cohort), run.data.max_patches
    ordered = MODELS[run.model.name].ordered
    data = PatientData(cohort, fitting, max_patches=most, device=device, ordered=ordered)
    network = build_network(plan, run).to(device)
    head = head_for(state or folder / STATE, finished.arrays) if finished.local else {}
    load_weights(network, {**head, **finished.arrays})
    return OpenedModel(network, data, warnings, lacking)


def read_patients(folder: Path) -> Cohort:
    """Return a site's patients with no follow-up and no event; outcomes are not read.

    Raises:
        SiteError: The folder cannot be used.

    Privacy: reads patient data; nothing is sent.

    Source: own.
    """
    roster = read_roster(folder)
    number = len(roster.patients)
    return Cohort(
        **vars(roster), time=np.full(number, np.nan), event=np.zeros(number, bool), fixed_split=None
    )


def _fitting(plan: Plan, cohort: Cohort) -> Plan:
    """Return the plan with only those tables and columns that the site has."""
    tables = held_tables(cohort, plan.tables)
    clinical = tuple(name for name in plan.clinical if name in cohort.clinical.columns)
    return replace(plan, tables=tables, clinical=clinical)


def _differences(cohort: Cohort, plan: Plan) -> tuple[str, ...]:
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
    fitting, wanted = _fitting(plan, cohort), plan.scaling.names
    own = omics_vector(cohort, tables=fitting.tables, clinical=fitting.clinical)
    absent = len(set(wanted) - set(own.names))
    if absent:
        found.append(f"{absent} of {len(wanted)} features are absent: their mean stands in")
    vector, places = align(own, wanted), positions(wanted).get(CLINICAL, [])
    for modality, behind in plan.parts.items():
        gaps = plan.present(vector, modality) & np.isnan(vector.values[:, places]).any(axis=1)
        if CLINICAL in behind and gaps.any():
            some = counted(int(gaps.sum()), "patient")
            found.append(f"{some} without a clinical value: the mean stands in")
    return tuple(found)


def _lacking(cohort: Cohort, plan: Plan) -> tuple[str, ...]:
    """Return how many patients lack each of the model's modalities, if any do."""
    fitting, wanted = _fitting(plan, cohort), plan.scaling.names
    own = omics_vector(cohort, tables=fitting.tables, clinical=fitting.clinical)
    vector = align(own, wanted)
    present = {modality: plan.present(vector, modality) for modality in plan.parts}
    present |= {SLIDES: cohort.has_slides}
    numbers = {modality: int((~present[modality]).sum()) for modality in plan.modalities}
    return tuple(
        f"{counted(number, 'patient')} without {modality}"
        for modality, number in numbers.items()
        if number
    )
