"""Three hospitals that predict a grade: from labels in their tables to counts, report and files."""

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from client.predict import predict
from client.settings import Settings, site_folders
from client.site import NO_LABEL, forget_sites, open_patients, open_site
from fusion.classes.counts import count_classes, no_patients
from fusion.classes.figures import mean_auc
from fusion.errors import ConfigError, FederationError, SiteError
from fusion.survival.bins import RiskGrid
from fusion.training.evaluation import scores
from fusion.training.finished import read_finished
from fusion.training.plan import build_network, load_weights
from server.report.page import render
from server.schema import validate
from server.summary import summarise

CLASSES = ("low", "middle", "high")
RUN = {
    "objective.name": "classification", "objective.label": "grade",
    "objective.classes": ",".join(CLASSES), "training.lr": 0.05, "training.local-steps": 5,
    "model.dropout": 0.0, "model.input-dropout": 0.0,
}  # fmt: skip


def write_grades(sites: Path) -> None:
    """Grade each patient by the genes' first columns; one of each hospital is not graded."""
    for site in sorted(sites.iterdir()):
        clinical = pd.read_csv(site / "clinical.csv", dtype=str)
        genes = pd.read_parquet(site / "rna.parquet").set_index("patient")
        carried = genes.iloc[:, :8].mean(axis=1).reindex(clinical["patient"].unique()).fillna(0.0)
        cut = pd.qcut(carried + 1e-9 * np.arange(24), [0, 0.25, 0.625, 1], labels=["1", "2", "3"])
        grade = dict(zip(carried.index, cut.astype(str), strict=True))
        grade[carried.index[0]] = ""
        clinical["who"] = clinical["patient"].map(grade)
        clinical.to_csv(site / "clinical.csv", index=False)
        with (site / "site.toml").open("a") as file:
            file.write('\n[labels.grade]\ncolumn = "who"\n[labels.grade.classes]\n')
            file.write('low = ["1"]\nmiddle = [2]\nhigh = ["3.0"]\n')


def under_model_of(run):
    """Return what gives each site's logits and true classes under the run's finished model."""
    finished = read_finished(run.folder / "model.safetensors")
    network = build_network(finished.plan, finished.run)
    load_weights(network, finished.arrays)

    def found(sites, split):
        try:
            for folder in site_folders(sites):
                settings = Settings(folder, replace(run.config, sites=str(sites)), 0)
                data = open_patients(settings, finished.plan.to_text())
                rows = open_site(settings).rows(split)
                yield scores(network, data, rows), data.label[rows].numpy()
        finally:
            forget_sites()

    return found


@pytest.fixture(scope="module")
def graded(hospitals, tmp_path_factory):
    folder = Path(shutil.copytree(hospitals, tmp_path_factory.mktemp("graded") / "sites"))
    write_grades(folder)
    return folder


@pytest.fixture
def own_graded(graded, tmp_path):
    return Path(shutil.copytree(graded, tmp_path / "sites"))


@pytest.fixture(scope="module")
def run(tiny, lead, graded):
    return lead(tiny({**RUN, "rounds": 3, "audit.every": 2}, sites=graded))


def test_the_result_is_one_of_classes(run):
    validate(run.result)
    found = run.result["evaluation"]
    assert (found["label"], found["classes"]) == ("grade", list(CLASSES))
    tested = sum(site["patients"]["test"] for site in run.result["sites"])
    assert found["pooled"]["patients"] == np.sum(found["pooled"]["confusion"]) == tested
    assert [one["name"] for one in found["pooled"]["classes"]] == list(CLASSES)


def test_training_patients_are_told_apart(run, graded):
    grid = RiskGrid(0.0, 1.0, 64)
    found = no_patients(3, grid)
    for logits, label in under_model_of(run)(graded, "train"):
        found = found + count_classes(logits, label, grid)
    assert mean_auc(found).value > 0.8


def test_patients_without_the_label_take_no_part_and_are_counted(run):
    for site in run.result["sites"]:
        assert site["unlabelled"] == 1
        assert site["patients"]["total"] == 23
        assert sum(one["total"] for one in site["classes"].values()) == 23


def test_nothing_of_survival_leaves_the_sites(run):
    sent = {name for one in run.exchanges for name in one.reply.content["sums"]}
    assert not sent & {"events", "outcome-histogram", "outcome-counts", "baseline"}
    assert {"labels", "unlabelled", "class-counts"} <= sent


def test_the_federations_counts_are_those_of_all_patients_together(run, graded):
    grid = RiskGrid(0.0, 1.0, 8)
    pooled = no_patients(3, grid)
    for logits, label in under_model_of(run)(graded, "test"):
        pooled = pooled + count_classes(logits, label, grid)
    assert run.result["evaluation"]["pooled"]["confusion"] == pooled.confusion.tolist()


def test_each_split_has_every_class_in_proportion(graded, tiny):
    settings = Settings(graded / "lyon", tiny(RUN, sites=graded), 0)
    try:
        site = open_site(settings)
    finally:
        forget_sites()
    assert (site.split == NO_LABEL).sum() == 1
    for split in ("train", "validation", "test"):
        here = site.split == split
        for word in CLASSES:
            own = site.label.words == word
            assert abs((own & here).sum() - own.sum() * here.sum() / 23) <= 1


def test_the_audit_is_of_the_predicted_classs_logit(run):
    audit = run.result["audit"]
    assert audit["shares"]["local"]["value"] is not None
    assert audit["concordance"]["comparable_pairs"] == 0
    assert any(record["audit"] for record in run.result["rounds"])


