import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from fusion.config import from_flat
from fusion.errors import ConfigError, SiteError
from simulations import ridge, study
from simulations.cross_validation import Design, cross_validate
from simulations.processes import Done
from simulations.study import Options
from simulations.trials import Plan

QUICK = {
    "rounds": 2, "training.local-steps": 3, "model.width": 4, "model.hidden": 8,
    "federation.wait-seconds": 0, "federation.strategy": "fedadam", "split.validation": 0.25,
}  # fmt: skip
MODELS, SETTINGS = ("linear", "ridge", "ridge+age"), ("federated", "pooled", "local")


def here(tasks, work, *, jobs, prepare):  # noqa: ARG001
    """Do the tasks in this process, which starts none."""
    for task in tasks:
        prepare(task)
        work(task)
        yield Done(task, None)


@pytest.fixture
def in_this_process(monkeypatch):
    monkeypatch.setattr(study, "do_all", here)
    monkeypatch.setattr(ridge, "PENALTIES", (0.1, 1.0))


def plan(out, **changes):
    given = {"models": MODELS, "settings": SETTINGS, "base": from_flat(QUICK), "out": out}
    return Plan(**(given | changes))


@pytest.fixture(scope="module")
def found(cohort, tmp_path_factory):
    """Both protocols into one folder, everything kept; look, do not touch."""
    out = tmp_path_factory.mktemp("cross-validation") / "out"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(study, "do_all", here)
        patch.setattr(ridge, "PENALTIES", (0.1, 1.0))
        for protocol in ("random", "hospital"):
            design = Design(cohort, protocol, folds=2, min_patients=10)
            kept = plan(out / protocol)
            cross_validate(design, kept, Options(keep_sites=True))
    return out


@pytest.fixture(params=["random", "hospital"])
def protocol(request, found):
    return found / request.param


def results(folder):
    return {
        path.parent.relative_to(folder / "runs"): json.loads(path.read_text())
        for path in sorted(folder.glob("runs/**/result.json"))
    }


def test_every_patient_is_tested_once(protocol, cohort):
    folds = pd.read_csv(protocol / "folds.csv")
    tested = folds[folds["split"] == "test"]["patient"]
    everyone = pd.read_csv(cohort / "clinical.csv")["patient"].drop_duplicates()
    assert sorted(tested) == sorted(everyone)
    for _, fold in folds.groupby("fold"):
        assert fold["patient"].is_unique
        assert set(fold["split"]) == {"train", "validation", "test"}


def test_no_hospital_trains_and_tests(found):
    folds = pd.read_csv(found / "hospital" / "folds.csv")
    for _, fold in folds.groupby("fold"):
        tested = set(fold[fold["split"] == "test"]["hospital"])
        assert not tested & set(fold[fold["split"] != "test"]["hospital"])


def test_every_model_and_setting_meets_the_same_test_patients(protocol):
    runs = pd.read_csv(protocol / "runs.csv")
    assert len(runs) == 2 * (3 + 2)
    folds = pd.read_csv(protocol / "folds.csv")
    for number, rows in runs.groupby("fold"):
        tested = folds[(folds["fold"] == number) & (folds["split"] == "test")]
        assert set(rows["test"]) == {len(tested)}
        assert rows["test_events"].nunique() == 1
    hashes = {}
    for place, result in results(protocol).items():
        if "sites" in result:
            tests = {s["name"]: s["data_hash"] for s in result["sites"] if s["role"] != "train"}
            assert hashes.setdefault(place.parts[0], tests) == tests


def test_pooled_trains_on_the_patients_of_the_federation(protocol):
    told = results(protocol)
    for place, federated in told.items():
        if "federated" in place.parts:
            pooled = told[place.parent.parent / "pooled" / place.name]
            for split in ("train", "validation"):
                sums = [
                    sum(site["patients"][split] for site in result["sites"])
                    for result in (federated, pooled)
                ]
                assert sums[0] == sums[1] > 0


def test_all_settings_take_the_same_steps_and_one_site_is_trained_plainly(protocol):
    runs = pd.read_csv(protocol / "runs.csv").query("model == 'linear'")
    assert set(runs["steps"]) == {2 * 3}
    for place, result in results(protocol).items():
        if "sites" in result:
            told = result["config"]
            assert told["rounds"] * told["training.local-steps"] == 6
            plain = "federated" not in place.parts
            assert told["federation.strategy"] == ("fedavg" if plain else "fedadam")


