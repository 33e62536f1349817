"""A cohort folder of synthetic hospitals, as `partition` and `cross-validate` read it."""

import pandas as pd
import pytest


@pytest.fixture(scope="session")
def cohort(hospitals, tmp_path_factory):
    """The patients of three hospitals in one folder: clinical.csv, genomics, patch_features."""
    folder = tmp_path_factory.mktemp("cohort") / "cohort"
    bags = folder / "patch_features"
    bags.mkdir(parents=True)
    clinical, genes = [], []
    for site in sorted(hospitals.iterdir()):
        clinical.append(pd.read_csv(site / "clinical.csv").assign(site=site.name))
        genes.append(pd.read_parquet(site / "rna.parquet"))
        for path in (site / "patch_features").iterdir():
            (bags / path.name).hardlink_to(path)
    pd.concat(clinical).fillna("").to_csv(folder / "clinical.csv", index=False)
    table = pd.concat(genes, ignore_index=True)
    table.columns = ["patient", *(f"{name}_rnaseq" for name in table.columns[1:])]
    table.to_parquet(folder / "genomics.parquet", index=False)
    return folder
