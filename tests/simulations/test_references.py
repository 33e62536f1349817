import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from client.settings import site_folders
from fusion.config import DataConfig, from_flat
from fusion.errors import ConfigError, FederationError
from fusion.readers.cohort import check_cohort, read_cohort
from fusion.readers.folds import assign_split
from fusion.training.checkpoint import load_arrays
from fusion.training.plan import Plan
from server.folder import read_result
from simulations.federation import run_inline
from simulations.joined_site import shared_genes
from simulations.references import pool_sites
from simulations.synthetic import make_hospitals
from tests import layouts

CONFIG = from_flat({"seed": 3, "rounds": 1, "model.name": "linear", "training.local-steps": 1})


@pytest.fixture(scope="module")
def original(tmp_path_factory):
    folder = tmp_path_factory.mktemp("sites")
    make_hospitals(folder, sites=3, patients=20)
    twin = shutil.copytree(folder / "lyon", folder / "twin")
    replace_in(twin / "site.toml", "lyon", "twin")
    return folder


@pytest.fixture
def sites(original, tmp_path):
    return shutil.copytree(original, tmp_path / "sites")


def replace_in(path: Path, old: str, new: str) -> None:
    path.write_text(path.read_text().replace(f'"{old}"', f'"{new}"'))


def splits(cohort, config=CONFIG):
    found = assign_split(
        cohort, validation=config.split.validation, test=config.split.test, seed=config.seed
    )
    return dict(zip(cohort.patients, found.tolist(), strict=True))


def pooled_cohort(sites, tmp_path, config=CONFIG):
    return read_cohort(pool_sites(site_folders(sites), config=config, out=tmp_path / "pooled"))


def test_every_patient_keeps_the_split_of_the_own_site(sites, tmp_path):
    expected = {
        f"{cohort.name}/{patient}": split
        for cohort in map(read_cohort, site_folders(sites))
        for patient, split in splits(cohort).items()
    }
    pooled = pooled_cohort(sites, tmp_path)
    assert splits(pooled, replace(CONFIG, seed=8)) == expected
    assert set(expected.values()) == {"train", "validation", "test"}


def test_a_held_out_site_is_all_test(sites, tmp_path):
    config = replace(CONFIG, split=replace(CONFIG.split, hold_out="porto"))
    found = splits(pooled_cohort(sites, tmp_path, config))
    held_out = {split for patient, split in found.items() if patient.startswith("porto/")}
    assert held_out == {"test"}


def test_outcomes_and_genes_are_those_of_the_sites(sites, tmp_path):
    pooled = pooled_cohort(sites, tmp_path)
    for cohort in map(read_cohort, site_folders(sites)):
        rows = [pooled.patients.index(f"{cohort.name}/{patient}") for patient in cohort.patients]
        np.testing.assert_allclose(pooled.time[rows], cohort.time, rtol=1e-14)
        np.testing.assert_array_equal(pooled.event[rows], cohort.event)
        there, mine = pooled.tables["rna"], cohort.tables["rna"]
        order = [there.genes.index(gene) for gene in mine.genes]
        np.testing.assert_array_equal(there.values[rows][:, order], mine.values)
        np.testing.assert_array_equal(there.present[rows], mine.present)


def test_bags_of_one_name_at_two_sites_stay_apart(sites, tmp_path):
    pooled = pooled_cohort(sites, tmp_path)
    for cohort in map(read_cohort, site_folders(sites)):
        for patient, slides in zip(cohort.patients, cohort.slides, strict=True):
            linked = pooled.slides[pooled.patients.index(f"{cohort.name}/{patient}")]
            assert [s.path.stat().st_ino for s in linked] == [s.path.stat().st_ino for s in slides]
    assert len(list((tmp_path / "pooled/patch_features").iterdir())) == sum(map(len, pooled.slides))


def test_a_pooled_folder_has_nothing_to_complain_of(sites, tmp_path):
    out = pool_sites(site_folders(sites), config=CONFIG, out=tmp_path / "pooled")
    assert check_cohort(out) == []


