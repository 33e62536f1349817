import json
from functools import reduce
from operator import add

import numpy as np
import pytest

from fusion.errors import ConfigError
from fusion.readers.bags import BagReader
from fusion.readers.components import (
    ProductSums,
    Projection,
    mean_patches,
    principal_components,
    product_sums,
    table_rows,
    transform_tables,
    triangle_length,
)
from fusion.readers.formats.registry import SlideFile
from fusion.readers.omics import OmicsVector
from fusion.readers.scaling import Scaling

CUTS = (6, 14)


def patients(number=30, columns=8, seed=0):
    """Correlated columns of falling variance; the last one is constant."""
    rng = np.random.default_rng(seed)
    values = rng.normal(size=(number, columns)) * np.geomspace(4, 0.5, columns)
    values = values @ np.linalg.qr(rng.normal(size=(columns, columns)))[0] + 0.3
    values[:, -1] = 0.0
    return values


def federated(parts, number):
    found = [product_sums(part) for part in parts]
    total = reduce(add, [sums for sums in found if sums is not None])
    return principal_components(total, number=number, name="rna")


def pooled(values, number):
    """Components after the textbook: the right singular vectors of the centred patients."""
    centred = values - values.mean(axis=0)
    _, size, axes = np.linalg.svd(centred, full_matrices=False)
    axes = axes[:number].T
    axes = axes * np.sign(axes[np.abs(axes).argmax(axis=0), np.arange(number)])
    return axes, centred @ axes / (size[:number] / np.sqrt(len(values))), size


def test_components_of_three_sites_are_those_of_all_patients_together():
    values = patients()
    found = federated(np.split(values, CUTS), 4)
    axes, scores, size = pooled(values, 4)
    deviations = size[:4] / np.sqrt(len(values))
    np.testing.assert_allclose(found.weights * deviations, axes, rtol=0, atol=1e-8)
    np.testing.assert_allclose(found.apply(values), scores, rtol=0, atol=1e-8)
    assert found.share == pytest.approx((size[:4] ** 2).sum() / (size**2).sum(), abs=1e-10)


def test_more_columns_than_patients_are_no_hindrance():
    values = patients(number=12, columns=40)
    _, scores, _ = pooled(values, 5)
    found = federated(np.split(values, [5]), 5)
    np.testing.assert_allclose(found.apply(values), scores, rtol=0, atol=1e-8)


def test_components_have_mean_0_and_deviation_1_and_are_not_correlated():
    values = patients()
    scores = federated([values], 3).apply(values)
    np.testing.assert_allclose(scores.mean(axis=0), 0, atol=1e-12)
    np.testing.assert_allclose(scores.T @ scores / len(values), np.eye(3), atol=1e-12)


def test_the_sign_is_that_of_the_largest_loading_even_if_two_are_as_large():
    # x2 = -x1: both load with the same magnitude, the first is made positive
    half = np.arange(6.0)
    for values in (np.column_stack([half, -half]), np.column_stack([-half, half])):
        assert federated([values[:3], values[3:]], 1).weights[0, 0] > 0


def test_a_site_without_the_table_changes_nothing():
    values = patients()
    one, other = federated([values], 2), federated([values, values[:0]], 2)
    np.testing.assert_array_equal(one.weights, other.weights)


@pytest.mark.parametrize("number", [0, 1, 2])
def test_fewer_than_three_patients_send_nothing(number):
    assert product_sums(patients()[:number]) is None


def test_two_patients_would_be_read_off_their_sums():
    """Why three: with s = a + b and P = aa' + bb', 2P - ss' = (a - b)(a - b)'."""
    a, b = patients()[:2]
    total, products = a + b, np.outer(a, a) + np.outer(b, b)
    left = 2 * products - np.outer(total, total)
    difference = left[0] / np.sqrt(left[0, 0]) * np.sign(a[0] - b[0])
    np.testing.assert_allclose((total + difference) / 2, a, atol=1e-10)


