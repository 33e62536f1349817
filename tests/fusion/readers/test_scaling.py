import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from fusion.errors import ConfigError, SiteError
from fusion.readers.bags import BagReader
from fusion.readers.formats.registry import SlideFile
from fusion.readers.omics import OmicsVector
from fusion.readers.scaling import (
    Scaling,
    ScalingSums,
    clipped_shares,
    omics_sums,
    slide_sums,
)

MATRICES = arrays(np.float32, (9, 3), elements=st.floats(-4, 4, width=32))


def vector_of(values, names=("rna:A", "rna:B", "clinical:age")):
    values = np.asarray(values, np.float32)
    people = np.ones(len(values), bool)
    return OmicsVector(names[: values.shape[1]], values, people, ~people)


def everybody(vector):
    return np.ones(len(vector.values), bool)


@settings(max_examples=40, deadline=None)
@given(values=MATRICES, cut=st.integers(1, 8))
def test_sums_of_two_sites_are_the_sums_of_all(values, cut):
    pooled = omics_sums(vector_of(values), training=np.ones(9, bool), clip=5.0)
    parts = [
        omics_sums(vector_of(part), training=np.ones(len(part), bool), clip=5.0)
        for part in (values[:cut], values[cut:])
    ]
    np.testing.assert_allclose((parts[0] + parts[1]).to_array(), pooled.to_array(), rtol=1e-12)


@settings(max_examples=40, deadline=None)
@given(values=MATRICES)
def test_moments_are_those_of_numpy(values):
    mean, sd = omics_sums(vector_of(values), training=np.ones(9, bool), clip=0.0).moments()
    np.testing.assert_allclose(mean, values.astype(float).mean(axis=0), atol=1e-12)
    np.testing.assert_allclose(sd, values.astype(float).std(axis=0), atol=1e-5)


def test_only_training_patients_with_a_known_value_enter():
    vector = vector_of([[1.0], [3.0], [np.nan], [100.0]])
    sums = omics_sums(vector, training=np.array([True, True, True, False]), clip=0.0)
    np.testing.assert_array_equal(sums.to_array(), [[2], [4], [10]])  # 1 + 3, 1 + 9


def test_omics_are_cut_before_the_sums_and_clinical_columns_never():
    values = np.zeros((30, 3))
    values[0] = [3515, 0, 80]
    sums = omics_sums(vector_of(values), training=np.ones(30, bool), clip=5.0)
    np.testing.assert_array_equal(sums.total, [5, 0, 80])


def test_unscaled_table_is_an_error():
    vector = vector_of([[8.0, 0.1], [9.0, 0.2]])  # 2 of 4 values beyond 5
    with pytest.raises(SiteError, match=r"Omics table rna must be scaled .* got 50% .* beyond 5"):
        omics_sums(vector, training=everybody(vector), clip=5.0)
    assert clipped_shares(vector, 5.0, everybody(vector)) == {"rna": 0.5}
    assert clipped_shares(vector, 0.0, everybody(vector)) == {"rna": 0.0}


def test_patient_counts_once_however_many_patches(tmp_path, bag):
    one = bag(tmp_path / "one.h5", np.array([[2.0, 0.0, 1.0]]))
    two = bag(tmp_path / "two.h5", np.array([[0.0, 1.0, 1.0], [4.0, 3.0, 1.0]]))
    sums = slide_sums(
        BagReader(((SlideFile(one),), (SlideFile(two),), ()), 3),
        patients=range(3),
        width=3,
        chunk=1,
    )
    # means: [2, 0, 1] + [2, 2, 1]; mean squares: [4, 0, 1] + [(0+16)/2, (1+9)/2, 1]
    np.testing.assert_array_equal(sums.to_array(), [[2, 2, 2], [4, 2, 2], [12, 5, 2]])


def test_scaled_training_values_have_mean_0_and_sd_1():
    values = np.random.default_rng(0).normal(3, 2, (200, 3))
    vector = vector_of(values)
    sums = omics_sums(vector, training=everybody(vector), clip=0.0)
    scaled = Scaling.from_sums(sums, None, names=vector.names, clip=0.0).transform_omics(vector)
    np.testing.assert_allclose(scaled.mean(axis=0), 0, atol=1e-5)
    np.testing.assert_allclose(scaled.std(axis=0), 1, atol=1e-5)


def test_constant_feature_and_unknown_value_become_zero():
    vector = vector_of([[0.1, 1.0], [0.1, np.nan], [0.1, 3.0]])
    sums = omics_sums(vector, training=everybody(vector), clip=5.0)
    scaled = Scaling.from_sums(sums, None, names=vector.names, clip=5.0).transform_omics(vector)
    np.testing.assert_allclose(scaled, [[0, -1], [0, 0], [0, 1]], atol=1e-6)


def test_feature_nobody_has_becomes_zero():
    vector = vector_of([[np.nan], [np.nan]])
    sums = omics_sums(vector, training=everybody(vector), clip=5.0)
    scaled = Scaling.from_sums(sums, None, names=vector.names, clip=5.0).transform_omics(vector)
    np.testing.assert_array_equal(scaled, [[0], [0]])


def test_patches_are_scaled_and_a_constant_feature_becomes_zero():
    sums = ScalingSums(np.full(2, 2.0), np.array([4.0, 2.0]), np.array([16.0, 2.0]))
    scaling = Scaling.from_sums(None, sums, names=(), clip=5.0)
    # feature 0: mean 2, mean square 8, sd 2; feature 1: mean 1, mean square 1, sd 0
    patches = scaling.transform_patches(np.array([[4, 7], [0, 1]], np.float32))
    np.testing.assert_array_equal(patches, [[1, 0], [-1, 0]])


def test_scaling_survives_json():
    vector = vector_of(np.random.default_rng(0).normal(size=(20, 3)))
    sums = omics_sums(vector, training=everybody(vector), clip=5.0)
    scaling = Scaling.from_sums(sums, sums, names=vector.names, clip=5.0)
    again = Scaling.from_dict(json.loads(json.dumps(scaling.to_dict())))
    np.testing.assert_array_equal(again.transform_omics(vector), scaling.transform_omics(vector))
    assert ScalingSums.from_array(sums.to_array()).total.tolist() == sums.total.tolist()


def test_features_in_another_order_are_an_error():
    vector = vector_of([[1.0, 2.0]])
    scaling = Scaling(("rna:B", "rna:A"), *np.zeros((2, 2)), np.zeros(0), np.zeros(0), 5.0)
    with pytest.raises(ConfigError, match="Features must be the 2 of this scaling"):
        scaling.transform_omics(vector)
