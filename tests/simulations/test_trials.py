import shutil
from dataclasses import replace

import numpy as np
import pytest

from client.settings import site_folders
from fusion.config import from_flat
from fusion.errors import FederationError
from fusion.readers.cohort import read_cohort
from fusion.readers.folds import assign_split
from simulations import trials as module
from simulations.fold_folders import People, write_fold
from simulations.folds import Fold
from simulations.trials import Plan, conduct

QUICK = {"rounds": 1, "training.local-steps": 1, "federation.wait-seconds": 0}
MODELS, SETTINGS = ("linear", "ridge"), ("federated", "pooled", "local")


@pytest.fixture(scope="module")
def people(hospitals):
    cohorts = [read_cohort(folder) for folder in site_folders(hospitals)]
    return People(cohorts, np.repeat([one.name for one in cohorts], 24))


@pytest.fixture(scope="module")
def fold(people):
    splits = [assign_split(one, validation=0.25, test=0.25, seed=1) for one in people.cohorts]
    return Fold("sites", 3, 1, 3, people.hospital, np.concatenate(splits))


@pytest.fixture
def plan(tmp_path):
    return Plan(MODELS, SETTINGS, from_flat(QUICK), tmp_path / "out")


@pytest.fixture
def trial(people, fold, plan):
    """A trial that has not been run; its site folders are there."""
    write_fold(people, fold, plan.sites(fold.name))
    return next(plan.trials(fold, able={}))


def test_reference_models_are_pooled_and_local_ones_train_where_they_can(fold, plan):
    found = [
        (t.model, t.setting, t.site) for t in plan.trials(fold, able={"lyon": "", "porto": ""})
    ]
    assert found == [
        ("linear", "federated", ""), ("linear", "pooled", ""),
        ("linear", "local", "lyon"), ("linear", "local", "porto"), ("ridge", "pooled", ""),
    ]  # fmt: skip


def test_every_patient_lies_in_one_folder_of_each_view(fold, trial):
    sites = trial.folder.parents[3] / "sites" / fold.name
    for view in ("view-federated", "view-pooled"):
        names = [p for f in site_folders(sites / view) for p in read_cohort(f).patients]
        assert len(set(names)) == len(names) == 72
    alone = [read_cohort(folder) for folder in site_folders(sites / "view-local-lyon")]
    assert [one.name for one in alone if one.role == "train"] == ["lyon"]
    assert sum(len(one.patients) for one in alone if one.role != "train") == fold.tests.sum()


def test_splits_and_outcomes_reach_the_site_folders(people, fold, trial):
    expected = dict(zip(people.names, zip(fold.split, people.event, strict=True), strict=True))
    for folder in (trial.folder.parents[3] / "sites" / fold.name).glob("t*/*"):
        one = read_cohort(folder)
        told = zip(one.patients, one.fixed_split, one.event, strict=True)
        assert all(
            expected[patient.split("/")[1]] == (split, event) for patient, split, event in told
        )


@pytest.mark.usefixtures("trial")
def test_a_fold_that_is_there_is_not_written_again(people, fold, plan):
    marked = plan.sites(fold.name) / "mark"
    marked.touch()
    write_fold(people, fold, plan.sites(fold.name))
    assert marked.exists()


def test_a_finished_trial_is_its_result_alone(trial):
    conduct(trial)
    assert trial.finished
    assert [path.name for path in trial.folder.iterdir()] == ["result.json"]
    assert trial.result()["config"]["seed"] == 3


def test_models_are_kept_where_asked(trial):
    conduct(replace(trial, keep_model=True))
    assert (trial.folder / "model.safetensors").is_file()


def test_what_a_killed_trial_left_is_swept_away(trial):
    partial = trial.folder.with_name(".linear.partial")
    partial.mkdir(parents=True)
    (partial / "result.json").write_text("{")
    assert not trial.finished
    conduct(trial)
    assert trial.result()["evaluation"]["pooled"]["patients"] == trial.tests
    assert not partial.exists()


def test_a_test_site_that_falls_out_fails_the_trial(trial):
    shutil.rmtree(trial.folder.parents[3] / "sites/sites-3-1/test/lyon-test/patch_features")
    with pytest.raises(FederationError, match=r"must judge all 18 test patients .* got 12. Site"):
        conduct(trial)
    assert not trial.finished


def test_a_trial_that_dies_in_the_middle_has_no_result(trial, monkeypatch):
    def die(config):
        (module.Path(config.out) / "result.json").write_text("{}")
        raise FederationError("The power went.")

    monkeypatch.setattr(module, "run_inline", die)
    with pytest.raises(FederationError, match="The power went"):
        conduct(trial)
    assert not trial.finished
