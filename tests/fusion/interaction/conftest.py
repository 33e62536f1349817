from types import SimpleNamespace

import numpy as np
import pytest


def interacting_cohort(patients, *, strength=1.0, modalities=2, seed=0):
    """eta = x1 + ... + xM + strength * x1 x2 with standard normal x, hidden = mean = 0."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(patients, modalities))
    visible = (np.arange(1 << modalities)[:, None] >> np.arange(modalities)) & 1
    values = x @ visible.T + strength * (x[:, :1] * x[:, 1:2]) * (visible[:, 0] * visible[:, 1])
    return SimpleNamespace(
        values=values,
        modalities=("slides", "rna", "cnv", "mutation", "clinical")[:modalities],
        time=np.ceil(rng.exponential(1000 * np.exp(-values[:, -1]))),
        event=rng.random(patients) < 0.7,
    )


@pytest.fixture
def cohort_of():
    return interacting_cohort
