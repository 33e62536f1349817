import logging

import pytest

from fusion.errors import ConfigError
from fusion.training.plan import Plan

SUBSPACE = {"model.name": "subspace", "rounds": 1}


@pytest.fixture(scope="module")
def run(tiny, lead):
    return lead(tiny(SUBSPACE | {"audit.every": 1}))


def test_the_plan_carries_the_groups_to_every_site(run):
    groups = Plan.from_text(run.plan).groups
    assert list(groups) == ["carriers", "others"]
    assert groups["carriers"] == tuple(f"rna:GENE{number:02d}" for number in range(1, 9))
    assert Plan.from_text(Plan.from_text(run.plan).to_text()).groups == groups


def test_the_result_says_how_many_features_a_group_has(run):
    assert run.result["inputs"]["groups"] == {"carriers": 8, "others": 32}
    assert run.result["model"]["couples_patients"]


def test_other_models_read_no_groups(finished):
    assert finished.result["inputs"]["groups"] == {}


def test_the_table_that_comes_along_is_of_no_use_for_genes_with_other_names(tiny, lead):
    with pytest.raises(ConfigError, match="genes that the sites share, got none of"):
        lead(tiny(SUBSPACE | {"model.groups": "default"}))


def test_components_have_no_genes(tiny, lead):
    with pytest.raises(ConfigError, match="must read genes by name, got components of 'rna'"):
        lead(tiny(SUBSPACE | {"data.components": "rna=3"}))


def test_three_groups_are_refused_before_training(tiny, lead, tmp_path):
    path = tmp_path / "three.csv"
    path.write_text("gene,group\nGENE01,a\nGENE02,b\nGENE03,c\n", encoding="utf-8")
    with pytest.raises(ConfigError, match="two groups of genes, got 3"):
        lead(tiny(SUBSPACE | {"model.groups": str(path)}))


def test_clinical_columns_in_no_group_are_told(tiny, lead, caplog):
    with caplog.at_level(logging.INFO, "concord.server"):
        result = lead(tiny(SUBSPACE | {"data.clinical": "age"})).result
    assert "in no group of genes, so not read: clinical:age" in caplog.text
    assert "carriers 8, others 32; 1 features in none" in caplog.text
    assert result["inputs"]["groups"] == {"carriers": 8, "others": 32}