def test_a_column_in_which_one_patient_stands_apart_is_left_out():
    # column 0: the last patient alone has the mutation; its products would be that patient's row
    values = np.array([[0.0, 1, 5], [0, 2, 5], [0, 4, 5], [3, 8, 5]])
    sums = product_sums(values)
    assert sums.products[1].tolist() == [0, 0, 0, 0]
    # 1 + 2 + 4 + 8 = 15; squares 1 + 4 + 16 + 64 = 85; 15 * 5 = 75
    assert sums.products[2].tolist() == [15, 0, 85, 75]
    two = product_sums(np.array([[0.0, 1], [0, 2], [3, 4], [3, 8]]))
    # 3 + 3 = 6; 9 + 9 = 18; 3 * 4 + 3 * 8 = 36
    assert two.products[1].tolist() == [6, 18, 36]


def test_sums_travel_as_a_triangle():
    sums = product_sums(patients())
    assert sums.to_array().shape == (triangle_length(8),)
    back = ProductSums.from_array(sums.to_array(), 8)
    np.testing.assert_array_equal(back.products, sums.products)
    with pytest.raises(ValueError, match="reshape"):
        ProductSums.from_array(sums.to_array(), 9)


def test_more_components_than_vary_are_refused():
    # 8 columns, one of them constant, of 30 patients: 7; of 5 patients: 4
    with pytest.raises(
        ConfigError, match=r"at most the 7 components that vary in 8 columns of rna"
    ):
        federated([patients()], 8)
    with pytest.raises(ConfigError, match=r"at most the 4 components .* among 5 patients, got 5"):
        federated([patients()[:5]], 5)
    with pytest.raises(ConfigError, match=r"at most the 0 components"):
        federated([np.zeros((5, 2))], 1)


def test_a_projection_survives_json():
    found = federated([patients()], 3)
    again = Projection.from_dict(json.loads(json.dumps(found.to_dict())))
    np.testing.assert_array_equal(again.weights, found.weights)
    np.testing.assert_array_equal(again.offset, found.offset)


def test_the_mean_of_projected_patches_is_the_projected_mean_patch(tmp_path, bag):
    values = np.random.default_rng(1).normal(size=(7, 8))
    reader = BagReader(((SlideFile(bag(tmp_path / "a.h5", values)),), ()), 8)
    mean = mean_patches(reader, patients=range(2), width=8, chunk=3)
    assert mean.shape == (1, 8)
    found = federated([patients()], 3)
    patches = next(reader.chunks(0, 10)).astype(np.float64)
    np.testing.assert_allclose(found.apply(patches).mean(axis=0), found.apply(mean)[0], atol=1e-12)


@pytest.fixture
def measured():
    """Two genes, two columns of another table and the age; the last patient lacks rna."""
    values = np.random.default_rng(2).normal(size=(5, 5)).astype(np.float32)
    values[4, :2] = np.nan
    values[0, 1] = np.nan
    names = ("rna:A", "rna:B", "cnv:A", "cnv:B", "clinical:age")
    vector = OmicsVector(names, values, np.ones(5, bool), np.zeros(5, bool))
    return vector, Scaling(names, np.full(5, 0.5), np.full(5, 2.0), *np.zeros((2, 0)), 0.0)


def test_rows_are_the_chosen_patients_who_have_the_table(measured):
    vector, scaling = measured
    rows = table_rows(vector, scaling, table="rna", patients=[0, 3, 4])
    a, b = vector.values[[0, 3], :2].astype(np.float64)
    expected = [[(a[0] - 0.5) / 2, 0.0], (b - 0.5) / 2]  # not known: the mean
    np.testing.assert_allclose(rows, expected, rtol=1e-12)


def test_only_the_named_table_is_projected(measured):
    vector, scaling = measured
    projection = Projection(np.array([[2.0], [1.0]]), np.array([3.0]), 1.0)
    found = transform_tables(vector, scaling, {"rna": projection})
    plain = scaling.transform_omics(vector)
    assert list(found) == ["rna", "cnv", "clinical"]
    np.testing.assert_array_equal(found["cnv"], plain[:, 2:4])
    expected = 2 * plain[:, 0] + plain[:, 1] - 3
    expected[4] = 0  # lacks the table: the mean of the component
    np.testing.assert_allclose(found["rna"][:, 0], expected, rtol=1e-5)