def test_the_local_figure_is_the_mean_over_sites_weighted_by_training_patients(protocol):
    alone = pd.read_csv(protocol / "local.csv").query("fold == 1")
    row = pd.read_csv(protocol / "runs.csv").query("fold == 1 and setting == 'local'").iloc[0]
    expected = np.average(alone["concordance"], weights=alone["train"])
    assert row["concordance"] == pytest.approx(expected)
    assert row["sites_alone"] == len(alone)
    assert np.isnan(row["low"])


def test_a_site_alone_is_also_judged_on_its_own_hospital(found):
    alone = pd.read_csv(found / "random" / "local.csv")
    assert alone["own_concordance"].notna().all()
    assert pd.read_csv(found / "hospital" / "local.csv")["own_concordance"].isna().all()


def test_results_are_kept_and_models_and_reports_are_not(protocol):
    kept = {path.name for path in (protocol / "runs").rglob("*") if path.is_file()}
    assert kept == {"result.json"}


def test_the_tables_name_the_baseline_and_the_statistic(protocol):
    means = pd.read_csv(protocol / "means.csv").set_index(["model", "setting"]).sort_index()
    assert np.isnan(means.loc[("linear", "federated"), "concordance_difference"])
    runs = pd.read_csv(protocol / "runs.csv").set_index(["model", "setting", "fold"])
    concordance = runs["concordance"].sort_index()
    expected = (concordance["ridge", "pooled"] - concordance["linear", "federated"]).mean()
    assert means.loc[("ridge", "pooled"), "concordance_difference"] == pytest.approx(expected)
    text = (protocol / "table.md").read_text()
    assert "to linear:federated" in text
    assert "Nadeau and Bengio" in text


def test_every_run_tells_its_whole_audit_with_errors(protocol):
    runs = pd.read_csv(protocol / "runs.csv").set_index(["setting", "model", "fold"])
    number = runs.index.get_level_values("fold")[0]
    told = results(protocol)[Path(f"{protocol.name}-1-{number}/federated/linear")]["audit"]
    row = runs.loc["federated", "linear", number]
    for name in ("local", "ratio", "global", "published", "moebius"):
        for part in ("interaction", "slides", "omics"):
            assert row[f"{name}.{part}"] == pytest.approx(told["shares"][name][part], abs=1e-12)
    errors = told["concordance"]["standard_errors"]
    assert row["concordance.additive.se"] == pytest.approx(errors["additive"])
    assert row["local.interaction"] == row["interaction"]


def test_the_audit_s_means_have_their_spread_over_folds(protocol):
    runs = pd.read_csv(protocol / "runs.csv").query("model == 'linear' and setting == 'federated'")
    row = pd.read_csv(protocol / "means.csv").query("model == 'linear' and setting == 'federated'")
    ratio = (runs["test"] / runs["others"]).mean()
    for name in ("local.slides", "variance.r2_additive", "concordance.additive", "concordance"):
        mean, sd = runs[name].mean(), runs[name].std()
        # two folds: Student's t with one degree of freedom, 12.706
        reach = 12.7062 * sd * (1 / 2 + ratio) ** 0.5
        found = row[[name, f"{name}_sd", f"{name}_low", f"{name}_high"]].iloc[0]
        assert list(found) == pytest.approx([mean, sd, mean - reach, mean + reach], abs=1e-5)
    text = (protocol / "table.md").read_text()
    assert "| concordance.additive | concordance.gain |" in text
    assert (text.count("| ridge | pooled |"), text.count("| linear | pooled |")) == (1, 2)


def test_local_shares_are_means_over_sites_without_an_error(protocol):
    alone = pd.read_csv(protocol / "local.csv").query("fold == 1")
    row = pd.read_csv(protocol / "runs.csv").query("fold == 1 and setting == 'local'").iloc[0]
    expected = np.average(alone["local.slides"], weights=alone["train"])
    assert row["local.slides"] == pytest.approx(expected)
    assert np.isnan(row["local.slides.se"])


def test_age_reaches_the_ridge_model_that_is_named_for_it(protocol):
    runs = pd.read_csv(protocol / "runs.csv").set_index(["fold", "model"])["parameters"]
    assert (runs[:, "ridge+age"] == runs[:, "ridge"] + 1).all()