def test_page_and_console_tell_of_classes(run):
    page, told = render(run.result), summarise(run.result)
    for text in ("Model of grade", "What is taken for what", "as middle", "Without the label"):
        assert text in page
    assert "Kaplan" not in page
    assert "log-hazard" not in page
    assert "AUC, mean of classes" in told
    assert "balanced accuracy" in told


def test_a_finished_model_gives_probabilities_at_a_site(run, graded):
    found = predict(graded / "lyon", run.folder / "model.safetensors")
    columns = [f"probability_{name}" for name in CLASSES]
    assert found.table.columns.tolist() == ["patient", "class", *columns, "missing"]
    np.testing.assert_allclose(found.table[columns].sum(axis=1), 1.0)
    chosen = found.table[columns].to_numpy().argmax(axis=1)
    assert found.table["class"].tolist() == [CLASSES[place] for place in chosen]
    assert "as frequent" in found.warnings[-1]


def test_an_interrupted_run_goes_on_to_the_same_bits(tiny, lead, graded, run, watching):
    config = tiny({**RUN, "rounds": 3, "audit.every": 2}, sites=graded)

    def stop(exchange):
        if exchange.round == 3:
            raise KeyboardInterrupt
        return

    with pytest.raises(KeyboardInterrupt):
        lead(config, watching(stop))
    resumed = lead(replace(config, resume=True))
    assert resumed.model == run.model


def test_classes_need_not_be_named(tiny, lead, graded):
    found = lead(tiny({**RUN, "objective.classes": "", "rounds": 1}, sites=graded))
    assert found.result["evaluation"]["classes"] == ["high", "low", "middle"]


def test_a_clinical_column_is_a_label_without_a_section(tiny, lead, graded):
    changes = {**RUN, "objective.label": "who", "objective.classes": "1,3", "rounds": 1}
    found = lead(tiny(changes, sites=graded))
    # of 24 either 9 in the middle, and one that nobody graded, or 8 and one
    assert {site["unlabelled"] for site in found.result["sites"]} <= {9, 10}
    assert found.result["evaluation"]["classes"] == ["1", "3"]


def test_a_site_without_the_label_is_told_and_left_out(tiny, lead, own_graded):
    toml = own_graded / "lyon" / "site.toml"
    toml.write_text(toml.read_text().partition("[labels.grade]")[0])
    found = lead(tiny({**RUN, "rounds": 1}, sites=own_graded))
    assert len(found.result["sites"]) == 2
    assert any("lyon" not in text and "has no label 'grade'" in text
               for text in found.result["not_measured"])  # fmt: skip


def test_the_site_itself_is_told_which_columns_there_are(tiny, own_graded):
    settings = Settings(own_graded / "lyon", tiny({**RUN, "objective.label": "wo"}), 0)
    with pytest.raises(SiteError, match=r"neither at site 'lyon'. Did you mean 'who'"):
        open_site(settings)
    forget_sites()


def test_a_class_that_no_site_has_is_refused(tiny, lead, graded):
    changes = {**RUN, "objective.classes": "low,high,hgih"}
    with pytest.raises(ConfigError, match=r"of, got 'hgih'. Did you mean 'high'"):
        lead(tiny(changes, sites=graded))


def test_one_class_alone_is_refused(tiny, lead, own_graded):
    for site in own_graded.iterdir():
        clinical = pd.read_csv(site / "clinical.csv", dtype=str)
        clinical.assign(who="3").to_csv(site / "clinical.csv", index=False)
    with pytest.raises(FederationError, match=r"two or more classes in the federation, got 1"):
        lead(tiny({**RUN, "objective.classes": ""}, sites=own_graded))


def test_record_level_privacy_trains_on_cross_entropy(
    tiny, lead, own_graded, private, write_policy
):
    for site in own_graded.iterdir():
        write_policy(site, exact=("counts", "test"))
    changes = private | RUN | {"objective.cuts": ""}
    found = lead(tiny(changes, sites=own_graded)).result
    assert not found["model"]["couples_patients"]
    assert found["privacy"]["differential_privacy"]
    assert all(3.9 < site["run_epsilon"] <= 4.0 for site in found["privacy"]["sites"])
    assert found["evaluation"]["pooled"]["patients"] > 0


def test_a_private_run_whose_sites_keep_their_counts_needs_no_class_weights(
    tiny, lead, own_graded, private, write_policy
):
    for site in own_graded.iterdir():
        write_policy(site)
    changes = private | RUN | {"objective.cuts": "", "rounds": 1}
    with pytest.raises(ConfigError, match="class-weights must be none where the sites do"):
        lead(tiny(changes, sites=own_graded))
    found = lead(tiny({**changes, "objective.class-weights": "none"}, sites=own_graded)).result
    assert {site["unlabelled"] for site in found["sites"]} == {0}
    assert found["evaluation"]["pooled"]["auc"]["value"] is None


def test_a_policy_with_noise_on_sums_over_time_refuses_classes(
    tiny, lead, own_graded, private, write_policy
):
    for site in own_graded.iterdir():
        write_policy(site, exact=("counts",), noised={"test": "gaussian:4"})
    changes = private | RUN | {"objective.cuts": ""}
    with pytest.raises(FederationError, match="must be of an objective of survival, got test in"):
        lead(tiny(changes, sites=own_graded))


def test_the_audit_of_the_predicted_class_may_leave_with_noise(
    tiny, lead, own_graded, private, write_policy
):
    for site in own_graded.iterdir():
        noised = {"audit": "gaussian:1.5"}
        write_policy(site, epsilon=6.0, exact=("counts", "test"), noised=noised)
    changes = private | RUN | {"objective.cuts": "", "audit.background": "zero"}
    found = lead(tiny(changes, sites=own_graded)).result
    validate(found)
    assert found["audit"]["noised"]
