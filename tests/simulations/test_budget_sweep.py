"""Sweeps over epsilon, through the normal apps."""

import json
import math
import re

import numpy as np
import pandas as pd
import pytest

from client.policy import read_policy
from fusion.config import DataConfig, from_flat
from fusion.readers.cohort import read_cohort
from simulations.budget_sweep import Sweep
from simulations.cli import main
from simulations.governed_sites import Terms, public_size, write_governed
from simulations.joined_site import Part
from simulations.sweep_tables import _membership, calibration_error, tabulate

QUICK = ["rounds=1", "training.local-steps=2", "split.test=0.25", "audit.background=input-mean"]
SETTINGS = [word for pair in QUICK for word in ("--set", pair)]


def words(hospitals, out, epsilon="4,inf"):
    return [
        "sweep", "--sites", str(hospitals), "--models", "small_head", "--epsilon", epsilon,
        "--seeds", "2,", "--jobs", "1", "--delta", "0.01", "--out", str(out), *SETTINGS,
    ]  # fmt: skip


@pytest.fixture(scope="module")
def before(hospitals):
    return {path: path.stat().st_mtime_ns for path in sorted(hospitals.rglob("*"))}


@pytest.fixture(scope="module")
def swept(hospitals, before, tmp_path_factory):
    """A sweep of two runs; look, do not touch."""
    out = tmp_path_factory.mktemp("sweep") / "out"
    assert before
    assert main(words(hospitals, out)) == 0
    return out


def test_the_users_folders_stay_as_they_are(swept, hospitals, before):
    assert {path: path.stat().st_mtime_ns for path in sorted(hospitals.rglob("*"))} == before
    assert not (swept / "sites").exists()


def test_each_run_spends_its_epsilon_on_the_same_split(swept):
    runs = pd.read_csv(swept / "runs.csv").set_index("epsilon")
    assert 3.98 < runs.loc[4.0, "spent"] <= 4.0
    assert np.isnan(runs.loc[math.inf, "spent"])
    assert runs["test"].nunique() == 1
    private = json.loads((swept / "runs/epsilon-4/seed-2/small_head/result.json").read_text())
    assert {site["public_size"] % 10 for site in private["privacy"]["sites"]} == {0}
    assert "validation" not in private["privacy"]["sites"][0]["exact_releases"]


def test_the_means_state_what_was_lost_to_no_noise(swept):
    runs = pd.read_csv(swept / "runs.csv").set_index("epsilon")
    means = pd.read_csv(swept / "means.csv").set_index("epsilon")
    lost = runs.loc[math.inf, "concordance"] - runs.loc[4.0, "concordance"]
    assert means.loc[4.0, "loss"] == pytest.approx(lost)
    assert means.loc[math.inf, "loss"] == 0


def test_the_page_shows_each_figure_and_loads_nothing(swept):
    page = (swept / "report.html").read_text()
    assert "Test concordance" in page
    assert "Interaction share" in page
    for trace in ("http:", "https:", "<script", "<link"):
        assert trace not in page
    assert (swept / "concordance.svg").read_text().count("<circle") == 3  # two marks, one legend


def test_what_has_finished_is_not_run_again(swept, hospitals, capsys, monkeypatch):
    monkeypatch.setattr("simulations.budget_sweep.do_all", lambda tasks, *_, **__: iter(tasks))
    assert main(words(hospitals, swept)) == 0
    assert "2 of 2 runs are there already" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"--epsilon": "0,1"}, "--epsilon must be numbers > 0 and inf, with commas, got '0,1'"),
        ({"--epsilon": "nan"}, "--epsilon must be numbers > 0"),
        ({"--models": "smal_head"}, "--models must be registered, got 'smal_head'. Did you mean"),
        ({"--jobs": "0"}, "--jobs must be >= 1"),
        ({"--delta": "0.02"}, "--out must hold results of the same settings"),
        ({"--max-grad-norm": "0"}, "--max-grad-norm must be > 0, got 0"),
        ({"--sampling-rate": "2"}, "--sampling-rate must be in \\(0, 1\\], got 2"),
        ({"--delta": "1"}, "--delta must be 0 or in \\(0, 1\\), got 1"),
    ],
)
def test_bad_words_are_sentences(swept, hospitals, capsys, changed, said):
    told = [word for pair in changed.items() for word in pair]
    assert main([*words(hospitals, swept), *told]) == 2
    assert re.search(said, capsys.readouterr().err)


def test_a_site_agrees_to_the_sweeps_terms_alone(hospitals, tmp_path):
    cohort = read_cohort(hospitals / "lyon")
    split = np.array(["train", "test"])[np.arange(len(cohort.patients)) % 2]
    for epsilon in (2.0, math.inf):
        write_governed(
            [Part(cohort, split)], tmp_path / f"{epsilon:g}", Terms(epsilon, 7, 0.5), DataConfig()
        )
    policy = read_policy(tmp_path / "2" / "lyon")
    assert (policy.epsilon, policy.max_epsilon, policy.steps) == (2.0, 2.0, 7)
    assert policy.sampling_rate == 0.5
    assert policy.public_size == 10  # of 12
    assert read_policy(tmp_path / "inf" / "lyon") is None
    again = read_cohort(tmp_path / "2" / "lyon")
    assert again.fixed_split.tolist() == split.tolist()


def test_sizes_are_told_rounded():
    assert [public_size(number) for number in (3, 14, 16, 155)] == [10, 10, 20, 160]


def test_calibration_is_the_mean_distance_of_predicted_and_observed():
    groups = [
        {"predicted": 0.8, "observed": 0.7}, {"predicted": 0.5, "observed": 0.7},
        {"predicted": 0.5, "observed": None},
    ]  # fmt: skip
    # mean of .1 and .2; the third has no observation
    assert calibration_error([{"groups": groups}]) == pytest.approx(0.15)
    assert calibration_error([]) is None


def test_an_attack_beside_a_run_becomes_its_figure(tmp_path):
    file = tmp_path / "attack.json"
    assert _membership(file) is None
    file.write_text(json.dumps({"pooled": {"membership": None}}))
    assert _membership(file) is None
    file.write_text(json.dumps({"pooled": {"membership": {"auc": {"value": 0.56}}}}))
    assert _membership(file) == 0.56


def test_a_sweep_without_any_run_has_empty_tables():
    assert tabulate([]).means.empty


def test_every_run_takes_the_same_steps_and_chooses_no_round(tmp_path):
    base = from_flat({"rounds": 3, "split.validation": 0.2})
    sweep = Sweep(tmp_path, [1.0, math.inf], [5], ["late"], Terms(math.inf, 30), base, tmp_path)
    first, second = (trial.config for trial in sweep.trials({5: (10, 30)}))
    assert (first.privacy.mode, second.privacy.mode) == ("record-level", "none")
    assert first.split.validation == second.split.validation == 0
    assert first.seed == second.seed == 5
