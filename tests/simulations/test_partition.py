import os
import tomllib
from pathlib import Path

import h5py
import numpy as np
import pandas as pd
import pytest

from fusion.errors import ConfigError, OutputError, SiteError
from fusion.readers.cohort import read_cohort
from simulations.partition import Division, partition
from tests import layouts

ROWS = [("02", 4), ("DU", 3), ("S9", 1), ("ZZ", 1)]


@pytest.fixture
def source(tmp_path):
    folder = tmp_path / "a cohort"
    (folder / "patch_features").mkdir(parents=True)
    patients = [f"{site}-{number}" for site, size in ROWS for number in range(size)]
    slides = [f"{patient}.svs" if patient != "DU-0" else "" for patient in patients]
    clinical = pd.DataFrame({"case_id": patients, "slide_id": slides})
    clinical["site"] = [patient[:2] for patient in patients]
    clinical = clinical.assign(
        age=50, survival_months=np.arange(1, 10) / 2, censorship=[0, 1, 1] * 3
    )
    clinical.to_csv(folder / "clinical.csv", index=False)
    genes = pd.DataFrame(
        {"case_id": patients[:8], "TP53_rnaseq": 0.5, "TP53_mut": 1, "MYC_cnv": -1}
    )
    genes.to_parquet(folder / "genomics.parquet")
    for slide in slides[:-1]:
        if slide:
            with h5py.File(folder / "patch_features" / f"{slide[:-4]}.h5", "w") as file:
                file.create_dataset("features", data=np.ones((2, 3), np.float16))
    return folder


def test_hospitals_become_sites_and_small_ones_are_pooled(source, tmp_path):
    result = partition(source, out=tmp_path / "sites", division=Division(min_patients=3))
    assert [(site.name, site.patients) for site in result.sites] == [
        ("02", 4), ("DU", 3), ("pooled-small", 2),
    ]  # fmt: skip
    assert result.sites[2].hospitals == ("S9", "ZZ")
    assert sorted(path.name for path in (tmp_path / "sites").iterdir()) == [
        "02",
        "DU",
        "pooled-small",
    ]


def test_every_site_opens_and_all_patients_are_in_one(source, tmp_path):
    result = partition(
        source, out=tmp_path / "sites", division=Division(min_patients=3), encoder="hipt"
    )
    cohorts = [read_cohort(tmp_path / "sites" / site.name) for site in result.sites]
    assert sum(len(cohort.patients) for cohort in cohorts) == 9
    assert {(cohort.encoder, cohort.feature_width) for cohort in cohorts} == {("hipt", 3)}
    assert cohorts[0].clinical["site"].tolist() == ["02"] * 4


@pytest.mark.parametrize("kind", ["clam-pt", "stamp"])
def test_features_of_other_tools_are_linked_as_they_are(source, tmp_path, kind):
    plain = source / "patch_features"
    layouts.WRITERS[kind](plain, layouts.take(plain))
    partition(source, out=tmp_path / "sites", division=Division(min_patients=3))
    cohort = read_cohort(tmp_path / "sites" / "02")
    assert {slide.format for slides in cohort.slides for slide in slides} == {kind}
    assert cohort.feature_width == 3


def test_genes_are_split_by_kind_and_lose_their_ending(source, tmp_path):
    partition(source, out=tmp_path / "sites", division=Division(min_patients=3))
    tables = read_cohort(tmp_path / "sites" / "02").tables
    assert {name: table.genes for name, table in tables.items()} == {
        "rna": ("TP53",), "cnv": ("MYC",), "mutation": ("TP53",),
    }  # fmt: skip


def test_patients_without_slides_or_omics_are_counted(source, tmp_path):
    _, du, pooled = partition(
        source, out=tmp_path / "sites", division=Division(min_patients=3)
    ).sites
    assert (du.patients, du.patients_with_slides, du.slides) == (3, 2, 2)
    assert pooled.patients_with_omics == 1


