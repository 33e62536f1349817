"""The opening: what a site says of itself, and the sums behind common scaling."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from client.consent import read_consent, told_counts, told_hash
from client.replies import Answer, Fact
from client.settings import Settings
from client.site import SPLITS, Site, open_site
from fusion.config import RunConfig, names
from fusion.modalities import CLINICAL, OMICS, PARTIAL, SLIDES, is_wanted, lacks, parts
from fusion.readers.cohort import Cohort
from fusion.readers.omics import OmicsVector, align, held_tables, omics_vector
from fusion.readers.scaling import omics_sums, slide_sums
from fusion.survival.bins import RiskGrid, TimeGrid
from fusion.survival.tallies import count


def describe(settings: Settings) -> Answer:
    """Return facts of the folder and counts of its patients.

    Privacy: names of genes and columns, a hash, and counts; nothing of one patient.

    Source: own.
    """
    site, consent = open_site(settings), read_consent(settings)
    cohort = site.cohort
    wanted = [table for table in cohort.tables if is_wanted(table, settings.run.data)]
    features = {f"features:{table}": list(cohort.tables[table].genes) for table in wanted}
    facts: dict[str, Fact] = {
        "site": cohort.name,
        "role": cohort.role,
        "encoder": cohort.encoder,
        "feature-width": cohort.feature_width,
        "data-hash": told_hash(settings, cohort, consent),
        "tables": list(cohort.tables),
    }
    facts |= {**features, **consent.exact("counts"), **consent.disclosure.to_facts()}
    counts, added = _counts(site, settings.run), settings.run.privacy.secure_aggregation
    trains = cohort.role == "train"
    return Answer(facts=facts, sums=told_counts(consent, counts, trains=trains, added=added))


def uncounted(answer: Answer) -> Answer:
    """Return what `describe` tells without the counts, but for whether there is whom to train on.

    Source: own.
    """
    trains = answer.facts["role"] == "train" and bool(answer.sums["patients"][0] > 1)
    return Answer(facts={**answer.facts, "trains": trains})


def scale(settings: Settings, words: Mapping[str, Any]) -> Answer:
    """Return the sums behind the federation's means and standard deviations.

    Args:
        settings: Of this message.
        words: Omics `tables` and `clinical` columns in use, the agreed `features` in order, and
            whether `slides` are read.

    Privacy: sums over training patients only.

    Source: own.
    """
    site, consent = open_site(settings), read_consent(settings)
    consent.require("scaling", "Set data.scaling to a file of public statistics.")
    vector = aligned(site.cohort, words)
    clip, training = settings.run.data.clip, np.zeros(len(site.split), bool)
    training[site.rows("train")] = True
    omics = omics_sums(vector, training=training, clip=clip).without_lone_patients()
    sums = {"scaling.omics": omics.to_array()}
    if words["slides"] and site.cohort.feature_width:
        slides = slide_sums(site.bags, patients=site.rows("train"), width=site.cohort.feature_width)
        sums["scaling.slides"] = slides.without_lone_patients().to_array()
    elif words["slides"] and settings.run.privacy.secure_aggregation:
        sums["scaling.slides"] = np.zeros((3, words["feature-width"]))  # laid out as the others'
    measured = [not name.startswith(f"{CLINICAL}:") for name in vector.names]
    known = vector.values[training][:, measured]
    cut = int((np.abs(known) > clip).sum()) if clip else 0
    sums["scaling.clipped"] = np.array([cut, int((~np.isnan(known)).sum())])
    return Answer(facts=consent.exact("scaling"), sums=sums)


def aligned(cohort: Cohort, words: Mapping[str, Any]) -> OmicsVector:
    """Return the site's features as the coordinator's words name them.

    Args:
        cohort: The site's patients.
        words: `tables`, `clinical` columns, and the agreed `features` in order.

    Privacy: measurements of patients; they stay in the process.

    Source: own.
    """
    tables = held_tables(cohort, words["tables"])
    vector = omics_vector(cohort, tables=tables, clinical=tuple(words["clinical"]))
    return align(vector, tuple(words["features"]))


def _counts(site: Site, run: RunConfig) -> dict[str, np.ndarray]:
    cohort, train = site.cohort, site.rows("train")
    grid = TimeGrid(run.evaluation.time_step, run.evaluation.time_bins)
    outcomes = count(
        np.zeros(len(train)),
        time=cohort.time[train],
        event=cohort.event[train],
        time_grid=grid,
        risk_grid=RiskGrid(0.0, 1.0, 2),
    )
    return {
        "patients": np.array([int((site.split == name).sum()) for name in SPLITS]),
        "events": np.array([int(cohort.event[site.split == name].sum()) for name in SPLITS]),
        "missing": np.array(_missing(cohort, run)),
        "outcome-histogram": outcomes.to_array(),
    }


def _missing(cohort: Cohort, run: RunConfig) -> list[int]:
    """Return patients who lack each modality, and who have only some of the omics tables."""
    tables = tuple(table for table in cohort.tables if is_wanted(table, run.data))
    clinical = names(run.data.clinical)
    words, behind = names(run.data.modalities), (*tables, *((CLINICAL,) if clinical else ()))
    counts = {SLIDES: int((~cohort.has_slides).sum())}
    for word, own in parts(words, behind).items():
        vector = omics_vector(
            cohort,
            tables=tuple(table for table in own if table != CLINICAL),
            clinical=clinical if CLINICAL in own else (),
        )
        counts[word] = int((~vector.present).sum())
        if word == OMICS:
            counts[PARTIAL] = int(vector.partial.sum())
    return [counts[key] for key in lacks(run.data)]
