"""Hospitals with a policy each, and the settings of a run under record-level privacy."""

import json
import shutil

import pytest

from fusion.readers.cohort import read_cohort

POLICY = """
[cohort]
public-size = 12
minimum-patients = {few}
minimum-events = 0
[budget]
max-epsilon = {limit}
delta = 1e-2
[run]
epsilon = {epsilon}
steps = 4
sampling-rate = {rate}
[allowed]
exact-releases = [{exact}]
[releases]
{noised}
"""


@pytest.fixture(scope="session")
def public_scaling(hospitals, tmp_path_factory):
    """Public statistics of every feature that the synthetic hospitals have."""
    cohort = read_cohort(next(hospitals.glob("*/")))
    unit = {"mean": 0.0, "sd": 1.0}
    names = [f"{table}:{gene}" for table in cohort.tables for gene in cohort.tables[table].genes]
    width = cohort.feature_width
    tree = {
        "omics": dict.fromkeys(names, unit),
        "slides": {"mean": [0.0] * width, "sd": [1.0] * width},
    }
    path = tmp_path_factory.mktemp("public") / "scaling.json"
    path.write_text(json.dumps(tree), encoding="utf-8")
    return path


@pytest.fixture(scope="session")
def write_policy():
    def write_policy(folder, *, limit=8.0, epsilon=4.0, rate=1.0, exact=(), few=2, noised=None):
        told = ", ".join(f'"{name}"' for name in exact)
        noises = "\n".join(f'{name} = "{noise}"' for name, noise in (noised or {}).items())
        text = POLICY.format(
            limit=limit, epsilon=epsilon, rate=rate, exact=told, few=few, noised=noises
        )
        (folder / "policy.toml").write_text(text, encoding="utf-8")

    return write_policy


@pytest.fixture(scope="session")
def private(public_scaling):
    """Settings of a private run of two rounds."""
    return {
        "privacy.mode": "record-level", "objective.name": "discrete-time",
        "objective.cuts": "365,1095", "data.scaling": str(public_scaling),
    }  # fmt: skip


@pytest.fixture
def governed(hospitals, tmp_path, write_policy):
    """A copy of the hospitals, each with a policy that lets nothing out beside the model."""
    folder = tmp_path / "sites"
    shutil.copytree(hospitals, folder)
    for site in folder.iterdir():
        write_policy(site)
    return folder