def test_slide_without_a_file_is_listed_as_missing(source, tmp_path):
    pooled = partition(source, out=tmp_path / "sites", division=Division(min_patients=3)).sites[2]
    assert (pooled.slides, pooled.slides_missing) == (1, 1)
    described = tomllib.loads((tmp_path / "sites" / "pooled-small" / "site.toml").read_text())
    assert described["features"]["missing"] == ["ZZ-0.h5"]


def test_small_hospitals_may_be_dropped_and_that_is_said(source, tmp_path):
    result = partition(
        source, out=tmp_path / "sites", division=Division(min_patients=4, small="drop")
    )
    assert [site.name for site in result.sites] == ["02"]
    assert result.dropped == {"DU": 3, "S9": 1, "ZZ": 1}


def test_cohort_may_be_divided_by_another_column(source, tmp_path):
    clinical = pd.read_csv(source / "clinical.csv", dtype=str)
    clinical["region"] = np.where(clinical["site"] == "02", "north", "south")
    clinical.to_csv(source / "clinical.csv", index=False)
    result = partition(
        source, out=tmp_path / "sites", division=Division(by="region", min_patients=2)
    )
    assert [(site.name, site.patients) for site in result.sites] == [("north", 4), ("south", 5)]


def test_cohort_without_slides_and_genes_is_divided_too(source, tmp_path):
    (source / "genomics.parquet").unlink()
    clinical = pd.read_csv(source / "clinical.csv", dtype=str).drop(columns="slide_id")
    clinical.to_csv(source / "clinical.csv", index=False)
    partition(source, out=tmp_path / "sites", division=Division(min_patients=3))
    assert read_cohort(tmp_path / "sites" / "DU").feature_width == 0


def test_bags_are_copied_where_they_cannot_be_linked(source, tmp_path, monkeypatch):
    def refuse(*_):
        raise OSError("another device")

    monkeypatch.setattr(Path, "hardlink_to", refuse)
    partition(source, out=tmp_path / "sites", division=Division(min_patients=3))
    assert (tmp_path / "sites/02/patch_features/02-0.h5").stat().st_nlink == 1


def test_folder_that_is_not_empty_is_left_alone(source, tmp_path):
    (tmp_path / "sites").mkdir()
    (tmp_path / "sites" / "mine.txt").write_text("x")
    with pytest.raises(ConfigError, match="--out must be an absent or empty folder"):
        partition(source, out=tmp_path / "sites")
    assert [path.name for path in (tmp_path / "sites").iterdir()] == ["mine.txt"]


def test_failure_leaves_nothing_behind(source, tmp_path, monkeypatch):
    def fail(*_, **__):
        raise OSError("disk full")

    monkeypatch.setattr(pd.DataFrame, "to_parquet", fail)
    with pytest.raises(OutputError, match=r"that can be written, got .* \(disk full\)"):
        partition(source, out=tmp_path / "sites", division=Division(min_patients=3))
    assert [path.name for path in tmp_path.iterdir()] == ["a cohort"]


def test_patients_may_be_dealt_and_every_site_opens(source, tmp_path):
    division = Division(by="dirichlet-time", sites=3, alpha=0.2, min_patients=2)
    result = partition(source, out=tmp_path / "sites", division=division)
    assert [(site.name, site.patients) for site in result.sites] == [
        ("site-01", 3), ("site-02", 3), ("site-03", 3),
    ]  # fmt: skip
    cohorts = [read_cohort(tmp_path / "sites" / site.name) for site in result.sites]
    assert len({patient for cohort in cohorts for patient in cohort.patients}) == 9


def test_a_modality_may_be_missing_by_site_but_never_both(source, tmp_path):
    division = Division(by="iid", sites=3, min_patients=3, without_slides=2, without_omics=1)
    partition(source, out=tmp_path / "sites", division=division)
    cohorts = [read_cohort(folder) for folder in sorted((tmp_path / "sites").iterdir())]
    held = sorted((cohort.feature_width > 0, bool(cohort.tables)) for cohort in cohorts)
    assert held == [(False, True), (False, True), (True, False)]


