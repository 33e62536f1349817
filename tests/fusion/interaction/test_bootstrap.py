import json

import numpy as np
import pytest

from fusion.errors import FederationError
from fusion.interaction.bootstrap import Replicates, beside, poisson_weights, replicates, without
from fusion.interaction.figures import audit_figures
from fusion.interaction.tallies import audit_tally

DEFINITIONS = ("local", "ratio", "global", "published", "moebius", "variance")
SECRET = b"kept at the site"


def named(patients):
    return [f"p{row}" for row in range(patients)]


def drawn(values, *, number=200, modalities=("slides", "omics"), secret=SECRET, clip=0.0):
    weights = poisson_weights(named(len(values)), number=number, secret=secret)
    return replicates(values, modalities=modalities, weights=weights, clip=clip)


def figures_of(values, modalities=("slides", "omics")):
    time, event = np.arange(1.0, len(values) + 1), np.zeros(len(values), dtype=bool)
    return audit_figures(audit_tally(values, modalities=modalities, time=time, event=event), {})


def test_weights_are_poisson_with_mean_one():
    weights = poisson_weights(named(1000), number=200, secret=SECRET)
    # 200,000 draws: P(0) = P(1) = .36788, P(2) = .18394, P(5) = .00307; SE below .0011
    for count, share in ((0, 0.36788), (1, 0.36788), (2, 0.18394), (5, 0.00307)):
        assert (weights == count).mean() == pytest.approx(share, abs=0.004)
    assert weights.mean() == pytest.approx(1, abs=0.01)
    assert weights.var() == pytest.approx(1, abs=0.02)


def test_weights_of_patients_and_replicates_are_independent():
    weights = poisson_weights(named(300), number=300, secret=SECRET)
    for table in (weights, weights.T):
        off = np.corrcoef(table)[~np.eye(300, dtype=bool)]
        assert off.std() == pytest.approx(1 / np.sqrt(300), rel=0.05)


def test_a_patient_s_weights_do_not_depend_on_the_others():
    alone = poisson_weights(["b"], number=50, secret=SECRET)[:, 0]
    among = poisson_weights(["a", "b", "c"], number=50, secret=SECRET)[:, 1]
    assert (alone == among).all()


def test_more_replicates_begin_with_the_same_ones():
    few, many = (poisson_weights(named(5), number=n, secret=SECRET) for n in (20, 60))
    assert (many[:20] == few).all()


@pytest.mark.parametrize("secret", [b"another", b"kept at the sit"])
def test_another_secret_gives_other_weights(secret):
    a, b = (poisson_weights(named(40), number=40, secret=s) for s in (SECRET, secret))
    assert abs(np.corrcoef(a.ravel(), b.ravel())[0, 1]) < 0.1


def test_a_secret_and_a_patient_are_not_confused():
    a = poisson_weights(["bc"], number=40, secret=b"a")
    b = poisson_weights(["c"], number=40, secret=b"ab")
    assert (a != b).any()


def test_a_replicate_is_the_audit_of_the_repeated_patients(cohort_of):
    cohort = cohort_of(60, modalities=3)
    values, modalities = cohort.values + np.array([0.0, 1, 0.5, 2, 0, 1, 1, 3]), cohort.modalities
    weights = poisson_weights(named(60), number=30, secret=SECRET)
    entry = beside(figures_of(values, modalities), drawn(values, number=30, modalities=modalities))
    repeated = [
        figures_of(np.repeat(values, row.astype(int), axis=0), modalities)["shares"]
        for row in weights
    ]
    for name in DEFINITIONS:
        got = entry["shares"][name]["bootstrap"]["interaction"]
        expected = np.array([draw[name]["interaction"] for draw in repeated])
        assert got["standard_error"] == pytest.approx(expected.std(ddof=1))
        assert got["low"] == pytest.approx(np.quantile(expected, 0.025))


def test_it_agrees_with_the_delta_method_on_many_patients(cohort_of):
    # the standard deviation of 1000 replicates is itself known to 1 / sqrt(2000) = 2.2%
    values = cohort_of(5000, strength=0.7).values + np.array([0, 0.4, 0.5, 1.5])
    shares = beside(figures_of(values), drawn(values, number=1000))["shares"]
    for name in DEFINITIONS:
        for part, error in shares[name]["standard_errors"].items():
            found = shares[name]["bootstrap"][part]["standard_error"]
            assert found == pytest.approx(error, rel=0.08), (name, part)


def test_its_interval_agrees_with_the_delta_method_s_on_many_patients(cohort_of):
    values = cohort_of(5000, strength=0.7).values + np.array([0, 0.4, 0.5, 1.5])
    shares = beside(figures_of(values), drawn(values, number=1000))["shares"]
    for name in DEFINITIONS:
        width = shares[name]["high"] - shares[name]["low"]
        for end in ("low", "high"):
            found = shares[name]["bootstrap"]["interaction"][end]
            assert found == pytest.approx(shares[name][end], abs=0.08 * width), (name, end)


