from dataclasses import replace

import numpy as np
import pytest

from client.settings import site_folders
from fusion.config import RunConfig, from_flat
from fusion.errors import ConfigError
from fusion.readers.cohort import read_cohort
from fusion.readers.folds import assign_split
from simulations import elastic_net
from simulations.elastic_net import PATH, judge_elastic_net, penalty_path
from simulations.patients import Patients

CONFIG = RunConfig()


@pytest.fixture
def patients():
    rng = np.random.default_rng(5)
    split = np.repeat(["train", "validation", "test"], [80, 30, 40])
    time, event = rng.permutation(150) * 10.0 + 1.0, rng.random(150) < 0.6
    return Patients(time, event, split, np.tile(["a", "b"], 75))


@pytest.fixture
def features(patients):
    noise = np.random.default_rng(6).normal(size=(150, 5))
    noise[:, 0] -= patients.time / 500.0
    return noise


@pytest.fixture(scope="module")
def cohorts(hospitals):
    """Three sites with fixed splits; the last only evaluates."""
    found = [read_cohort(folder) for folder in site_folders(hospitals)]
    splits = [assign_split(one, validation=0.3, test=0.0, seed=1) for one in found]
    fixed = [replace(o, fixed_split=split) for o, split in zip(found, splits, strict=True)]
    return [*fixed[:2], replace(found[2], role="evaluate-only")]


@pytest.mark.parametrize("ratio", [0.3, 1.0])
def test_weights_are_those_of_scikit_survival(features, patients, ratio):
    sksurv = pytest.importorskip("sksurv.linear_model", reason="the oracle is optional")
    train = patients.rows("train")
    outcome = np.array(
        list(zip(patients.event[train], patients.time[train], strict=True)),
        dtype=[("event", bool), ("time", float)],
    )
    path = list(penalty_path(features, patients, ratio))
    # scikit-survival divides the loss by patients, we by events; no times are tied here.
    share = patients.event[train].sum() / len(train)
    theirs = sksurv.CoxnetSurvivalAnalysis(
        alphas=[penalty * share for penalty, _ in path], l1_ratio=ratio, tol=1e-14, max_iter=10**6
    ).fit(features[train], outcome)
    for place, (_, weights) in enumerate(path):
        np.testing.assert_allclose(weights, theirs.coef_[:, place], rtol=0, atol=2e-4)


def test_the_first_penalty_leaves_nothing_and_the_last_almost_everything(features, patients):
    path = list(penalty_path(features, patients, 1.0))
    kept = [np.count_nonzero(np.abs(weights) > 1e-9) for _, weights in path]
    assert (len(path), kept[0]) == (len(PATH), 0)
    assert kept[-1] >= 4
    assert np.flatnonzero(path[1][1]).tolist() == [0]


def test_weights_see_training_patients_alone(features, patients):
    other = replace(patients, time=np.where(patients.split == "train", patients.time, 5.0))
    for one, two in zip(
        penalty_path(features, patients, 0.5), penalty_path(features, other, 0.5), strict=True
    ):
        np.testing.assert_array_equal(one[1], two[1])


def test_validation_chooses_and_tests_are_judged(cohorts, monkeypatch):
    tried = []

    def spy(self, risk, rows):
        tried.append((set(self.split[rows].tolist()), found(self, risk, rows)))
        return tried[-1][1]

    found = Patients.concordance
    monkeypatch.setattr(Patients, "concordance", spy)
    monkeypatch.setattr(elastic_net, "PATH", (0.7, 0.3))
    judged = judge_elastic_net(cohorts, CONFIG)
    assert set.union(*(splits for splits, _ in tried)) == {"validation"}
    assert judged["validation"] == max(merit for _, merit in tried)
    assert judged["patients"] == 24
    assert 0 < judged["parameters"] < 20
    assert judged["l1_ratio"] in elastic_net.L1_RATIOS


def test_without_omics_or_events_there_is_no_fit(cohorts):
    with pytest.raises(ConfigError, match="elastic-net must read an omics table, got none"):
        judge_elastic_net(cohorts, from_flat({"data.omics": "cnv"}))
    eventless = [replace(one, event=np.zeros(len(one.patients), bool)) for one in cohorts]
    with pytest.raises(ConfigError, match="elastic-net must have an event to train on, got none"):
        judge_elastic_net(eventless, CONFIG)