def test_which_sites_lack_a_modality_follows_the_seed(source, tmp_path):
    def lacking(seed):
        out = tmp_path / f"sites-{seed}-{len(list(tmp_path.iterdir()))}"
        division = Division(by="time", sites=4, min_patients=2, without_slides=1, seed=seed)
        found = partition(source, out=out, division=division).sites
        return [site.name for site in found if not site.slides]

    assert lacking(1) == lacking(1)
    assert len({tuple(lacking(seed)) for seed in range(6)}) > 1


@pytest.mark.parametrize(
    ("settings", "match"),
    [
        ({"small": "pol"}, "--small must be pool or drop, got 'pol'. Did you mean 'pool'"),
        ({"by": "sit"}, r"--by must be hospital, a clinical .* got 'sit'. Did you mean 'site'"),
        (
            {"min_patients": 50, "small": "drop"},
            "must leave a hospital, got 50 where the largest has 4",
        ),
        ({"by": "iid"}, "--sites must be given with --by iid, got none"),
        ({"sites": 3}, "--sites must go with --by iid, .*, got --by hospital. Leave it out"),
        ({"alpha": 1.0}, "--alpha must go with --by dirichlet-time, quantity, censoring, got"),
        ({"by": "time", "sites": 3, "alpha": 1.0}, "--alpha must go with .* got --by time"),
        ({"without_slides": -1}, "--without-slides and --without-omics must be >= 0"),
        (
            {"min_patients": 3, "without_slides": 2, "without_omics": 2},
            r"must leave each site one of the two, got 2 \+ 2 of 3 sites",
        ),
    ],
)
def test_setting_that_does_not_fit_is_an_error(source, tmp_path, settings, match):
    with pytest.raises(ConfigError, match=match):
        partition(source, out=tmp_path / "sites", division=Division(**settings))
    assert not (tmp_path / "sites").exists()


@pytest.mark.parametrize(
    ("old", "new", "match"),
    [
        (
            "DU-1,DU-1.svs,DU",
            "02-1,DU-1.svs,DU",
            "must belong to one hospital, got several at 02-1",
        ),
        (".svs,DU,", ".svs,,", "must be a name that can be a folder's, got ''"),
        (".svs,DU,", ".svs,../DU,", r"must be a name that can be a folder's, got '../DU'"),
        ("case_id", "id", "must have one column of patient, patient_id, case_id, got none"),
    ],
)
def test_cohort_that_cannot_be_divided_is_an_error(source, tmp_path, old, new, match):
    clinical = source / "clinical.csv"
    clinical.write_text(clinical.read_text().replace(old, new), encoding="utf-8")
    with pytest.raises(SiteError, match=match):
        partition(source, out=tmp_path / "sites")


def test_missing_cohort_is_an_error(tmp_path):
    with pytest.raises(SiteError, match="Cohort folder must exist"):
        partition(tmp_path / "no", out=tmp_path / "sites")


def test_patient_twice_in_the_genomics_table_is_an_error(source, tmp_path):
    table = pd.DataFrame({"case_id": ["02-0", "02-0"], "A_cnv": 1})
    table.to_parquet(source / "genomics.parquet")
    with pytest.raises(SiteError, match="Genomics table must have one row a patient"):
        partition(source, out=tmp_path / "sites")


@pytest.mark.data
@pytest.mark.skipif("CONCORD_DATA" not in os.environ, reason="CONCORD_DATA is not set")
def test_real_glioma_cohort_becomes_eight_sites_without_a_finding(tmp_path):
    cohort = Path(os.environ["CONCORD_DATA"]) / "tcga_gbmlgg"
    result = partition(cohort, out=tmp_path / "sites")
    cohorts = [read_cohort(tmp_path / "sites" / site.name) for site in result.sites]
    assert len(cohorts) == 8
    # the published counts: 569 patients, 492 with slides, 187 deaths
    assert sum(len(cohort.patients) for cohort in cohorts) == 569
    assert sum(int(cohort.has_slides.sum()) for cohort in cohorts) == 492
    assert sum(int(cohort.event.sum()) for cohort in cohorts) == 187
