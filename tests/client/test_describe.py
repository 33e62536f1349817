import numpy as np
import pytest

from client.describe import describe, scale
from client.site import open_site
from fusion.errors import ConcordError
from fusion.readers.scaling import ScalingSums


def test_a_site_tells_its_facts(settings_at):
    facts = describe(settings_at()).facts
    assert (facts["site"], facts["role"], facts["encoder"]) == ("lyon", "train", "synthetic-24")
    assert (facts["feature-width"], facts["tables"]) == (24, ["rna"])
    assert facts["features:rna"][:2] == ["GENE01", "GENE02"]
    assert len(facts["data-hash"]) == 64


def test_a_site_counts_its_patients(settings_at):
    settings = settings_at()
    sums, site = describe(settings).sums, open_site(settings)
    assert sums["patients"].tolist() == [10, 6, 8]
    assert sums["events"].sum() == site.cohort.event.sum()
    assert sums["missing"].tolist() == [2, 2, 0]


def test_the_histogram_counts_training_patients_alone(settings_at):
    sums = describe(settings_at()).sums
    assert sums["outcome-histogram"].sum() == 10
    assert sums["outcome-histogram"][:, 1].sum() == sums["events"][0]


def test_genes_of_tables_that_nobody_asked_for_are_not_told(settings_at):
    facts = describe(settings_at(changes={"data.omics": "cnv"})).facts
    assert facts["tables"] == ["rna"]
    assert not [name for name in facts if name.startswith("features")]


def test_a_clinical_column_makes_omics_of_its_own(settings_at):
    with pytest.raises(ConcordError, match=r"'agee'.*'age'"):
        describe(settings_at(changes={"data.clinical": "agee"}))


def request(*features):
    return {"tables": ["rna"], "clinical": [], "features": list(features), "slides": True}


def test_scaling_sums_training_patients_alone(settings_at):
    settings = settings_at()
    site = open_site(settings)
    sums = scale(settings, request("rna:GENE02", "rna:GENE01")).sums
    omics = ScalingSums.from_array(sums["scaling.omics"])
    table, train = site.cohort.tables["rna"], np.array(site.rows("train"))
    known = train[table.present[train]]
    values = table.values[known][:, [1, 0]].clip(-5, 5)
    np.testing.assert_allclose(omics.moments()[0], values.mean(0), rtol=1e-5)
    assert sums["scaling.omics"][0].tolist() == [len(known)] * 2


def test_clipped_values_are_counted(settings_at):
    words = request("rna:GENE01")
    cut, known = scale(settings_at(changes={"data.clip": 2.5}), words).sums["scaling.clipped"]
    assert 0 <= cut < known
    assert scale(settings_at(changes={"data.clip": 0}), words).sums["scaling.clipped"][0] == 0


def test_slides_are_summed_one_patient_once(settings_at):
    settings = settings_at()
    sums = scale(settings, request("rna:GENE01")).sums
    site = open_site(settings)
    have = site.cohort.has_slides[site.rows("train")].sum()
    assert set(sums["scaling.slides"][0]) == {have}


def test_a_lone_patient_of_a_split_is_in_no_sum(settings_at):
    settings = settings_at("lyon")
    site = open_site(settings)
    site.split[:] = "test"
    site.split[3] = "train"
    assert site.rows("train") == []
    sums = describe(settings).sums
    assert sums["outcome-histogram"].sum() == 0
    assert sums["patients"].tolist() == [1, 0, 23]


def test_a_feature_of_one_patient_alone_is_in_no_sum():
    sums = ScalingSums(np.array([1.0, 2.0]), np.array([7.0, 3.0]), np.array([49.0, 5.0]))
    shared = sums.without_lone_patients().to_array()
    assert shared.tolist() == [[0.0, 2.0], [0.0, 3.0], [0.0, 5.0]]
