from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from lifelines import CoxPHFitter

from client.settings import site_folders
from fusion.config import RunConfig
from fusion.errors import ConfigError
from fusion.readers.cohort import read_cohort
from fusion.readers.folds import assign_split
from fusion.survival.concordance import concordance
from simulations import ridge
from simulations.ridge import (
    NotConvergedError,
    Patients,
    choose_penalty,
    fitted,
    judge,
    judge_ridge,
    standardised,
)

CONFIG = RunConfig()


@pytest.fixture
def patients():
    rng = np.random.default_rng(5)
    split = np.repeat(["train", "validation", "test"], [80, 30, 40])
    site = np.tile(["a", "b"], 75)
    time, event = rng.exponential(900.0, 150) + 1.0, rng.random(150) < 0.6
    return Patients(time, event, split, site)


@pytest.fixture
def features(patients):
    return np.random.default_rng(6).normal(size=(150, 3)) - np.log(patients.time)[:, None] / 3


@pytest.fixture(scope="module")
def cohorts(hospitals):
    """Three sites with fixed splits; the last only evaluates."""
    found = [read_cohort(folder) for folder in site_folders(hospitals)]
    fixed = [
        replace(one, fixed_split=assign_split(one, validation=0.3, test=0.0, seed=1))
        for one in found
    ]
    return [*fixed[:2], replace(found[2], role="evaluate-only")]


def test_the_fit_is_that_of_lifelines_on_training_patients_alone(features, patients):
    train = patients.rows("train")
    table = pd.DataFrame(features[train], columns=list("abc"))
    table = table.assign(time=patients.time[train], event=patients.event[train])
    model = CoxPHFitter(penalizer=0.1, l1_ratio=0.0).fit(table, "time", "event")
    expected = features @ model.params_.to_numpy()
    np.testing.assert_allclose(fitted(features, patients, 0.1), expected)
    other = replace(patients, time=np.where(patients.split == "train", patients.time, 5.0))
    np.testing.assert_array_equal(fitted(features, other, 0.1), fitted(features, patients, 0.1))


def test_validation_chooses_the_penalty(features, patients, monkeypatch):
    risks = {1.0: features[:, 0], 2.0: -patients.time, 3.0: features[:, 1]}
    monkeypatch.setattr(ridge, "PENALTIES", tuple(risks))
    monkeypatch.setattr(ridge, "fitted", lambda *given: risks[given[2]])
    penalty, risk, validation = choose_penalty(features, patients)
    assert (penalty, validation) == (2.0, 1.0)
    np.testing.assert_array_equal(risk, -patients.time)


def test_a_penalty_whose_fit_does_not_settle_is_left_out(features, patients, monkeypatch):
    def sometimes(features, patients, penalty):
        if penalty < 1.0:
            raise NotConvergedError("no")
        return -patients.time if penalty < 2.0 else features[:, 0]

    monkeypatch.setattr(ridge, "PENALTIES", (0.1, 1.0, 2.0))
    monkeypatch.setattr(ridge, "fitted", sometimes)
    assert choose_penalty(features, patients)[0] == 1.0
    monkeypatch.setattr(ridge, "PENALTIES", (0.1,))
    with pytest.raises(NotConvergedError, match="must converge at some penalty, got none"):
        choose_penalty(features, patients)


def test_separated_patients_do_not_settle_without_a_penalty(patients):
    early = patients.event & (patients.time < np.median(patients.time))
    separated = replace(patients, event=early)
    features = np.column_stack([early.astype(float), -patients.time / 100.0])
    with pytest.raises(NotConvergedError, match="must converge at penalty 0, got"):
        fitted(features, separated, 0.0)


def test_figures_are_of_test_patients_and_near_the_exact_ones(features, patients):
    risk, test = fitted(features, patients, 0.1), patients.rows("test")
    found = judge(risk, patients, CONFIG)
    exact = concordance(risk[test], time=patients.time[test], event=patients.event[test])
    assert (found["patients"], found["events"]) == (40, patients.event[test].sum())
    # quarters of a year and 64 risk bins move it a little
    assert found["concordance"]["value"] == pytest.approx(exact.estimate.value, abs=0.02)
    parts = [test[patients.site[test] == name] for name in ("a", "b")]
    pairs = [concordance(risk[p], time=patients.time[p], event=patients.event[p]) for p in parts]
    within = sum(p.concordant for p in pairs) / sum(p.comparable for p in pairs)
    assert found["within_sites"]["value"] == pytest.approx(within)


def test_risk_bins_are_those_of_training_patients(features, patients):
    risk = fitted(features, patients, 0.1)
    strange = risk.copy()
    strange[patients.rows("validation")] = 1e6
    assert judge(strange, patients, CONFIG) == judge(risk, patients, CONFIG)


def test_scaling_is_of_known_training_patients_and_the_unknown_are_0():
    # training rows 0 and 1 have mean 2 and SD 1; row 3 is not known
    values = np.array([[1.0], [3.0], [6.0], [99.0]])
    known = np.array([True, True, True, False])
    found = standardised(values, np.array([0, 1, 3]), known)
    np.testing.assert_allclose(found[:, 0], [-1.0, 1.0, 4.0, 0.0])


def test_age_is_one_more_column_and_other_omics_follow_the_settings(cohorts):
    plain = judge_ridge("ridge", cohorts, CONFIG)
    with_age = judge_ridge("ridge+age", cohorts, CONFIG)
    assert with_age["parameters"] == plain["parameters"] + 1
    slides = replace(CONFIG, data=replace(CONFIG.data, omics="none-of-them"))
    fewer = judge_ridge("ridge", cohorts, slides)
    assert fewer["parameters"] == plain["parameters"] - len(cohorts[0].tables["rna"].genes)
    assert plain["patients"] == len(cohorts[2].patients)


def test_a_wide_table_goes_in_as_components(cohorts, monkeypatch):
    genes = len(cohorts[0].tables["rna"].genes)
    monkeypatch.setattr(ridge, "WIDE", genes + 1)
    whole = judge_ridge("ridge", cohorts, CONFIG)
    monkeypatch.setattr(ridge, "WIDE", genes)
    wide = judge_ridge("ridge", cohorts, CONFIG)
    assert whole["parameters"] - wide["parameters"] == genes - ridge.OMICS_COMPONENTS


def test_test_patients_do_not_move_what_the_model_learns_from(cohorts, monkeypatch):
    seen = []

    def watch(features, patients):
        seen.append(features[patients.split != "test"])
        return 1.0, features[:, 0], 0.5

    monkeypatch.setattr(ridge, "choose_penalty", watch)
    rna = replace(cohorts[2].tables["rna"], values=cohorts[2].tables["rna"].values * 3.0)
    clinical = cohorts[2].clinical.assign(age="900")
    changed = replace(cohorts[2], tables={"rna": rna}, clinical=clinical, slides=((),) * 24)
    judge_ridge("ridge+age", cohorts, CONFIG)
    judge_ridge("ridge+age", [*cohorts[:2], changed], CONFIG)
    np.testing.assert_array_equal(*seen)


def test_no_event_to_train_on_is_an_error(cohorts):
    eventless = [replace(one, event=np.zeros(len(one.event), bool)) for one in cohorts]
    with pytest.raises(ConfigError, match="ridge must have an event to train on, got none"):
        judge_ridge("ridge", eventless, CONFIG)
