import json
import shutil

import h5py
import numpy as np
import pandas as pd
import pytest

from simulations.assignments import ASSIGNMENTS
from simulations.cli import main

QUICK = [
    "rounds=1", "training.local-steps=1", "model.width=4", "model.hidden=8", "model.rank=2",
    "split.validation=0.25", "split.test=0.25", "federation.wait-seconds=0",
]  # fmt: skip
SETTINGS = [word for pair in QUICK for word in ("--set", pair)]


@pytest.fixture
def spoil(own_hospitals):
    """The folders of three hospitals, one of them spoilt."""

    def spoil(kind):
        SPOILT[kind](own_hospitals / "lyon")
        return own_hospitals

    return spoil


def clinical(change):
    def spoilt(site):
        table = pd.read_csv(site / "clinical.csv")
        change(table).to_csv(site / "clinical.csv", index=False)

    return spoilt


def cell(column, value):
    def change(table):
        table[column] = table[column].astype(object)
        table.loc[table.index[0], column] = value
        return table

    return change


def bag(site):
    return sorted((site / "patch_features").iterdir())[0]


def rewrite_bag(values):
    def spoilt(site):
        path = bag(site)
        path.unlink()
        with h5py.File(path, "w") as file:
            file["features"] = values

    return spoilt


def truncate(site):
    path = bag(site)
    path.write_bytes(path.read_bytes()[:-200])


def toml(old, new):
    def spoilt(site):
        path = site / "site.toml"
        path.write_text(path.read_text().replace(old, new))

    return spoilt


def genes(site):
    table = pd.read_parquet(site / "rna.parquet")
    table.columns = ["patient", *(f"X{place}" for place in range(len(table.columns) - 1))]
    table.to_parquet(site / "rna.parquet", index=False)


SPOILT = {
    "missing-file": lambda site: (site / "clinical.csv").unlink(),
    "slide-without-features": lambda site: bag(site).unlink(),
    "wrong-width": rewrite_bag(np.zeros((3, 7))),
    "nan": rewrite_bag(np.full((3, 24), np.nan)),
    "truncated": truncate,
    "duplicate": clinical(lambda t: pd.concat([t, t.iloc[:1].assign(time_days=1, event=0)])),
    "negative-time": clinical(cell("time_days", -5)),
    "zero-time-event": clinical(lambda t: t.assign(time_days=0, event=1)),
    "status": clinical(cell("event", 2)),
    "lone-patient": clinical(lambda t: t.iloc[:1]),
    "unknown-key": toml("role =", "roll ="),
    "other-encoder": toml("synthetic-24", "other-24"),
    "other-genes": genes,
    "same-name": toml('name = "lyon"', 'name = "porto"'),
}


@pytest.mark.parametrize("kind", SPOILT)
def test_bad_input_is_a_sentence_and_exit_code_2_and_nothing_is_written(
    spoil, kind, tmp_path, capsys
):
    out = tmp_path / "run"
    code = main(["run", "--sites", str(spoil(kind)), "--out", str(out), *SETTINGS])
    told = capsys.readouterr()
    assert code == 2
    assert "error: " in told.err
    assert "Traceback" not in told.err
    assert told.out == ""
    assert not out.exists()


