import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fusion.errors import FederationError
from fusion.interaction.quantities import RATIOS, blocks, quantities
from fusion.interaction.tallies import AuditTally, audit_tally


def tally_of(cohort, rows=slice(None), **more):
    return audit_tally(
        cohort.values[rows],
        modalities=cohort.modalities,
        time=cohort.time[rows],
        event=cohort.event[rows],
        **more,
    )


@pytest.mark.parametrize("modalities", [2, 3, 4, 5])
@pytest.mark.parametrize("block", RATIOS)
def test_moments_are_the_mean_and_covariance_of_the_quantities(cohort_of, modalities, block):
    cohort = cohort_of(40, modalities=modalities)
    tally = tally_of(cohort)
    rows = quantities(cohort.values, tally.reference)[:, blocks(modalities)[block]]
    mean, covariance = tally.moments(block)
    np.testing.assert_allclose(mean, rows.mean(axis=0), atol=1e-12)
    np.testing.assert_allclose(covariance, np.cov(rows, rowvar=False), atol=1e-10)


@pytest.mark.parametrize("block", ["local", "published", "moebius", "signs", "sizes"])
def test_moments_of_a_block_of_means_are_its_variances(cohort_of, block):
    cohort = cohort_of(40)
    rows = quantities(cohort.values, 0.0)[:, blocks(2)[block]]
    _, covariance = tally_of(cohort).moments(block)
    np.testing.assert_allclose(covariance, np.diag(rows.var(axis=0, ddof=1)), atol=1e-12)


def test_two_sites_add_to_the_tally_of_all_their_patients(cohort_of):
    cohort = cohort_of(30)
    a, b, whole = (tally_of(cohort, rows) for rows in (slice(0, 11), slice(11, 30), slice(None)))
    for name in ("count", "sums", "cross"):
        np.testing.assert_allclose(getattr(a + b, name), getattr(whole, name), atol=1e-10)


@settings(max_examples=30)
@given(st.floats(-50, 50), st.floats(-50, 50))
def test_the_offset_of_each_sites_output_survives_addition(first, second):
    # each site under its own v(empty): the sum must equal one tally of all patients
    rng = np.random.default_rng(3)
    values = rng.normal(size=(20, 4)) + np.repeat([[first], [second]], 10, axis=0)
    none = {"time": np.ones(20), "event": np.zeros(20, dtype=bool), "modalities": ("a", "b")}
    half = {"time": np.ones(10), "event": np.zeros(10, dtype=bool), "modalities": ("a", "b")}
    added = audit_tally(values[:10], **half) + audit_tally(values[10:], **half)
    mean, covariance = audit_tally(values, **none)._shifted(added.reference).moments("variance")
    np.testing.assert_allclose(added.moments("variance")[0], mean, rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(added.moments("variance")[1], covariance, rtol=1e-6, atol=1e-4)


def test_an_empty_site_changes_only_the_excluded(cohort_of):
    cohort = cohort_of(12)
    cohort.values = cohort.values + 2.0
    full, empty = tally_of(cohort), tally_of(cohort, slice(0, 0), excluded=3)
    for added in (full + empty, empty + full):
        assert (added.count, added.excluded, added.reference) == (12, 3, full.reference)
        np.testing.assert_array_equal(added.sums, full.sums)
        np.testing.assert_array_equal(added.cross, full.cross)


def test_pairs_across_sites_are_not_counted(cohort_of):
    cohort = cohort_of(30)
    a, b = tally_of(cohort, slice(0, 15)), tally_of(cohort, slice(15, 30))
    assert (a + b).comparable == a.comparable + b.comparable < tally_of(cohort).comparable


@pytest.mark.parametrize("modalities", [2, 3, 4, 5])
def test_the_wire_keeps_every_number(cohort_of, modalities):
    tally = tally_of(cohort_of(9, modalities=modalities), excluded=2)
    back = AuditTally.from_array(tally.to_array(), tally.modalities)
    assert tally.to_array().ndim == 1
    np.testing.assert_array_equal(back.to_array(), tally.to_array())
    assert (back.count, back.excluded, back.modalities) == (9, 2, tally.modalities)


@pytest.mark.parametrize("spoil", [lambda a: a[1:], lambda a: a * np.nan, lambda a: -a])
def test_a_vector_that_does_not_fit_is_refused(cohort_of, spoil):
    array = tally_of(cohort_of(9)).to_array()
    with pytest.raises(FederationError, match="Audit of 2 modalities must be"):
        AuditTally.from_array(spoil(array), ("slides", "omics"))


def test_audits_of_other_modalities_do_not_add(cohort_of):
    two, three = (tally_of(cohort_of(9, modalities=number)) for number in (2, 3))
    with pytest.raises(FederationError, match="must have the same modalities"):
        two + three


@pytest.mark.parametrize("names", [("a",), ("a", "b", "c"), ("a", "a")])
def test_names_must_fit_the_coalitions(names):
    with pytest.raises(FederationError, match="must be 2 different names for 4 coalitions"):
        audit_tally(np.zeros((2, 4)), modalities=names, time=np.ones(2), event=np.ones(2, bool))


@pytest.mark.parametrize("name", ["interaction", "full", "a+b"])
def test_a_name_that_means_something_else_is_refused(name):
    with pytest.raises(FederationError, match="must be no word of the audit"):
        audit_tally(
            np.zeros((1, 4)), modalities=(name, "b"), time=np.ones(1), event=np.ones(1, bool)
        )


def test_values_that_are_not_finite_are_refused():
    values = np.array([[0, 1, np.nan, 2.0]])
    with pytest.raises(FederationError, match="must be finite, got 1 that are not"):
        audit_tally(values, modalities=("a", "b"), time=np.ones(1), event=np.ones(1, bool))
