"""Comparisons whose runs predict classes."""

import json

import numpy as np
import pandas as pd
import pytest

from fusion.config import from_flat
from fusion.errors import ConfigError, SiteError
from simulations import study
from simulations.cross_validation import Design, cross_validate
from simulations.label_file import label_lines, read_label_file
from simulations.processes import Done
from simulations.study import Options
from simulations.trials import Plan

QUICK = {
    "rounds": 1, "training.local-steps": 1, "model.width": 4, "model.hidden": 8,
    "split.validation": 0.25, "objective.name": "classification", "objective.label": "grade",
}  # fmt: skip
LABELS = """
[labels.grade]
column = "who"
[labels.grade.classes]
low = ["1", "2"]
high = ["3"]
"""


def here(tasks, work, *, jobs, prepare):  # noqa: ARG001
    """Do the tasks in this process, which starts none."""
    for task in tasks:
        prepare(task)
        work(task)
        yield Done(task, None)


def plan(out, **changes):
    given = {"models": ("linear",), "settings": ("federated", "pooled"), "base": from_flat(QUICK)}
    return Plan(**(given | {"out": out} | changes))


@pytest.fixture(scope="module")
def graded(cohort, tmp_path_factory):
    """The cohort with a column `who`; the first patient of each four has no grade."""
    folder = tmp_path_factory.mktemp("graded") / "cohort"
    folder.mkdir()
    for path in cohort.iterdir():
        if path.name != "clinical.csv":
            (folder / path.name).symlink_to(path)
    clinical = pd.read_csv(cohort / "clinical.csv", dtype=str)
    places = clinical["patient"].factorize()[0]
    clinical["who"] = np.array(["", "1", "2", "3"])[places % 4]
    clinical.to_csv(folder / "clinical.csv", index=False)
    (folder.parent / "labels.toml").write_text(LABELS, encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def found(graded, tmp_path_factory):
    out = tmp_path_factory.mktemp("classes") / "out"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(study, "do_all", here)
        design = Design(graded, folds=2, min_patients=10, labels=graded.parent / "labels.toml")
        cross_validate(design, plan(out), Options())
    return out


def test_every_patient_with_the_label_is_tested_once(found, graded):
    folds = pd.read_csv(found / "folds.csv", dtype=str)
    tested = folds[folds["split"] == "test"]["patient"]
    clinical = pd.read_csv(graded / "clinical.csv", dtype=str)
    wanted = clinical.dropna(subset="who")["patient"].drop_duplicates()
    assert sorted(tested) == sorted(wanted)


def test_federated_and_pooled_runs_tell_figures_of_classes(found):
    runs = pd.read_csv(found / "runs.csv")
    assert runs["setting"].tolist() == ["federated", "pooled"] * 2
    assert runs[["concordance", "balanced_accuracy", "macro_f1", "accuracy"]].notna().all(axis=None)
    for path in found.glob("runs/**/result.json"):
        assert json.loads(path.read_text())["evaluation"]["classes"] == ["high", "low"]


def test_folds_hold_the_classes_in_proportion(found, graded):
    who = pd.read_csv(graded / "clinical.csv", dtype=str).drop_duplicates("patient")
    graded_as = who.set_index("patient")["who"]
    folds = pd.read_csv(found / "folds.csv", dtype=str)
    tested = folds[folds["split"] == "test"]
    high = [(graded_as[fold["patient"]] == "3").sum() for _, fold in tested.groupby("fold")]
    assert abs(high[0] - high[1]) <= 1


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"models": ("ridge",)}, "--models must be networks for objective 'classification'"),
        ({"members": 2}, "--ensemble must be 1 for objective 'classification'"),
    ],
)
def test_what_knows_survival_alone_is_refused(graded, tmp_path, changes, message):
    with pytest.raises(ConfigError, match=message):
        cross_validate(Design(graded), plan(tmp_path / "out", **changes), Options())


def test_a_cohort_without_the_label_is_refused(graded, tmp_path):
    with pytest.raises(SiteError, match="Label 'grade' must be a clinical column or a section"):
        cross_validate(Design(graded, folds=2), plan(tmp_path / "out"), Options())


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[labels", "--labels must be a TOML file"),
        ("[label.grade]", "--labels must hold sections"),
    ],
)
def test_a_file_without_labels_is_refused(tmp_path, text, message):
    path = tmp_path / "labels.toml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError, match=message):
        read_label_file(path)


def test_labels_are_written_as_they_are_read(tmp_path):
    path = tmp_path / "labels.toml"
    path.write_text(LABELS, encoding="utf-8")
    labels = read_label_file(path)
    path.write_text("\n".join(label_lines(labels)), encoding="utf-8")
    assert read_label_file(path) == labels
