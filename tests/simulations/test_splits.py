import pandas as pd
import pytest

from client.settings import site_folders
from fusion.errors import ConfigError, SiteError
from fusion.readers.cohort import read_cohort
from simulations.cli import main
from simulations.partition import Division, partition


@pytest.fixture
def published(cohort, tmp_path):
    """A published split that also moves every patient to one of two centres."""
    patients = pd.read_csv(cohort / "clinical.csv")["patient"].drop_duplicates()
    words = ["train", "train", "validation", "test"] * 18
    sites = ["north", "south"] * 36
    table = pd.DataFrame({"patient": patients, "split": words, "site": sites})
    table.to_csv(tmp_path / "published.csv", index=False)
    return table.set_index("patient")


def read_all(sites):
    return {cohort.name: cohort for cohort in map(read_cohort, site_folders(sites))}


def test_sites_get_the_splits_and_centres_of_the_file(cohort, published, tmp_path, capsys):
    words = ["partition", "--cohort", str(cohort), "--splits", str(tmp_path / "published.csv")]
    assert main([*words, "--out", str(tmp_path / "sites")]) == 0
    assert "south" in capsys.readouterr().out
    found = read_all(tmp_path / "sites")
    assert set(found) == {"north", "south"}
    for name, site in found.items():
        expected = published.loc[list(site.patients)]
        assert site.fixed_split.tolist() == expected["split"].tolist()
        assert set(expected["site"]) == {name}


def test_without_a_site_column_the_hospitals_stay(cohort, published, tmp_path):
    published["split"].reset_index().to_csv(tmp_path / "splits.csv", index=False)
    division = Division(splits=tmp_path / "splits.csv")
    partition(cohort, out=tmp_path / "sites", division=division)
    assert set(read_all(tmp_path / "sites")) == {"bergen", "lyon", "porto"}


@pytest.mark.parametrize(
    ("change", "match"),
    [
        (lambda t: t.iloc[1:], "got no row for bergen-0000. Mend"),
        (lambda t: t.rename(index={"lyon-0003": "lyon-3"}), "got no row for lyon-0003"),
        (lambda t: pd.concat([t, t.iloc[:2]]), "got several rows for bergen-0000, bergen-0001"),
        (
            lambda t: pd.concat([t, t.iloc[:1].rename(index={"bergen-0000": "mx"})]),
            "got a row, though nobody is called so, for mx",
        ),
        (
            lambda t: t.replace("test", "tset"),
            "Split must be train, validation or test, got 'tset'",
        ),
        (lambda t: t.rename(columns={"split": "fold"}), "must have a column `split`, got none"),
    ],
)
def test_a_file_that_does_not_fit_is_an_error(cohort, published, tmp_path, change, match):
    change(published).to_csv(tmp_path / "splits.csv")
    with pytest.raises(ConfigError, match=match):
        partition(cohort, out=tmp_path / "sites", division=Division(splits=tmp_path / "splits.csv"))
    assert not (tmp_path / "sites").exists()


def test_a_missing_file_is_an_error(cohort, tmp_path):
    with pytest.raises(SiteError, match="File of splits must exist"):
        partition(cohort, out=tmp_path / "sites", division=Division(splits=tmp_path / "no.csv"))
