"""Slides, two tables and the age as four modalities, over sites of which one lacks a table."""

import numpy as np
import pandas as pd
import pytest

from client.predict import predict
from fusion.interaction.quantities import coalition_names, pair_names
from server.report.page import render

WORDS = "slides,rna,cnv,clinical"


@pytest.fixture(scope="module")
def sites(hospitals, tmp_path_factory):
    """The hospitals' first genes as a table of their own, but not at lyon."""
    import shutil

    folder = shutil.copytree(hospitals, tmp_path_factory.mktemp("many") / "sites")
    for site in sorted(folder.iterdir()):
        if site.name != "lyon":
            table = pd.read_parquet(site / "rna.parquet")
            table.iloc[:, :6].to_parquet(site / "cnv.parquet", index=False)
            with (site / "site.toml").open("a") as file:
                file.write('cnv = "cnv.parquet"\n')
    return folder


@pytest.fixture(scope="module")
def four(tiny, lead, sites):
    changes = {"rounds": 2, "audit.every": 1, "data.modalities": WORDS, "data.clinical": "age",
               "data.components": "rna=3"}  # fmt: skip
    return lead(tiny(changes, sites=sites))


def test_each_is_trained_and_audited(four):
    words = tuple(WORDS.split(","))
    assert four.result["model"]["modalities"] == list(words)
    audit = four.result["audit"]
    assert audit["modalities"] == list(words)
    assert set(audit["pairs"]) >= set(pair_names(words))
    assert set(audit["dividends"]) >= set(coalition_names(words))
    shares = [audit["shares"]["local"][name] for name in ("interaction", *words)]
    assert sum(shares) == pytest.approx(1, abs=1e-9)


def test_a_site_without_a_table_lacks_that_modality(four):
    missing = {site["name"]: site["missing"] for site in four.result["sites"]}
    assert missing["lyon"] == {"slides": 2, "rna": 2, "cnv": 24, "clinical": 0}
    assert missing["porto"]["cnv"] == 2
    audited = {site["name"]: site["patients"] for site in four.result["audit"]["sites"]}
    assert audited["lyon"] == 0


def test_the_report_names_each(four):
    page = render(four.result)
    for title in (
        "Without rna",
        "Without cnv",
        "Without clinical data",
        "Rna alone",
        "Which kinds of data work together",
        "Rna with cnv",
    ):
        assert title in page


def test_the_model_predicts_with_what_a_patient_has(four, sites):
    found = predict(sites / "lyon", four.folder / "model.safetensors")
    assert np.isfinite(found.table["risk"]).all()
    assert set(found.table["missing"]) == {"cnv", "slides+cnv", "rna+cnv"}
    assert "24 patients without cnv: a learned placeholder stands in" in found.warnings


@pytest.mark.parametrize("model", ["early", "late", "cross_attention", "bilinear", "mif", "linear"])
def test_every_fusion_reads_them(tiny, lead, sites, model):
    run = lead(tiny({"rounds": 1, "model.name": model, "data.modalities": "slides,rna,cnv"},
                    sites=sites))  # fmt: skip
    assert run.result["rounds"][1]["failed"] == []
    assert run.result["model"]["modalities"] == ["slides", "rna", "cnv"]


def test_naming_all_there_is_changes_no_weight(tiny, lead):
    """The one table under its own name is the same vector; only the weights' names differ."""
    runs = [lead(tiny({"rounds": 1, "data.modalities": w})) for w in ("slides,omics", "slides,rna")]
    first, second = (run.result["evaluation"]["pooled"]["concordance"] for run in runs)
    assert first["value"] == second["value"]
