import h5py
import numpy as np
import pandas as pd
import pytest

from client.predict import predict
from fusion.errors import ModelFileError, SiteError
from fusion.training.checkpoint import load_arrays, save_arrays

HORIZONS = ["survival_365.25", "survival_1095.75", "survival_1826.25"]


@pytest.fixture
def model(finished):
    return finished.folder / "model.safetensors"


def edit(path, old, new):
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf-8")


def test_every_patient_has_a_risk_and_survival_at_each_horizon(hospitals, model):
    table = predict(hospitals / "lyon", model).table
    assert list(table.columns) == ["patient", "risk", *HORIZONS, "missing"]
    assert len(table) == 24
    curves = table[HORIZONS].to_numpy()
    assert ((curves >= 0) & (curves <= 1)).all()
    assert (np.diff(curves, axis=1) <= 0).all()


def test_a_higher_risk_means_lower_survival(hospitals, model):
    table = predict(hospitals / "lyon", model).table.sort_values("risk")
    assert (np.diff(table[HORIZONS[1]]) <= 0).all()


def test_missing_modalities_are_named_patient_by_patient(hospitals, model):
    found = predict(hospitals / "lyon", model)
    assert found.table["missing"].value_counts().to_dict() == {"": 20, "slides": 2, "omics": 2}
    assert "2 patients without slides: a learned placeholder stands in" in found.warnings
    assert "2 patients without omics: a learned placeholder stands in" in found.warnings


def test_a_model_of_components_brings_its_components_along(hospitals, tiny, lead):
    run = lead(tiny({"rounds": 1, "data.components": "rna=3,slides=2"}))
    table = predict(hospitals / "lyon", run.folder / "model.safetensors").table
    assert len(table) == 24
    assert np.isfinite(table["risk"]).all()


def test_another_encoder_is_a_warning(own_hospitals, model):
    edit(own_hospitals / "lyon" / "site.toml", "synthetic-24", "hipt-4k")
    found = predict(own_hospitals / "lyon", model)
    assert "come from 'hipt-4k', the model was trained on 'synthetic-24'" in found.warnings[0]


def test_another_width_is_refused_without_a_name_in_public(own_hospitals, model):
    folder = own_hospitals / "lyon"
    for path in (folder / "patch_features").iterdir():
        with h5py.File(path, "r+") as file:
            narrow = file["features"][:, :12]
            del file["features"]
            file["features"] = narrow
    edit(folder / "site.toml", "width = 24", "width = 12")
    with pytest.raises(SiteError, match="model's width 24, got 12 at site 'lyon'") as error:
        predict(folder, model)
    assert "lyon" not in error.value.public


def test_absent_genes_are_counted_and_stand_at_their_mean(own_hospitals, model):
    path = own_hospitals / "lyon" / "rna.parquet"
    pd.read_parquet(path).drop(columns=["GENE01", "GENE02"]).to_parquet(path)
    found = predict(own_hospitals / "lyon", model)
    assert "2 of 40 features are absent: their mean stands in" in found.warnings
    assert np.isfinite(found.table["risk"]).all()


def test_a_site_without_omics_is_ranked_by_slides(own_hospitals, model):
    edit(own_hospitals / "lyon" / "site.toml", '[omics]\nrna = "rna.parquet"\n', "")
    found = predict(own_hospitals / "lyon", model)
    assert found.table["missing"].str.contains("omics").all()
    assert np.isfinite(found.table["risk"]).all()


def test_risks_are_those_of_the_test(hospitals, model, finished):
    """The pooled table of all sites ranks as the result says, on the same patients."""
    tables = [predict(hospitals / site, model).table for site in ("bergen", "lyon", "porto")]
    assert sum(map(len, tables)) == sum(s["patients"]["total"] for s in finished.result["sites"])
    assert pd.concat(tables)["risk"].nunique() > 60


@pytest.mark.parametrize("told", ["", 'time = "fu"\nevent = "dead"\ntime_unit = "days"\n'])
def test_new_patients_without_outcomes_get_the_same_risks(hospitals, own_hospitals, model, told):
    folder = own_hospitals / "lyon"
    clinical = pd.read_csv(folder / "clinical.csv").drop(columns=["time_days", "event"])
    clinical.to_csv(folder / "clinical.csv", index=False)
    edit(folder / "site.toml", "[clinical]\n", "[clinical]\n" + told)
    known, new = predict(hospitals / "lyon", model), predict(folder, model)
    pd.testing.assert_frame_equal(new.table, known.table)
    assert new.warnings == known.warnings


def test_one_new_patient_gets_the_risk_they_have_among_others(hospitals, own_hospitals, model):
    folder, table = own_hospitals / "lyon", predict(hospitals / "lyon", model).table
    patient = table["patient"][table["missing"] == ""].iloc[0]
    clinical = pd.read_csv(folder / "clinical.csv")
    rows = clinical[clinical["patient"] == patient].drop(columns=["time_days", "event"])
    rows.to_csv(folder / "clinical.csv", index=False)
    alone = predict(folder, model).table
    among = table[table["patient"] == patient].reset_index(drop=True)
    pd.testing.assert_frame_equal(alone, among, rtol=1e-5)


def test_bad_outcomes_do_not_stop_a_prediction(hospitals, own_hospitals, model):
    folder = own_hospitals / "lyon"
    clinical = pd.read_csv(folder / "clinical.csv", dtype=str)
    clinical = clinical.assign(time_days="-3", event="perhaps", censorship="", split="new")
    clinical.to_csv(folder / "clinical.csv", index=False)
    pd.testing.assert_frame_equal(
        predict(folder, model).table, predict(hospitals / "lyon", model).table
    )


def test_a_slide_without_a_bag_still_stops_a_prediction(own_hospitals, model):
    next((own_hospitals / "lyon" / "patch_features").iterdir()).unlink()
    with pytest.raises(SiteError, match="Slides must each have a bag in 'patch_features', got 1"):
        predict(own_hospitals / "lyon", model)


def test_the_table_is_written_whole(hospitals, model, tmp_path):
    found = predict(hospitals / "lyon", model)
    found.write(tmp_path / "risks.csv")
    pd.testing.assert_frame_equal(
        pd.read_csv(tmp_path / "risks.csv", keep_default_na=False), found.table
    )


def test_a_checkpoint_is_no_finished_model(hospitals, finished):
    with pytest.raises(ModelFileError, match="must hold its plan, settings and baseline"):
        predict(hospitals / "lyon", finished.folder / "checkpoint.safetensors")


@pytest.mark.parametrize("spoil", ["plan", "config", "arrays"])
def test_a_model_that_does_not_fit_itself_is_refused(hospitals, model, tmp_path, spoil):
    arrays, card = load_arrays(model)
    if spoil == "plan":
        card["plan"] = "{}"
    elif spoil == "config":
        card["config"] = {**card["config"], "model.width": 8}
    else:
        arrays.pop(sorted(arrays)[0])
    save_arrays(tmp_path / "m.safetensors", arrays, card)
    with pytest.raises(ModelFileError, match=r"Model file must|Weights must be those"):
        predict(hospitals / "lyon", tmp_path / "m.safetensors")