def test_only_what_is_missing_is_done_again(found, cohort, tmp_path, monkeypatch):
    out = shutil.copytree(found / "random", tmp_path / "out")
    missing = out / "runs/random-1-2/pooled/linear/result.json"
    missing.unlink()
    (out / "runs/random-1-1/local/linear/.lyon.partial").mkdir()
    again = []

    def watched(tasks, work, **rest):
        again.extend(tasks)
        yield from here(tasks, work, **rest)

    monkeypatch.setattr(study, "do_all", watched)
    before = pd.read_csv(out / "runs.csv").drop(columns="seconds")
    cross_validate(Design(cohort, folds=2, min_patients=10), plan(out), Options())
    assert [(task.fold, task.setting, task.model) for task in again] == [(2, "pooled", "linear")]
    pd.testing.assert_frame_equal(pd.read_csv(out / "runs.csv").drop(columns="seconds"), before)


@pytest.mark.usefixtures("in_this_process")
def test_other_settings_in_the_same_folder_are_refused(found, cohort):
    design = Design(cohort, folds=2, min_patients=10)
    other = plan(found / "random", base=from_flat({**QUICK, "training.lr": 0.1}))
    with pytest.raises(ConfigError, match=r"the same settings, got .* with training.lr = 0.0005"):
        cross_validate(design, other, Options())
    with pytest.raises(ConfigError, match=r"the same settings, got .* with folds = 2 instead of 3"):
        cross_validate(replace(design, folds=3), plan(found / "random"), Options())


def test_a_setting_that_did_not_exist_then_counts_as_its_default(tmp_path):
    study.keep_settings(plan(tmp_path), {"data": "a hash"})
    told = json.loads((tmp_path / "settings.json").read_text())
    del told["training.lr"]
    (tmp_path / "settings.json").write_text(json.dumps(told))
    study.keep_settings(plan(tmp_path), {"data": "a hash"})
    other = from_flat({**QUICK, "training.lr": 0.1})
    with pytest.raises(ConfigError, match=r"with training.lr = 0.0005 instead of 0.1"):
        study.keep_settings(plan(tmp_path, base=other), {"data": "a hash"})


def test_another_grid_or_ensemble_in_the_same_folder_is_refused(tmp_path):
    study.keep_settings(plan(tmp_path), {})
    with pytest.raises(ConfigError, match=r"with grid training.lr = None instead of 0.1,0.2"):
        study.keep_settings(plan(tmp_path, grid={"training.lr": ("0.1", "0.2")}), {})
    with pytest.raises(ConfigError, match=r"with ensemble = None instead of 3"):
        study.keep_settings(plan(tmp_path, members=3), {})


@pytest.mark.usefixtures("in_this_process")
def test_a_folder_in_use_is_refused(cohort, tmp_path):
    chosen = plan(tmp_path / "out")
    with (
        study.held(chosen.out),
        pytest.raises(ConfigError, match="which another process writes into"),
    ):
        cross_validate(Design(cohort, folds=2), chosen, Options())


@pytest.mark.usefixtures("in_this_process")
def test_patients_without_slides_can_be_left_out(cohort, tmp_path):
    design = Design(cohort, folds=2, min_patients=10, patients="slides")
    cross_validate(design, plan(tmp_path / "out", models=("ridge",)), Options())
    folds = pd.read_csv(tmp_path / "out" / "folds.csv")
    clinical = pd.read_csv(cohort / "clinical.csv")
    with_slides = clinical[clinical["slide"].notna()]["patient"].unique()
    assert sorted(folds["patient"].unique()) == sorted(with_slides)
    assert not (tmp_path / "out" / "sites" / "random-1-1").exists()


def folds_file(path, cohort, change=lambda table: table):
    patients = pd.read_csv(cohort / "clinical.csv")["patient"].drop_duplicates()
    table = pd.DataFrame({"patient": patients, "fold": np.arange(len(patients)) % 3})
    change(table.astype({"fold": object})).to_csv(path, index=False)
    return path


@pytest.mark.usefixtures("in_this_process")
def test_both_protocols_stand_in_one_table(cohort, tmp_path):
    design = Design(cohort, "random,hospital", folds=2, repeats=2, min_patients=10)
    done = cross_validate(design, plan(tmp_path / "out", models=("ridge",)), Options())
    runs = pd.read_csv(tmp_path / "out" / "runs.csv")
    assert runs.groupby("protocol").size().to_dict() == {"random": 4, "hospital": 4}
    assert runs.groupby("repeat")["seed"].unique().str[0].to_dict() == {1: 1, 2: 2}
    assert done.standings.means["protocol"].tolist() == ["random", "hospital"]


