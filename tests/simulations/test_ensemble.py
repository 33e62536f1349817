import json
from dataclasses import replace

import numpy as np
import pytest

from client.predict import predict
from client.settings import site_folders
from fusion.config import from_flat
from fusion.errors import ConfigError
from fusion.readers.cohort import read_cohort
from fusion.readers.folds import assign_split
from fusion.survival.concordance import concordance
from simulations.ensemble import judge_ensemble
from simulations.federation import run_inline
from simulations.figures import rows_of
from simulations.fold_folders import People, write_fold
from simulations.folds import Fold
from simulations.trials import Plan, conduct

QUICK = {
    "rounds": 1, "training.local-steps": 2, "federation.wait-seconds": 0, "training.lr": 0.02,
    "model.width": 4, "model.hidden": 8,
}  # fmt: skip


@pytest.fixture(scope="module")
def trial(hospitals, tmp_path_factory):
    """A trial of two members that has not been run; its site folders are there."""
    cohorts = [read_cohort(folder) for folder in site_folders(hospitals)]
    hospital = np.repeat([one.name for one in cohorts], 24)
    splits = [assign_split(one, validation=0.25, test=0.25, seed=1) for one in cohorts]
    fold = Fold("sites", 1, 1, 1, hospital, np.concatenate(splits))
    out = tmp_path_factory.mktemp("ensemble")
    plan = Plan(("early",), ("federated",), from_flat(QUICK), out, members=2)
    write_fold(People(cohorts, hospital), fold, plan.sites(fold.name))
    return next(plan.trials(fold, able={}))


@pytest.fixture(scope="module")
def ensemble(trial, tmp_path_factory):
    """Figures, and the folder of the members' runs."""
    out = tmp_path_factory.mktemp("members")
    return judge_ensemble(replace(trial.config, out=str(out)), 2), out


def test_one_member_has_the_coordinators_figures(trial, tmp_path):
    alone = judge_ensemble(replace(trial.config, out=str(tmp_path)), 1)
    run_inline(replace(trial.config, out=str(tmp_path / "plain")))
    told = json.loads((tmp_path / "plain" / "result.json").read_text())["evaluation"]["pooled"]
    for name in ("concordance", "within_sites", "uno"):
        assert alone[name]["value"] == pytest.approx(told[name]["value"], abs=1e-9), name
    assert (alone["patients"], alone["events"]) == (told["patients"], told["events"])


def test_risks_of_the_members_are_averaged_patient_by_patient(trial, ensemble):
    figures, out = ensemble
    risk, time, event = [], [], []
    for folder in sorted(site_folders(trial.folder.parents[3] / "sites/sites-1-1/view-federated")):
        one = read_cohort(folder)
        rows = [place for place, split in enumerate(one.fixed_split) if split == "validation"]
        tables = [predict(folder, out / f"member-{n}" / "model.safetensors").table for n in (1, 2)]
        mean = (tables[0]["risk"] + tables[1]["risk"]) / 2
        order = [list(tables[0]["patient"]).index(one.patients[row]) for row in rows]
        risk += mean.iloc[order].tolist()
        time, event = [*time, *one.time[rows]], [*event, *one.event[rows]]
    found = concordance(np.array(risk), time=np.array(time), event=np.array(event))
    assert figures["validation"] == pytest.approx(found.estimate.value)


def test_members_differ_in_their_seed_alone(trial, ensemble):
    figures, out = ensemble
    seeds = [member["seed"] for member in figures["members"]]
    assert seeds[0] == trial.config.seed
    assert len(set(seeds)) == 2
    configs = [json.loads((out / f"member-{n}/result.json").read_text())["config"] for n in (1, 2)]
    assert {key for key in configs[0] if configs[0][key] != configs[1][key]} == {"seed"}


def test_an_ensemble_is_a_row_like_any_other_without_an_audit(trial):
    conduct(trial)
    assert [path.name for path in trial.folder.iterdir()] == ["result.json"]
    rows, _ = rows_of([trial], trainers={trial.fold_name: 3})
    assert rows[0]["test"] == trial.tests
    assert rows[0]["steps"] == 2
    assert rows[0]["concordance"] is not None
    assert rows[0]["interaction"] is None


def test_heads_of_their_own_cannot_be_averaged(trial, tmp_path):
    federation = replace(trial.config.federation, personal="head")
    config = replace(trial.config, out=str(tmp_path), federation=federation)
    with pytest.raises(ConfigError, match=r"--ensemble must go with federation.personal = none"):
        judge_ensemble(config, 2)