def test_no_events_anywhere_is_a_sentence(own_hospitals, tmp_path, capsys):
    for site in own_hospitals.iterdir():
        clinical(lambda table: table.assign(event=0))(site)
    words = ["run", "--sites", str(own_hospitals), "--out", str(tmp_path / "run"), *SETTINGS]
    assert main(words) == 2
    assert "at least one event to train on, got 0" in capsys.readouterr().err
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--set", "training.learning=1"], "Setting must be a known key"),
        (["--set", "trainin.lr=1"], "Did you mean 'training.lr'?"),
        (["--model", "gatd"], "Did you mean 'gated'?"),
        (["--set", "objective.name=coxx"], "Did you mean 'cox'?"),
        (["--set", "federation.strategy=fedsgd"], "federation.strategy must be registered"),
        (["--set", "model.heads=3", "--model", "cross_attention"], "must"),
        (["--omics", "rnaa"], "Did you mean 'rna'?"),
        (["--clinical", "agee"], "error: "),
        (["--hold-out", "lyn"], "Did you mean 'lyon'?"),
        (["--hold-out", "lyon,porto,bergen"], "At least one site must be able to train"),
        (["--config", "none.toml"], "Config file must exist"),
        (["--set", "data.scaling=none.json"], "none.json"),
        (["--set", "rounds=0"], "rounds must be >= 1"),
        (["--resume", "none"], "must have a checkpoint"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_a_wrong_setting_is_a_sentence_and_nothing_is_written(
    hospitals, tmp_path, capsys, words, told
):
    out = tmp_path / "run"
    code = main(["run", "--sites", str(hospitals), "--out", str(out), *SETTINGS, *words])
    said = capsys.readouterr()
    assert (code, said.out) == (2, "")
    assert told in said.err
    assert "Traceback" not in said.err
    assert not out.exists()


def test_a_run_prints_its_summary_and_where_the_report_lies(hospitals, tmp_path, capsys):
    out = tmp_path / "with spaces" / "run"
    assert main(["run", "--sites", str(hospitals), "--out", str(out), *SETTINGS]) == 0
    told = capsys.readouterr()
    assert told.out.rstrip().endswith(f"Report: {out / 'report.html'}")
    assert "all, pooled-equivalent" in told.out
    assert "round 1/1" in told.err
    assert "answered 3/3" in told.err
    assert "aggregate_train" not in told.err


def test_a_run_speaks_strict_json(hospitals, tmp_path, capsys):
    words = ["run", "--sites", str(hospitals), "--out", str(tmp_path / "run"), "--json", *SETTINGS]
    assert main(words) == 0
    told = json.loads(capsys.readouterr().out, parse_constant=pytest.fail)
    assert told == json.loads((tmp_path / "run" / "result.json").read_text())


def test_an_interrupted_run_is_resumed_by_its_folder(finished, tmp_path):
    shutil.copytree(finished.folder, tmp_path / "run")
    assert main(["run", "--resume", str(tmp_path / "run")]) == 0
    assert (tmp_path / "run" / "model.safetensors").read_bytes() == finished.model


def test_hospitals_are_synthesised(tmp_path, capsys):
    words = ["synthesise", "--sites", "2", "--patients", "12", "--out", str(tmp_path / "s")]
    assert main([*words, "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert [name.rsplit("/", 1)[1] for name in told["sites"]] == ["lyon", "bergen"]


@pytest.fixture
def cohort_folder(tmp_path):
    """Twelve patients of one hospital, without slides and genes."""
    clinical = pd.DataFrame({"case_id": [f"p{number:02d}" for number in range(12)], "site": "02"})
    clinical.assign(time_days=range(10, 130, 10), event=[0, 1] * 6).to_csv(
        tmp_path / "clinical.csv", index=False
    )
    return tmp_path


def test_a_cohort_is_dealt_to_sites(cohort_folder, capsys):
    words = ["partition", "--cohort", str(cohort_folder), "--by", "iid", "--sites", "3", "--seed"]
    words += ["4", "--min-patients", "4", "--out", str(cohort_folder / "sites"), "--json"]
    assert main(words) == 0
    told = json.loads(capsys.readouterr().out)
    assert [(site["name"], site["patients"]) for site in told["sites"]] == [
        ("site-01", 4), ("site-02", 4), ("site-03", 4),
    ]  # fmt: skip


def test_the_help_names_every_kind_of_assignment(capsys):
    with pytest.raises(SystemExit):
        main(["partition", "--help"])
    told = capsys.readouterr().out
    assert [kind for kind in ASSIGNMENTS if kind not in told] == []


@pytest.mark.parametrize("reference", [[], ["--reference"]])
def test_models_are_listed(capsys, reference):
    assert main(["models", "--json", *reference]) == 0
    told = json.loads(capsys.readouterr().out, parse_constant=pytest.fail)
    assert {"name", "parameters", "macs"} <= set(told[0])
    if reference:
        found = {entry["name"]: entry["parameters"] for entry in told}
        assert found == {
            "early": 8_800_657, "cross_attention": 1_839_105, "bilinear": 537_345,
            "gated": 3_180_673, "mif": 197_665,
        }  # fmt: skip


def test_models_are_a_table_for_people(capsys):
    assert main(["models"]) == 0
    assert "gated" in capsys.readouterr().out


@pytest.fixture
def predictions(tmp_path):
    rng = np.random.default_rng(1)
    table = pd.DataFrame({
        "risk": rng.normal(size=40), "time": rng.integers(1, 900, 40),
        "event": rng.integers(0, 2, 40), "site": ["a", "b"] * 20,
    })  # fmt: skip
    table.to_csv(tmp_path / "p.csv", index=False)
    return tmp_path / "p.csv"


def test_predictions_are_judged(predictions, capsys):
    assert main(["metrics", str(predictions), "--json"]) == 0
    told = json.loads(capsys.readouterr().out, parse_constant=pytest.fail)
    assert told["concordance"]["low"] < told["concordance"]["value"] < told["concordance"]["high"]
    assert main(["metrics", str(predictions)]) == 0
    assert "mean within sites" in capsys.readouterr().out


@pytest.mark.parametrize(
    "words", [["metrics", "none.csv"], ["partition", "--cohort", "none", "--out", "x"]]
)
def test_what_does_not_exist_is_a_sentence(words, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(words) == 2
    assert capsys.readouterr().err.startswith("error: ")
    assert list(tmp_path.iterdir()) == []


def audit_words(finished, hospitals, out, *more):
    model = str(finished.folder / "model.safetensors")
    words = ["audit", "--model-file", model, "--sites", str(hospitals), "--out", str(out)]
    return [*words, *more]


def test_a_finished_model_is_audited_again(finished, hospitals, tmp_path, capsys):
    out = tmp_path / "again"
    assert main(audit_words(finished, hospitals, out, "--json")) == 0
    told = json.loads(capsys.readouterr().out, parse_constant=pytest.fail)
    assert told["audit"] == finished.result["audit"]
    assert json.loads((out / "audit.json").read_text()) == told
    assert sorted(path.name for path in out.iterdir()) == ["audit.json", "report.html"]
    assert "audited again" in (out / "report.html").read_text()


def test_a_re_audit_tells_sites_shares_and_the_report(finished, hospitals, tmp_path, capsys):
    words = audit_words(finished, hospitals, tmp_path / "zero", "--set", "audit.background=zero")
    assert main([*words, "--split", "train"]) == 0
    told = capsys.readouterr().out
    assert "hidden modalities replaced by zero" in told
    assert "train patients" in told
    assert all(name in told for name in ("bergen", "lyon", "porto", "all sites"))
    assert f"Report: {tmp_path / 'zero' / 'report.html'}" in told


@pytest.mark.parametrize(
    ("more", "told"),
    [
        (["--split", "tset"], "audit.split must be one of test, validation, train, got 'tset'"),
        (["--set", "seed=3"], "must keep the settings of its model, got seed = 3"),
        (["--set", "audit.background=mean"], "audit.background must be one of"),
        (["--set", "zero"], "--set must be KEY=VALUE, got 'zero'"),
        (["--model-file", "nowhere"], "Model file must exist, got 'nowhere'"),
        (["--sites", "nowhere"], "Sites must be a folder of site folders"),
    ],
)
def test_a_wrong_re_audit_is_a_sentence(finished, hospitals, tmp_path, capsys, more, told):
    assert main([*audit_words(finished, hospitals, tmp_path / "out"), *more]) == 2
    assert told in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_a_re_audit_overwrites_nothing(finished, hospitals, tmp_path, capsys):
    (tmp_path / "mine.txt").write_text("mine")
    assert main(audit_words(finished, hospitals, tmp_path)) == 2
    assert "Output folder must be new or empty" in capsys.readouterr().err