def test_near_a_corner_it_says_what_the_delta_method_cannot():
    """m12 is 1 or -1: `global` is |mean m12| / (...), at the corner of the |.|."""
    sign = np.tile([1.0, -1.0], 20)
    values = np.column_stack([np.zeros(40), np.ones(40), np.ones(40), 2 + sign])
    values[0, 3] += 0.01
    entry = beside(figures_of(values), drawn(values, number=400))["shares"]["global"]
    # mean m12 = .00025: figure .00025 / 2.00025. Over samples of 40 the mean has sd 1/sqrt(40) =
    # .158, so 95% of |mean| lie below .31 and the figure below .31 / 2.31 = .134
    assert entry["value"] < 0.001
    assert (entry["low"], entry["high"]) == pytest.approx((0, 1), abs=0.01)
    found = entry["bootstrap"]["interaction"]
    assert 0 <= found["low"] < 0.01
    assert found["high"] == pytest.approx(0.134, abs=0.03)


def test_sites_replicates_add_up_to_the_pooled_ones(cohort_of):
    values = cohort_of(90).values + np.random.default_rng(1).normal(size=(90, 1))
    weights = poisson_weights(named(90), number=50, secret=SECRET)
    parts = [
        replicates(values[rows], modalities=("slides", "omics"), weights=weights[:, rows])
        for rows in np.split(np.arange(90), [0, 20, 31])
    ]
    pooled = beside(figures_of(values), drawn(values, number=50))
    added = beside(figures_of(values), parts[0] + parts[1] + parts[2] + parts[3])
    for name in DEFINITIONS:
        for part, entry in pooled["shares"][name]["bootstrap"].items():
            assert added["shares"][name]["bootstrap"][part] == pytest.approx(entry, abs=1e-10)


def test_replicates_survive_the_wire(cohort_of):
    made = drawn(cohort_of(20, modalities=3).values, number=7, modalities=("a", "b", "c"))
    read = Replicates.from_array(made.to_array(), made.modalities, 7)
    assert (read.to_array() == made.to_array()).all()


@pytest.mark.parametrize("change", [
    lambda array: array[:-1], lambda array: np.where(np.arange(len(array)) == 9, np.nan, array),
    lambda array: np.where(np.arange(len(array)) == 1, -1.0, array),
])  # fmt: skip
def test_replicates_that_cannot_be_read_are_refused(cohort_of, change):
    array = drawn(cohort_of(20).values, number=7).to_array()
    with pytest.raises(FederationError, match=r"7 replicates must be \d+ finite numbers"):
        Replicates.from_array(change(array), ("slides", "omics"), 7)


def test_another_number_of_replicates_is_not_added(cohort_of):
    values = cohort_of(20).values
    with pytest.raises(FederationError, match="must agree in modalities and number"):
        drawn(values, number=7) + drawn(values, number=8)


@pytest.mark.parametrize("values", [np.zeros((0, 4)), np.zeros((5, 4)), np.eye(1, 4)])
def test_what_no_replicate_has_is_told_with_a_reason(values):
    result = beside(figures_of(values), drawn(values, number=100))
    json.dumps(result, allow_nan=False)
    entry = result["shares"]["variance"]["bootstrap"]
    assert entry["reason"] == "only 0 of 100 replicates have the figure"


def test_a_missing_bootstrap_says_why(cohort_of):
    result = without(figures_of(cohort_of(20).values), "lyon has too few patients")
    entries = [entry["bootstrap"] for entry in result["shares"].values()]
    assert {entry["reason"] for entry in entries} == {"lyon has too few patients"}
    assert result["signed"]["bootstrap"]["replicates"] == 0


def test_the_sign_has_an_interval_too(cohort_of):
    values = cohort_of(2000).values
    signed = beside(figures_of(values), drawn(values, number=500))["signed"]
    for name in ("synergy", "redundancy"):
        error = signed["standard_errors"][name]
        assert signed["bootstrap"][name]["standard_error"] == pytest.approx(error, rel=0.1)


def test_clipped_patients_are_clipped_in_every_replicate(cohort_of):
    values = cohort_of(50).values
    weights = np.ones((1, 50))
    made = replicates(values, modalities=("slides", "omics"), weights=weights, clip=0.5)
    time, event = np.arange(1.0, 51), np.zeros(50, dtype=bool)
    tally = audit_tally(values, modalities=("slides", "omics"), time=time, event=event, clip=0.5)
    for block in ("local", "ratio", "global", "variance"):
        assert made.means(block)[0] == pytest.approx(tally.moments(block)[0])
