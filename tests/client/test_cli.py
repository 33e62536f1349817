import json

import pandas as pd
import pytest

from client.cli import main


def test_a_healthy_site_can_train(hospitals, capsys):
    assert main(["doctor", str(hospitals / "lyon")]) == 0
    told = capsys.readouterr().out
    assert "24 patients" in told
    assert told.endswith("Training can start.\n")


def test_a_spoilt_site_cannot_train(own_hospitals, capsys):
    next((own_hospitals / "lyon" / "patch_features").iterdir()).write_bytes(b"half a file")
    assert main(["doctor", str(own_hospitals / "lyon")]) == 1
    told = capsys.readouterr().out
    assert "problem: " in told
    assert told.endswith("Training cannot start.\n")


@pytest.mark.parametrize("spoilt", [False, True])
def test_the_doctor_speaks_strict_json(own_hospitals, capsys, spoilt):
    if spoilt:
        (own_hospitals / "lyon" / "rna.parquet").unlink()
    code = main(["doctor", str(own_hospitals / "lyon"), "--json"])
    told = json.loads(capsys.readouterr().out)
    assert (code == 1) == spoilt == bool(told["problems"])
    assert set(told) == {"lines", "warnings", "problems"}


def test_a_folder_that_is_none_cannot_train(tmp_path, capsys):
    assert main(["doctor", str(tmp_path / "none")]) in (1, 2)
    assert "Traceback" not in capsys.readouterr().err


def test_a_finished_model_ranks_a_sites_patients(hospitals, finished, tmp_path, capsys):
    out = tmp_path / "risks.csv"
    model = str(finished.folder / "model.safetensors")
    assert main(["predict", str(hospitals / "lyon"), "--model", model, "--out", str(out)]) == 0
    told = capsys.readouterr()
    assert len(pd.read_csv(out)) == 24
    assert "warning: 2 patients without slides" in told.err
    assert told.out == f"24 patients: {out}\n"


def test_a_file_that_is_no_model_is_refused_and_nothing_written(hospitals, tmp_path, capsys):
    model, out = tmp_path / "m.safetensors", tmp_path / "risks.csv"
    model.write_bytes(b"no model")
    assert main(["predict", str(hospitals / "lyon"), "--model", str(model), "--out", str(out)]) == 2
    told = capsys.readouterr()
    assert told.err.startswith("error: Model file must be one that Concord wrote")
    assert not out.exists()