@pytest.mark.usefixtures("in_this_process")
def test_folds_of_a_file_are_used_and_an_empty_one_never_tests(cohort, tmp_path):
    def never(table):
        table.loc[table["fold"] == 2, "fold"] = ""
        return table

    file = folds_file(tmp_path / "folds.csv", cohort, never)
    design = Design(cohort, min_patients=10, folds_file=file)
    cross_validate(design, plan(tmp_path / "out", models=("ridge",)), Options())
    folds = pd.read_csv(tmp_path / "out" / "folds.csv")
    tested = folds[folds["split"] == "test"].set_index("patient")["fold"]
    published = pd.read_csv(file).set_index("patient")["fold"].dropna()
    assert (tested - 1).to_dict() == published.to_dict()
    assert set(folds["protocol"]) == {"file"}
    folds_file(file, cohort)
    with pytest.raises(ConfigError, match=r"the same settings, got .* with folds_file = "):
        cross_validate(design, plan(tmp_path / "out", models=("ridge",)), Options())


@pytest.mark.parametrize(
    ("change", "match"),
    [
        (lambda t: t.iloc[2:], r"each patient of the cohort, got no row for bergen-0000, b"),
        (lambda t: pd.concat([t, t.iloc[:1]]), r"got several rows for bergen-0000. Mend"),
        (lambda t: t.rename(columns={"fold": "part"}), "must have a column `fold`, got none"),
        (
            lambda t: pd.concat([t, t.iloc[:1].assign(patient="nobody")]),
            "got a row, though nobody is called so, for nobody",
        ),
    ],
)
def test_a_file_of_folds_that_does_not_fit_is_an_error(cohort, tmp_path, change, match):
    file = folds_file(tmp_path / "folds.csv", cohort, change)
    with pytest.raises(ConfigError, match=match):
        cross_validate(Design(cohort, folds_file=file), plan(tmp_path / "out"), Options())


@pytest.mark.parametrize(
    ("changes", "match"),
    [
        ({"protocol": "hospitals"}, "--protocol must be random or hospital, got 'hospitals'. Did"),
        ({"small": "pol"}, "--small must be pool or drop"),
        ({"patients": "slide"}, "--patients must be all or slides, got 'slide'. Did you mean"),
        ({"folds": 1}, "--folds must be >= 2, got 1"),
        ({"repeats": 0}, "--repeats must be >= 1, got 0"),
        ({"min_patients": 1}, "--min-patients must be >= 2, got 1"),
        ({"min_patients": 500, "small": "drop"}, "must leave somebody, got nobody of 72"),
        ({"by": "sit"}, "--by must be hospital, a clinical column, or"),
        ({"protocol": "hospital", "folds": 9}, "at most the number of hospitals, got 9 folds of 3"),
    ],
)
def test_a_design_that_does_not_fit_is_an_error(cohort, tmp_path, changes, match):
    with pytest.raises(ConfigError, match=match):
        cross_validate(Design(cohort, **changes), plan(tmp_path / "out"), Options())
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("changes", "match"),
    [
        ({"models": ("gatd",)}, "--models must be of .* got 'gatd'. Did you mean 'gated'"),
        ({"settings": ("pool",)}, "--settings must be of federated, pooled, local, got 'pool'"),
        ({"models": ()}, "--models must name at least one, got none"),
        ({"members": 0}, "--ensemble must be >= 1, got 0"),
        (
            {"base": from_flat({"split.validation": 0.7, "split.test": 0.0})},
            "split.validation must leave patients to train on, got 0.7",
        ),
    ],
)
def test_a_plan_that_does_not_fit_is_an_error(cohort, tmp_path, changes, match):
    with pytest.raises(ConfigError, match=match):
        cross_validate(Design(cohort, folds=2), plan(tmp_path / "out", **changes), Options())


def test_a_baseline_that_is_not_there_is_an_error(cohort, tmp_path):
    options = Options(against="ridge:federated")
    with pytest.raises(ConfigError, match="--against must be MODEL:SETTING of this comparison"):
        cross_validate(Design(cohort, folds=2), plan(tmp_path / "out"), options)


def test_a_missing_cohort_is_an_error(tmp_path):
    with pytest.raises(SiteError, match="Cohort folder must exist"):
        cross_validate(Design(tmp_path / "no"), plan(tmp_path / "out"), Options())
