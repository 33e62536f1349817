from dataclasses import replace

import numpy as np
import pytest

from fusion.config import ModelConfig, RunConfig, from_flat
from fusion.readers.cohort import read_cohort
from fusion.readers.omics import omics_vector
from fusion.readers.scaling import Scaling, omics_sums, slide_sums
from fusion.training.data import PatientData
from fusion.training.plan import Plan, build_network

SMALL = ModelConfig(tokens=2, width=4, hidden=8, heads=2, rank=2, patch_tokens=16)


@pytest.fixture(scope="session")
def cohort(hospitals):
    return read_cohort(hospitals / "lyon")


@pytest.fixture(scope="session")
def plan(cohort):
    """Both modalities, scaled on all patients; two intervals."""
    vector = omics_vector(cohort, tables=("rna",), clinical=())
    everyone = np.ones(len(cohort.patients), dtype=bool)
    slides = slide_sums(cohort.bags(), patients=list(range(24)), width=cohort.feature_width)
    omics = omics_sums(vector, training=everyone, clip=5.0)
    return Plan(
        modalities=("slides", "omics"),
        encoder=cohort.encoder,
        feature_width=cohort.feature_width,
        tables=("rna",),
        clinical=(),
        scaling=Scaling.from_sums(omics, slides, names=vector.names, clip=5.0),
        edges=(0.0, 700.0, 3650.0),
        rates=(0.2, 0.3),
        projections={},
        groups={"first": vector.names[:20], "second": vector.names[20:]},
    )


@pytest.fixture
def data(cohort, plan):
    """At most eight patches a patient, fewer than most have."""
    return PatientData(cohort, plan, max_patches=8)


@pytest.fixture
def settings():
    def settings(changes=None) -> RunConfig:
        return from_flat(
            {"objective.name": "cox", **(changes or {})}, replace(RunConfig(), model=SMALL)
        )

    return settings


@pytest.fixture
def network(plan, settings):
    return build_network(plan, settings())
