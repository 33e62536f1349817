import json

import numpy as np
import pytest

from client.components import multiply
from client.site import open_site
from fusion.readers.components import ProductSums
from fusion.readers.scaling import Scaling

SCALING = Scaling(("rna:GENE02", "rna:GENE01"), np.zeros(2), np.ones(2),
                  np.zeros(24), np.ones(24), 0.0)  # fmt: skip
WORDS = {
    "components": ["rna", "slides"], "scaling": json.dumps(SCALING.to_dict()), "tables": ["rna"],
    "clinical": [], "features": list(SCALING.names), "slides": True,
}  # fmt: skip


def test_products_are_of_training_patients_who_have_the_table(settings_at):
    settings = settings_at()
    site, sums = open_site(settings), multiply(settings, WORDS).sums
    table, train = site.cohort.tables["rna"], np.array(site.rows("train"))
    values = table.values[train[table.present[train]]][:, [1, 0]].astype(np.float64)
    found = ProductSums.from_array(sums["components:rna"], 2)
    assert found.patients == len(values)
    np.testing.assert_allclose(found.products[1:, 1:], values.T @ values, rtol=1e-12)


def test_slides_are_one_row_a_patient(settings_at):
    settings = settings_at()
    site = open_site(settings)
    found = ProductSums.from_array(multiply(settings, WORDS).sums["components:slides"], 24)
    have = [row for row in site.rows("train") if site.cohort.has_slides[row]]
    patches = [next(site.bags.chunks(row, 10_000)).astype(np.float64) for row in have]
    means = np.stack([bag.mean(axis=0) for bag in patches])
    assert found.patients == len(have)
    np.testing.assert_allclose(found.products[0, 1:], means.sum(axis=0), rtol=1e-10, atol=1e-12)
    np.testing.assert_allclose(found.products[1:, 1:], means.T @ means, rtol=1e-9, atol=1e-10)


@pytest.mark.parametrize(("training", "sent"), [(1, 0), (2, 0), (12, 2)])
def test_a_site_with_too_few_training_patients_sends_nothing(settings_at, training, sent):
    settings = settings_at()
    site = open_site(settings)
    site.split[:] = "test"
    complete = site.cohort.has_slides & site.cohort.tables["rna"].present
    site.split[np.flatnonzero(complete)[:training]] = "train"
    assert len(multiply(settings, WORDS).sums) == sent


def test_a_site_without_the_table_or_without_slides_sends_nothing_for_it(
    settings_at, own_hospitals
):
    path = own_hospitals / "lyon" / "site.toml"
    text = path.read_text()
    path.write_text(text.replace('[omics]\nrna = "rna.parquet"\n', ""))
    assert set(multiply(settings_at(sites=own_hospitals), WORDS).sums) == {"components:slides"}
