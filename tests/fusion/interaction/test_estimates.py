import math

import numpy as np
import pytest
import torch
from scipy.stats import chi2

from fusion.interaction.estimates import absent, cochran, delta_method, figure, named


def test_the_delta_method_gives_the_error_of_a_ratio_by_hand():
    # x / y at (1, 2): gradient (1/2, -1/4); variance (4/4 - 2*1/8 + 8/16) / 100 = 1.25 / 100
    value, error = delta_method(
        lambda m: (m[0] / m[1])[None],
        mean=np.array([1.0, 2.0]),
        covariance=np.array([[4.0, 1.0], [1.0, 8.0]]),
        count=100.0,
    )
    assert value == pytest.approx([0.5])
    assert error == pytest.approx([math.sqrt(0.0125)])


def test_the_delta_method_of_a_mean_is_its_standard_error():
    covariance = np.diag([4.0, 9.0])
    _, error = delta_method(torch.clone, mean=np.ones(2), covariance=covariance, count=25.0)
    assert error == pytest.approx([0.4, 0.6])


@pytest.mark.parametrize(
    ("scale", "low", "high"),
    [
        ("linear", 0.2 - 0.196, 0.2 + 0.196),
        ("log", 0.2 * math.exp(-0.98), 0.2 * math.exp(0.98)),  # .196 / .2 = .98
        # logit(.2) = -ln 4, half .196 / .16 = 1.225
        # 1 / .2 = 5, half .196 / .04 = 4.9
        ("inverse", 1 / 9.9, 1.0),
        ("logit", 1 / (1 + 4 * math.exp(1.225)), 1 / (1 + 4 * math.exp(-1.225))),
    ],
)
def test_intervals_follow_their_scale(scale, low, high):
    entry = figure(0.2, 0.1, scale=scale)
    assert [entry["low"], entry["high"]] == pytest.approx([low, high], abs=1e-4)
    assert entry["reason"] is None


@pytest.mark.parametrize(("value", "low", "high"), [(0.0, 0.0, 0.196), (1.0, 0.804, 1.0)])
def test_at_the_end_of_its_range_an_interval_is_cut(value, low, high):
    entry = figure(value, 0.1, scale="logit")
    assert [entry["low"], entry["high"]] == pytest.approx([low, high], abs=1e-4)


@pytest.mark.parametrize(("error", "high"), [(0.01, 1 / 4.51), (0.1, 1.0), (0.5, 1.18)])
def test_the_inverse_scale_ends_at_one_or_where_the_linear_one_does(error, high):
    # half 1.96 e / .04: .49 (upper 1 / (5 - .49)), 4.9 (1 / .1 = 10, cut at 1), 24.5 (.2 + .98)
    assert figure(0.2, error, scale="inverse")["high"] == pytest.approx(high, abs=1e-4)


def test_a_tiny_share_with_a_large_error_has_a_finite_interval():
    entry = figure(1e-9, 0.1, scale="logit")
    assert 0 <= entry["low"] <= entry["value"] <= entry["high"] <= 1


def test_a_ratio_far_below_its_error_has_a_finite_interval():
    entry = figure(1e-3, 1.0, scale="log")
    assert [entry["low"], entry["high"]] == pytest.approx([0.0, 1.961], abs=1e-3)


def test_a_figure_without_error_says_why():
    entry = figure(0.3, math.nan)
    assert entry["value"] == 0.3
    assert entry["standard_error"] is None
    assert entry["reason"] == "one patient gives no standard error"


def test_what_cannot_be_had_is_none_with_its_reason():
    assert absent("why") == {
        "value": None, "low": None, "high": None, "standard_error": None, "reason": "why",
    }  # fmt: skip


def test_nan_becomes_none_under_its_name():
    entry = named(("a", "b"), np.array([1.0, np.nan]), np.array([np.nan, 2.0]))
    assert entry == {"a": 1.0, "b": None, "standard_errors": {"a": None, "b": 2.0}}


