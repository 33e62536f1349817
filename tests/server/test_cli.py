"""`concord-server run` and `audit`; the other commands are tested beside what they call."""

import json
import shutil
from dataclasses import replace

import pytest

from server import submission
from server.cli import main
from server.folder import read_audit
from server.schema import ResultError
from simulations.federation import run_inline


@pytest.fixture
def superlink(monkeypatch, hospitals):
    """A SuperLink that runs what it is handed at once, on this machine."""
    handed = []

    def run(config, *, app, superlink):
        handed.append((config, app, superlink))
        run_inline(replace(config, sites=str(hospitals)))

    monkeypatch.setattr(submission, "run_remotely", run)
    return handed


def test_a_finished_run_is_audited_again(finished, superlink, tmp_path, capsys):
    out = tmp_path / "again"
    words = ["audit", str(finished.folder), "--out", str(out), "--superlink", "far", "--json"]
    assert main(words) == 0
    told = json.loads(capsys.readouterr().out, parse_constant=pytest.fail)
    assert told["audit"] == finished.result["audit"]
    assert read_audit(out) == told
    (config, app, link) = superlink[0]
    assert (config.audit.model_file, link) == (str(finished.folder / "model.safetensors"), "far")
    assert (app / "pyproject.toml").is_file()


def test_it_tells_shares_and_where_the_page_lies(finished, superlink, tmp_path, capsys):
    words = [
        "audit",
        str(finished.folder),
        "--out",
        str(tmp_path / "zero"),
        "--split",
        "validation",
    ]
    assert (
        main([*words, "--set", "audit.background=zero", "--set", "alerts.redundancy-above=0"]) == 0
    )
    told = capsys.readouterr().out
    assert "hidden modalities replaced by zero" in told
    assert "validation patients" in told
    assert f"Report: {tmp_path / 'zero' / 'report.html'}" in told
    assert superlink[0][0].alerts.redundancy_above == 0


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--set", "seed=3"], "must keep the settings of its model, got seed = 3"),
        (["--app", "nowhere"], "--app must be the folder of Concord's source"),
    ],
)
def test_a_wrong_word_is_a_sentence(finished, tmp_path, capsys, words, told):
    assert main(["audit", str(finished.folder), "--out", str(tmp_path / "out"), *words]) == 2
    assert told in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_a_folder_without_a_model_is_a_sentence(tmp_path, capsys):
    assert main(["audit", str(tmp_path), "--out", str(tmp_path / "out")]) == 2
    assert "Model file must exist" in capsys.readouterr().err


def test_a_spoilt_audit_is_not_read(finished, superlink, tmp_path):
    assert superlink == []
    shutil.copy(finished.folder / "result.json", tmp_path / "audit.json")
    with pytest.raises(ResultError, match="hold only the keys of the schema"):
        read_audit(tmp_path)


def test_a_run_is_handed_over_and_its_result_told(tiny, superlink, tmp_path, capsys):
    file, config = tmp_path / "run.toml", replace(tiny({"model.name": "omics_only"}), sites="")
    file.write_text(submission.to_toml(config), encoding="utf-8")
    assert main(["run", str(file)]) == 0
    told = capsys.readouterr().out
    assert f"Report: {config.out}/report.html" in told
    assert superlink[0][0] == config
    assert main(["run", str(file), "--resume", "--json"]) == 0
    assert superlink[1][0] == replace(config, resume=True)
    result = json.loads(capsys.readouterr().out)
    assert result["timings"]["resumed_after"] == [2]


@pytest.mark.parametrize(
    ("out", "sentence"),
    [("runs/first", "out must be an absolute path, got 'runs/first'"), ("FULL", "new or empty")],
)
def test_a_folder_that_cannot_serve_is_told_before_anything_is_sent(
    superlink, tmp_path, capsys, out, sentence
):
    file = tmp_path / "run.toml"
    file.write_text(f'out = "{tmp_path if out == "FULL" else out}"', encoding="utf-8")
    assert main(["run", str(file)]) == 2
    assert sentence in capsys.readouterr().err
    assert superlink == []