def test_only_genes_of_all_sites_are_kept(sites, tmp_path):
    path = sites / "porto" / "rna.parquet"
    table = pd.read_parquet(path)
    table.drop(columns=table.columns[3]).to_parquet(path)
    genes = pooled_cohort(sites, tmp_path).tables["rna"].genes
    assert genes == tuple(sorted(set(table.columns[1:]) - {table.columns[3]}))


def test_a_site_without_omics_does_not_empty_the_table(sites):
    cohorts = [read_cohort(folder) for folder in site_folders(sites)]
    bare = replace(cohorts[0], tables={})
    assert shared_genes([bare, *cohorts[1:]], DataConfig()) == shared_genes(
        cohorts, DataConfig(omics="rna")
    )
    assert shared_genes([bare], DataConfig()) == {}


def test_sites_without_a_gene_in_common_are_refused(sites):
    first, second = [read_cohort(folder) for folder in site_folders(sites)][:2]
    table = replace(second.tables["rna"], genes=tuple("x" + g for g in second.tables["rna"].genes))
    with pytest.raises(
        FederationError, match="must share genes, got none in common in table 'rna'"
    ):
        shared_genes([first, replace(second, tables={"rna": table})], DataConfig())


def test_two_encoders_are_refused_and_nothing_is_written(sites, tmp_path):
    replace_in(sites / "porto" / "site.toml", "synthetic-24", "another")
    with pytest.raises(FederationError, match="must use one slide feature encoder"):
        pool_sites(site_folders(sites), config=CONFIG, out=tmp_path / "pooled")
    assert [path.name for path in tmp_path.iterdir()] == ["sites"]


def test_a_folder_that_holds_something_is_refused(sites):
    with pytest.raises(ConfigError, match="must be an absent or empty folder"):
        pool_sites(site_folders(sites), config=CONFIG, out=sites)


def run(sites, out, **split):
    config = replace(CONFIG, sites=str(sites), out=str(out))
    folder = run_inline(replace(config, split=replace(config.split, **split)))
    _, card = load_arrays(folder / "model.safetensors")
    return read_result(folder), Plan.from_text(card["plan"])


def test_a_pooled_run_meets_the_patients_of_the_federated_run(sites, tmp_path):
    pool_sites(site_folders(sites), config=CONFIG, out=tmp_path / "one" / "pooled")
    federated, plan = run(sites, tmp_path / "a")
    pooled, its_plan = run(tmp_path / "one", tmp_path / "b", validation=0.0)
    for kind in ("patients", "events"):
        for split in ("train", "validation", "test"):
            together = sum(site[kind][split] for site in federated["sites"])
            assert pooled["sites"][0][kind][split] == together
    np.testing.assert_allclose(its_plan.scaling.mean, plan.scaling.mean, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(its_plan.scaling.slide_sd, plan.scaling.slide_sd, rtol=1e-9)


@pytest.mark.parametrize("kinds", [("clam-pt", "parquet"), ("npy", "trident-slides", "npy", "npy")])
def test_sites_of_different_formats_are_pooled_value_by_value(sites, tmp_path, kinds):
    for folder, kind in zip(site_folders(sites), kinds, strict=False):
        layouts.rewrite_site(folder, kind)
    pooled = pooled_cohort(sites, tmp_path)
    for cohort in map(read_cohort, site_folders(sites)):
        for row, patient in enumerate(cohort.patients):
            mine = [*cohort.bags().chunks(row, 10**6)]
            other = pooled.patients.index(f"{cohort.name}/{patient}")
            np.testing.assert_array_equal(mine, [*pooled.bags().chunks(other, 10**6)])


def test_sites_of_one_format_are_linked_in_it(sites, tmp_path):
    for folder in site_folders(sites):
        layouts.rewrite_site(folder, "stamp")
    linked = pooled_cohort(sites, tmp_path).bags().coordinates(0)
    assert linked[0].unit == "micrometre"
