"""The opening: what a site says of itself, and the sums behind common scaling."""

import hashlib
from collections.abc import Mapping
from typing import Any

import numpy as np

from client.charging import Request, release
from client.consent import Consent, read_consent, told_counts, told_hash
from client.noised_opening import lacking, noised_counts, noised_scaling
from client.replies import Answer, Fact
from client.settings import Settings
from client.site import NO_LABEL, SPLITS, Site, open_site
from fusion.config import RunConfig
from fusion.modalities import CLINICAL, is_wanted
from fusion.readers.cohort import Cohort
from fusion.readers.labels import Label
from fusion.readers.omics import OmicsVector, align, held_tables, omics_vector
from fusion.readers.scaling import omics_sums, slide_sums
from fusion.survival.bins import RiskGrid, TimeGrid
from fusion.survival.tallies import count
from privacy.errors import BudgetExhaustedError


def describe(settings: Settings, run: str = "") -> Answer:
    """Return facts of the folder and counts of its patients.

    Args:
        settings: Of this message.
        run: Name of a private run.

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
    facts |= {"classes": list(site.label.classes)} if site.label else {}
    facts |= {**features, **consent.exact("counts"), **consent.disclosure.to_facts()}
    counts, added = _counts(site, settings.run), settings.run.privacy.secure_aggregation
    trains = cohort.role == "train"
    told = told_counts(consent, counts, trains=trains, added=added)
    answer = Answer(facts=facts, sums=told)
    if not consent.noises("counts"):
        return answer
    request = _request(settings, site, consent, {"run": run})
    return answer.beside(
        release(request, "counts", lambda noise: noised_counts(site, settings.run, told, noise))
    )


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
    vector = aligned(site.cohort, words)
    if consent.noises("scaling"):
        request = _request(settings, site, consent, words)
        clip = settings.run.data.clip
        found = release(
            request,
            "scaling",
            lambda noise: noised_scaling(site, vector, words, clip=clip, noise=noise),
        )
        if not found.sums:
            told = found.facts["withheld"]
            raise BudgetExhaustedError(told[0] if isinstance(told, list) else str(told))
        return found
    consent.require(
        "scaling",
        "Set data.scaling to a file of public statistics, or name it under [releases].",
    )
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
    counts = {
        "patients": np.array([int((site.split == name).sum()) for name in SPLITS]),
        "missing": lacking(site.cohort, run).sum(axis=0),
    }
    return counts | (_outcomes(site, run) if site.label is None else _labels(site, site.label))


def _labels(site: Site, label: Label) -> dict[str, np.ndarray]:
    """Return patients by class and split; of how they fared nothing is asked."""
    return {
        "labels": np.array(
            [[((site.split == name) & (label.words == word)).sum() for name in SPLITS]
             for word in label.classes], np.int64
        ).reshape(len(label.classes), len(SPLITS)),
        "unlabelled": np.array([(site.split == NO_LABEL).sum()], np.int64),
    }  # fmt: skip


def _outcomes(site: Site, run: RunConfig) -> dict[str, np.ndarray]:
    """Return events by split, and training outcomes by time bin."""
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
        "events": np.array([int(cohort.event[site.split == name].sum()) for name in SPLITS]),
        "outcome-histogram": outcomes.to_array(),
    }


def _request(settings: Settings, site: Site, consent: Consent, words: Mapping[str, Any]) -> Request:
    told = repr({name: words[name] for name in sorted(words) if name != "run"})
    run = str(words.get("run", ""))
    content = hashlib.sha256(told.encode()).hexdigest()
    return Request(settings, consent, site.cohort.fingerprint, run, -1, content)
