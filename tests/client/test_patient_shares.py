import json
import stat

import numpy as np
import pandas as pd
import pytest

from client.cli import main
from client.patient_shares import audit_patients
from client.predict import predict
from client.site import read_site
from fusion.errors import ConfigError, FederationError, SiteError
from fusion.interaction.shares import local_shares, moebius_shares, published_shares
from fusion.training.checkpoint import load_arrays, save_arrays
from simulations.cli import main as simulate

SEEN = ["v()", "v(slides)", "v(omics)", "v(slides+omics)"]


@pytest.fixture
def model(finished):
    return finished.folder / "model.safetensors"


@pytest.fixture
def older(model, tmp_path):
    """A model file that holds no mean embedding."""
    arrays, card = load_arrays(model)
    del card["background"]
    save_arrays(tmp_path / "older.safetensors", arrays, card)
    return tmp_path / "older.safetensors"


def edit(path, old, new):
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf-8")


def test_every_share_follows_from_the_values_beside_it(hospitals, model):
    table = audit_patients(hospitals / "lyon", model).table
    values = table[SEEN].to_numpy()
    for name, shares in (
        ("local", local_shares), ("published", published_shares), ("moebius", moebius_shares)
    ):  # fmt: skip
        columns = [f"{name}_{part}" for part in ("interaction", "slides", "omics")]
        np.testing.assert_allclose(table[columns], shares(values), atol=1e-12)
    signed = table["synergy"] + table["redundancy"]
    np.testing.assert_allclose(signed, table["local_interaction"], atol=1e-12)
    m12 = values @ [1, -1, -1, 1]
    np.testing.assert_allclose(table["m(slides+omics)"], m12, atol=1e-12)
    np.testing.assert_allclose(table["phi(slides+omics)"], m12 / 2, atol=1e-12)
    np.testing.assert_allclose(table["phi(slides)"], table["m(slides)"], atol=1e-12)


def test_the_values_of_all_modalities_are_the_predicted_risks(hospitals, model):
    found = audit_patients(hospitals / "lyon", model)
    risks = predict(hospitals / "lyon", model).table
    whole = risks[risks["missing"] == ""]
    assert found.table["patient"].tolist() == whole["patient"].tolist()
    np.testing.assert_allclose(found.table["v(slides+omics)"], whole["risk"], rtol=1e-4, atol=1e-5)
    assert (len(found.table), found.excluded) == (20, 4)
    assert "2 patients without slides: left out" in found.warnings


@pytest.mark.parametrize("site", ["bergen", "lyon", "porto"])
def test_the_means_over_test_patients_are_the_sites_figures_of_the_run(
    hospitals, model, finished, site
):
    table = audit_patients(hospitals / site, model).table.set_index("patient")
    read = read_site(hospitals / site, finished.config)
    tested = [read.cohort.patients[row] for row in read.rows("test")]
    rows = table[table.index.isin(tested)]
    told = next(s for s in finished.result["audit"]["sites"] if s["name"] == site)
    assert len(rows) == told["patients"]
    for name in ("local", "published", "moebius"):
        got = rows[f"{name}_interaction"].mean()
        assert got == pytest.approx(told["shares"][name]["value"], abs=1e-9)


BACKGROUNDS = {
    "embedding-mean": "mean embedding of the federation's training patients, from the model file",
    "input-mean": "embedding of the federation's mean input",
    "zero": "zero embeddings",
    "marginal": "donors among this site's own training patients",
}


@pytest.mark.parametrize("kind", BACKGROUNDS)
def test_the_background_can_be_chosen_and_is_named(hospitals, model, kind):
    found = audit_patients(hospitals / "lyon", model, background=kind)
    assert BACKGROUNDS[kind] in found.background
    default = audit_patients(hospitals / "lyon", model).table
    same = np.allclose(found.table[SEEN], default[SEEN])
    assert same == (kind == "embedding-mean")
    np.testing.assert_allclose(found.table["v()"], found.table["v()"].iloc[0], atol=1e-12)


def test_an_older_model_file_is_audited_against_the_sites_own_mean(hospitals, model, older):
    found = audit_patients(hospitals / "lyon", older)
    assert found.background.startswith("mean embedding of this site's own training patients")
    shared = audit_patients(hospitals / "lyon", model).table
    assert not np.allclose(found.table["v()"], shared["v()"])


@pytest.mark.parametrize("kind", ["marginal", "embedding-mean"])
def test_a_site_that_only_evaluates_has_no_patients_for_a_background(own_hospitals, older, kind):
    edit(own_hospitals / "lyon" / "site.toml", 'role = "train"', 'role = "evaluate-only"')
    told = f"'{kind}' must come from two or more training patients .* got 0 at site 'lyon'"
    with pytest.raises(SiteError, match=told) as error:
        audit_patients(own_hospitals / "lyon", older, background=kind)
    assert "lyon" not in error.value.public


def test_new_patients_without_outcomes_are_audited(hospitals, own_hospitals, model):
    folder = own_hospitals / "lyon"
    clinical = pd.read_csv(folder / "clinical.csv").drop(columns=["time_days", "event"])
    clinical.to_csv(folder / "clinical.csv", index=False)
    new, known = (audit_patients(f, model).table for f in (folder, hospitals / "lyon"))
    pd.testing.assert_frame_equal(new, known)


def test_a_model_of_one_modality_is_refused(hospitals, tiny, lead):
    run = lead(tiny({"rounds": 1, "model.name": "wsi_only"}))
    with pytest.raises(FederationError, match="two or more modalities"):
        audit_patients(hospitals / "lyon", run.folder / "model.safetensors")


def command(hospitals, model, out, *more):
    return ["audit", str(hospitals / "lyon"), "--model", str(model), "--out", str(out), *more]


def test_the_file_is_for_its_owner_alone_and_never_written_over(hospitals, model, tmp_path, capsys):
    out = tmp_path / "shares.csv"
    assert main(command(hospitals, model, out)) == 0
    told = capsys.readouterr().out
    assert told.startswith(f"20 patients: {out}\nA hidden modality became: mean embedding of the f")
    assert told.endswith("It must not leave the site; only its owner can read it.\n")
    assert stat.S_IMODE(out.stat().st_mode) == 0o600
    before = out.read_bytes()
    assert main(command(hospitals, model, out, "--background", "zero")) == 2
    assert "error: Patients' shares must go to new files" in capsys.readouterr().err
    assert out.read_bytes() == before


def test_the_file_is_one_that_shares_reads(hospitals, model, tmp_path, capsys):
    out = tmp_path / "shares.csv"
    assert main(command(hospitals, model, out, "--json")) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["patients"], told["excluded"]) == (20, 4)
    assert simulate(["shares", str(out), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    expected = pd.read_csv(out)["local_interaction"].mean()
    assert found["local"]["interaction"] == pytest.approx(expected, abs=1e-12)


def test_a_table_is_never_half_written_over(hospitals, model, tmp_path):
    (tmp_path / "there.csv").write_text("mine", encoding="utf-8")
    with pytest.raises(ConfigError, match="must go to new files"):
        audit_patients(hospitals / "lyon", model).write(tmp_path / "there.csv")
    assert (tmp_path / "there.csv").read_text(encoding="utf-8") == "mine"
