import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from client.settings import site_folders
from fusion.config import RunConfig, from_flat
from fusion.errors import ConcordError, ConfigError
from fusion.readers.cohort import read_cohort
from fusion.readers.folds import assign_split
from simulations import selection
from simulations.fold_folders import People, write_fold
from simulations.folds import Fold
from simulations.selection import Search, read_grid, select
from simulations.trials import Plan, conduct

GRID = {"training.lr": ("0.001", "0.01"), "model.width": ("3", "4", "5")}
QUICK = {"rounds": 1, "training.local-steps": 1, "federation.wait-seconds": 0}


@pytest.fixture
def search(tmp_path):
    return Search(GRID, tmp_path / "sites", tmp_path / "selection")


@pytest.fixture
def ran(monkeypatch):
    """Settings of every run; each answers with a figure of lr and width instead of training."""
    seen = []

    def run(config):
        seen.append(config)
        width, lr = config.model.width, config.training.lr
        if width == 5:
            raise ConcordError("Too wide.")
        chosen = {"round": 1, "concordance": {"value": width * lr}, "loss": {"validation": lr}}
        told = {"model": {"chosen_round": 1}, "rounds": [{"round": 0}, chosen]}
        (Path(config.out) / "result.json").write_text(json.dumps(told))

    monkeypatch.setattr(selection, "run_inline", run)
    return seen


def test_every_combination_is_tried_on_the_training_sites_and_the_best_is_taken(search, ran):
    chosen = select(RunConfig(seed=7, sites="everybody"), search)
    assert [(one.training.lr, one.model.width) for one in ran] == [
        (lr, width) for lr in (0.001, 0.01) for width in (3, 4, 5)
    ]
    assert {one.sites for one in ran} == {str(search.sites)}
    assert {one.seed for one in ran} == {7}
    assert (chosen.training.lr, chosen.model.width) == (0.01, 4)
    assert (chosen.sites, chosen.seed) == ("everybody", 7)


def test_the_loss_chooses_where_it_is_asked_to_and_the_first_of_equals_is_taken(search, ran):
    assert select(from_flat({"evaluation.selection": "loss"}), search).training.lr == 0.001
    assert ran[0].model.width == 3


def test_what_was_tried_is_not_run_again(search, ran):
    select(RunConfig(), search)
    (search.folder / "4.json").unlink()
    assert select(RunConfig(), search).model.width == 4
    assert [(one.training.lr, one.model.width) for one in ran[6:]] == [(0.01, 3)]


def test_a_choice_leaves_its_validation_figure_and_nothing_else(search, ran):
    select(RunConfig(), search)
    assert len(ran) == 6
    assert sorted(path.name for path in search.folder.iterdir()) == [
        f"{n}.json" for n in range(1, 7)
    ]
    kept = json.loads((search.folder / "5.json").read_text())
    choice = {"training.lr": "0.01", "model.width": "4"}
    assert kept == {"choice": choice, "validation": 0.04, "problem": None}


@pytest.mark.usefixtures("ran")
def test_a_grid_without_any_figure_is_an_error(search):
    narrow = replace(search, grid={"model.width": ("5",)})
    with pytest.raises(ConfigError, match=r"got no figure for any choice. Too wide."):
        select(RunConfig(), narrow)


def test_a_grid_is_read_from_text():
    texts = ["training.lr=5e-4, 2e-3", "model.layers=64"]
    found = read_grid(texts, RunConfig())
    assert found == {"training.lr": ("5e-4", "2e-3"), "model.layers": ("64",)}


@pytest.mark.parametrize(
    ("texts", "match"),
    [
        (["training.lr"], r"--grid must be KEY=VALUE,VALUE, each key once, got 'training.lr'"),
        (["model.width=1", "model.width=2"], "each key once, got 'model.width=2'"),
        (["training.lr=fast"], "training.lr must be a number"),
        (["model.with=3"], "must be a known key, got 'model.with'. Did you mean 'model.width'"),
        (["rounds=3,4"], "and the number of steps, got 'rounds'. Use --set"),
        (["split.validation=0.1"], "must leave alone who is judged, .* got 'split.validation'"),
        (["evaluation.risk-bins=8"], "must leave alone who is judged"),
    ],
)
def test_a_grid_that_does_not_fit_is_an_error(texts, match):
    with pytest.raises(ConfigError, match=match):
        read_grid(texts, RunConfig())


def test_no_test_patient_is_there_while_settings_are_chosen(hospitals, tmp_path, monkeypatch):
    cohorts = [read_cohort(folder) for folder in site_folders(hospitals)]
    hospital = np.repeat([one.name for one in cohorts], 24)
    people = People(cohorts, hospital)
    splits = [assign_split(one, validation=0.25, test=0.25, seed=1) for one in cohorts]
    fold = Fold("sites", 1, 1, 1, hospital, np.concatenate(splits))
    grid = {"training.lr": ("0.001", "0.1")}
    plan = Plan(("linear", "ridge"), ("federated",), from_flat(QUICK), tmp_path, grid=grid)
    write_fold(people, fold, plan.sites(fold.name))
    seen, run = [], selection.run_inline

    def watch(config):
        found = [read_cohort(folder) for folder in site_folders(Path(config.sites))]
        seen.append({split for one in found for split in one.fixed_split} | {o.role for o in found})
        return run(config)

    monkeypatch.setattr(selection, "run_inline", watch)
    trial, reference = plan.trials(fold, able={})
    conduct(trial)
    assert seen == [{"train", "validation"}] * 2
    kept = [json.loads(path.read_text()) for path in sorted(trial.search.folder.iterdir())]
    best = max(kept, key=lambda told: told["validation"])
    assert trial.result()["config"]["training.lr"] == float(best["choice"]["training.lr"])
    assert trial.result()["evaluation"]["pooled"]["patients"] == trial.tests
    assert reference.search is None