def test_cochran_compares_two_sites_by_hand():
    # weights 100, 100; mean .4; Q = 2 * 100 * .01 = 2; I2 = 1/2; chi2 tail of 2 at 1 degree .1573
    entry = cochran({"a": (0.3, 0.1), "b": (0.5, 0.1)})
    got = [entry[name] for name in ("cochran_q", "degrees", "i_squared", "p_value")]
    assert got == pytest.approx([2.0, 1, 0.5, 0.157299], abs=1e-6)
    # tau2 = (2 - 1) / (200 - 20000 / 200) = .01; each weight 1 / (.01 + .01) = 50; error 1 / 10
    assert entry["random_effects"]["value"] == pytest.approx(0.4)
    assert entry["random_effects"]["standard_error"] == pytest.approx(0.1)


@pytest.mark.parametrize("other", [0.3, 0.31])
def test_cochran_finds_no_difference_between_sites_that_agree(other):
    entry = cochran({"a": (0.3, 0.1), "b": (other, 0.2)})
    assert entry["cochran_q"] == pytest.approx(0, abs=0.01)
    assert entry["i_squared"] == 0
    assert entry["p_value"] > 0.9


@pytest.mark.parametrize("other", [(None, None), (0.2, None), (0.2, 0.0)])
def test_cochran_needs_two_sites_with_an_error(other):
    entry = cochran({"a": (0.3, 0.1), "b": other})
    assert entry["cochran_q"] is None
    assert "1 of 2 sites" in entry["reason"]


BCG = np.array([
    (4, 119, 11, 128), (6, 300, 29, 274), (3, 228, 11, 209), (62, 13536, 248, 12619),
    (33, 5036, 47, 5761), (180, 1361, 372, 1079), (8, 2537, 10, 619), (505, 87886, 499, 87892),
    (29, 7470, 45, 7232), (17, 1699, 65, 1600), (186, 50448, 141, 27197), (5, 2493, 3, 2338),
    (27, 16886, 29, 17825),
])  # fmt: skip
"""Colditz et al. 1994: tuberculosis and no tuberculosis, vaccinated and not, in 13 trials."""


def test_cochran_gives_what_is_published_of_thirteen_trials():
    """What metafor's rma(method = "DL") prints of these trials' log risk ratios."""
    ill, well, others_ill, others_well = BCG.T.astype(float)
    ratio = np.log(ill / (ill + well) * (others_ill + others_well) / others_ill)
    variance = 1 / ill - 1 / (ill + well) + 1 / others_ill - 1 / (others_ill + others_well)
    trials = {str(k): (x, v**0.5) for k, (x, v) in enumerate(zip(ratio, variance, strict=True))}
    entry = cochran(trials)
    assert entry["cochran_q"] == pytest.approx(152.2330, abs=1e-4)
    assert (entry["degrees"], entry["sites"]) == (12, 13)
    assert entry["i_squared"] == pytest.approx(0.9212, abs=1e-4)
    mean = entry["random_effects"]
    assert mean["value"] == pytest.approx(-0.7141, abs=1e-4)
    assert mean["standard_error"] == pytest.approx(0.1787, abs=1e-4)
    assert (mean["low"], mean["high"]) == pytest.approx((-1.0644, -0.3638), abs=1e-4)


@pytest.mark.parametrize("seed", range(5))
def test_cochran_agrees_with_sums_over_pairs_and_scipy(seed):
    rng = np.random.default_rng(seed)
    number = 3 + seed
    x, s = rng.normal(0.3, 0.1 * seed, number), rng.uniform(0.02, 0.2, number)
    entry = cochran({str(k): (x[k], s[k]) for k in range(number)})
    w = [1 / e**2 for e in s]
    pairs = [(i, j) for i in range(number) for j in range(i)]
    q = sum(w[i] * w[j] * (x[i] - x[j]) ** 2 for i, j in pairs) / sum(w)
    assert entry["cochran_q"] == pytest.approx(q)
    assert entry["p_value"] == pytest.approx(chi2.sf(q, number - 1))
    # tau^2: E(Q) = K - 1 + tau^2 * 2 sum_{i<j} w_i w_j / sum w
    spread = max(0.0, (q - number + 1) / (2 * sum(w[i] * w[j] for i, j in pairs) / sum(w)))
    error = sum(1 / (e**2 + spread) for e in s) ** -0.5
    assert entry["random_effects"]["standard_error"] == pytest.approx(error)
