"""The opening's sums with noise: numbers of patients, and what inputs are scaled by."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from jaxtyping import Bool, Float

from client.replies import Answer
from client.site import SPLITS, Site
from fusion.config import RunConfig, names
from fusion.modalities import CLINICAL, OMICS, PARTIAL, SLIDES, is_wanted, lacks, parts
from fusion.readers.bounded_inputs import bounded_inputs, input_bound, unscaled
from fusion.readers.cohort import Cohort
from fusion.readers.omics import OmicsVector, omics_vector
from fusion.readers.scaling import clipped, slide_sums
from fusion.survival.bins import RiskGrid, TimeGrid
from fusion.survival.tallies import cell_of
from privacy.mechanisms import Cells, Contributions, Noise, Vectors, noisy_sums


def noised_counts(
    site: Site, run: RunConfig, told: Mapping[str, np.ndarray], noise: Noise
) -> Answer:
    """Return counts with noise; the number of training patients stays the public size.

    Four parts of length 1: the patient's split, the split once more if the event was seen, what
    the patient lacks, and the cell of a training patient's outcome.

    Args:
        site: The site's patients.
        run: The run's settings.
        told: The counts of nobody, in their shapes.
        noise: Of the site's policy.

    Returns:
        Whole numbers >= 0 for patients and events; the histogram as it is, of any sign.

    Privacy: sensitivity sqrt(4) (L2) or 4 (L1) before the multiplier; see `noisy_sums`.

    Source: own.
    """
    split = np.column_stack([site.split == name for name in SPLITS]).astype(np.float64)
    without, shape = lacking(site.cohort, run).astype(float), told["outcome-histogram"].shape
    rows: dict[str, Contributions] = {
        "patients": Vectors(split, 1.0),
        "events": Vectors(split * site.cohort.event[:, None], 1.0),
        "missing": Vectors(without, noise.sensitivity(without.shape[1])),
        "outcome-histogram": Cells(_outcomes(site, run), int(np.prod(shape))),
    }
    found = noisy_sums(rows, noise)
    sums = {
        name: np.maximum(np.rint(one.values), 0).astype(np.int64) for name, one in found.items()
    }
    sums["patients"][0] = told["patients"][0]
    sums["outcome-histogram"] = found["outcome-histogram"].values.reshape(shape)
    return Answer(sums=sums, figures={f"noise:{n}": one.deviation for n, one in found.items()})


def noised_scaling(
    site: Site, vector: OmicsVector, words: Mapping[str, Any], *, clip: float, noise: Noise
) -> Answer:
    """Return scaling sums with noise: a patient's whole row of inputs and squares cut once.

    Args:
        site: The site's patients.
        vector: The agreed features.
        words: Whether `slides` are read.
        clip: Largest magnitude of an omics value; 0 = never cut.
        noise: Of the site's policy.

    Returns:
        Number, sums and sums of squares; how much was cut is not told.

    Privacy: up to two parts, omics and mean patches; see `bounded_inputs`.

    Source: own.
    """
    train, width = site.everyone("train"), site.cohort.feature_width
    rows = {"scaling.omics": bounded_inputs(clipped(vector, clip)[train].astype(np.float64))}
    if words["slides"] and width:
        rows["scaling.slides"] = _slides(site, train, width)
    parts = {
        name: Vectors(each, input_bound(each, noise.sensitivity)) for name, each in rows.items()
    }
    found = noisy_sums(parts, noise)
    return Answer(
        sums={
            "scaling.clipped": np.zeros(2, dtype=np.int64),
            **{name: unscaled(one.values) for name, one in found.items()},
        },
        figures={f"noise:{name}": one.deviation for name, one in found.items()},
    )


def _slides(site: Site, train: Sequence[int], width: int) -> Float[np.ndarray, "patient number"]:
    """Return the bounded rows of each training patient's mean patch and mean squared patch."""
    own = [slide_sums(site.bags, patients=[row], width=width) for row in train]
    held = np.array([one.count for one in own]).reshape(len(train), width) > 0
    means, squares = (
        np.array([getattr(one, name) for one in own]).reshape(len(train), width)
        for name in ("total", "square")
    )
    return bounded_inputs(np.where(held, means, np.nan), squares)


def _outcomes(site: Site, run: RunConfig) -> np.ndarray:
    """Return each training patient's cell of the outcome histogram."""
    train, cohort = site.everyone("train"), site.cohort
    return cell_of(
        np.zeros(len(train)),
        time=cohort.time[train],
        event=cohort.event[train],
        time_grid=TimeGrid(run.evaluation.time_step, run.evaluation.time_bins),
        risk_grid=RiskGrid(0.0, 1.0, 2),
    )


def lacking(cohort: Cohort, run: RunConfig) -> Bool[np.ndarray, "patient number"]:
    """Return who lacks each modality, and who has only some of the omics tables.

    Privacy: one row a patient; stays at the site.

    Source: own.
    """
    tables = tuple(table for table in cohort.tables if is_wanted(table, run.data))
    clinical = names(run.data.clinical)
    words, behind = names(run.data.modalities), (*tables, *((CLINICAL,) if clinical else ()))
    found = {SLIDES: ~cohort.has_slides}
    for word, own in parts(words, behind).items():
        vector = omics_vector(
            cohort,
            tables=tuple(table for table in own if table != CLINICAL),
            clinical=clinical if CLINICAL in own else (),
        )
        found[word] = ~vector.present
        if word == OMICS:
            found[PARTIAL] = vector.partial
    return np.column_stack([found[key] for key in lacks(run.data)])
