import json
import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from fusion.interaction.background import embedding_sums
from fusion.interaction.coalitions import coalition_values
from fusion.interaction.estimates import cochran
from fusion.interaction.figures import audit_figures
from fusion.interaction.shares import interaction_matrix, local_shares, published_shares
from fusion.interaction.tallies import audit_tally
from fusion.modalities import FIGURE_WORDS

DEFINITIONS = ("local", "ratio", "global", "published", "moebius", "variance")


def audited(values, modalities=("slides", "omics"), *, time=None, event=None):
    values = np.asarray(values, dtype=np.float64)
    time = np.arange(1.0, len(values) + 1) if time is None else time
    event = np.zeros(len(values), dtype=bool) if event is None else event
    return audit_tally(values, modalities=modalities, time=time, event=event)


def figures_of(values, **more):
    return audit_figures(audited(values, **more), {})


def numbers(entry):
    """All numbers of a JSON tree in order."""
    if isinstance(entry, dict):
        return [n for value in entry.values() for n in numbers(value)]
    if isinstance(entry, list):
        return [n for value in entry for n in numbers(value)]
    return [entry] if isinstance(entry, (int, float)) else []


@pytest.mark.parametrize("modalities", [2, 3, 4, 5])
def test_every_definition_follows_its_formula(cohort_of, modalities):
    cohort = cohort_of(50, modalities=modalities)
    v, matrix = cohort.values, interaction_matrix(cohort.values)
    shares = figures_of(v, modalities=cohort.modalities)["shares"]
    off = ~np.eye(modalities, dtype=bool)
    mean = np.abs(matrix.mean(axis=0))
    expected = {
        "local": local_shares(v)[:, 0].mean(),
        "ratio": np.abs(matrix[:, off]).sum() / np.abs(matrix).sum(),
        "global": mean[off].sum() / mean.sum(),
        "published": published_shares(v)[:, 0].mean(),
    }
    got = {name: shares[name]["value"] for name in expected}
    assert got == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("modalities", [2, 4])
def test_the_additive_part_explains_what_it_explains(cohort_of, modalities):
    v = cohort_of(50, modalities=modalities).values - 3.0
    eta = v[:, -1]
    additive = v[:, 1 << np.arange(modalities)].sum(axis=1) - (modalities - 1) * v[:, 0]
    entry = figures_of(v, modalities=tuple("abcde"[:modalities]))["shares"]["variance"]
    assert entry["interaction"] == pytest.approx(np.var(eta - additive) / np.var(eta))
    assert entry["r2_additive"] == pytest.approx(np.corrcoef(eta, additive)[0, 1] ** 2)
    ssr = 1 - ((eta - additive) ** 2).sum() / ((eta - eta.mean()) ** 2).sum()
    assert entry["r2_additive_ssr"] == pytest.approx(ssr)


@pytest.mark.parametrize("name", ["local", "ratio", "global", "published", "moebius"])
def test_interaction_and_modalities_sum_to_one(cohort_of, name):
    entry = figures_of(cohort_of(20).values)["shares"][name]
    assert entry["value"] == entry["interaction"]
    assert entry["interaction"] + entry["slides"] + entry["omics"] == pytest.approx(1)


def test_every_word_beside_a_modality_is_kept_from_modalities(cohort_of):
    cohort = cohort_of(30)
    result = figures_of(cohort.values, time=cohort.time, event=cohort.event)
    beside = [result["shares"][name] for name in DEFINITIONS if name != "variance"]
    words = {key for entry in (*beside, result["concordance"]) for key in entry}
    assert words - set(result["modalities"]) <= set(FIGURE_WORDS)


def test_shares_of_two_normal_modalities_reach_their_limits(cohort_of):
    # E|x1 x2| = 2/pi, E|x| = sqrt(2/pi): ratio = .6366 / (.6366 + 2 * .7979) = .2852
    shares = figures_of(cohort_of(200_000).values)["shares"]
    assert shares["ratio"]["value"] == pytest.approx(0.2852, abs=0.001)
    assert shares["variance"]["value"] == pytest.approx(1 / 3, abs=0.005)
    assert shares["local"]["value"] == pytest.approx(0.212, abs=0.001)


def test_standard_errors_agree_with_the_bootstrap(cohort_of):
    values = cohort_of(400, strength=0.7).values + np.array([0, 0.4, 0.5, 1.5])
    shares, rng = figures_of(values)["shares"], np.random.default_rng(1)
    draws = [figures_of(values[rng.integers(0, 400, 400)])["shares"] for _ in range(300)]
    for name in DEFINITIONS:
        for part, error in shares[name]["standard_errors"].items():
            spread = np.std([draw[name][part] for draw in draws])
            assert error == pytest.approx(spread, rel=0.2), (name, part)


TRUTH = {
    # x1, x2 normal, eta = x1 + x2 + x1 x2: by formula, and where there is none (local, published)
    # the mean of 4,000,000 patients
    "local": 0.2118, "ratio": 0.2852, "published": 0.1332, "moebius": 0.2118,
    "variance": 1 / 3, "r2_additive": 2 / 3,
}  # fmt: skip


def intervals(shares):
    found = {name: (shares[name]["low"], shares[name]["high"]) for name in DEFINITIONS}
    fit = shares["variance"]
    return found | {"r2_additive": (fit["r2_additive_low"], fit["r2_additive_high"])}


def test_a_planted_interaction_lies_in_its_interval_in_ninety_of_a_hundred_federations(cohort_of):
    """300 patients at four sites of 15, 35, 100 and 150."""
    inside = dict.fromkeys(TRUTH, 0)
    for seed in range(100):
        sites = [
            audited(part) for part in np.split(cohort_of(300, seed=seed).values, [15, 50, 150])
        ]
        found = intervals(audit_figures(sum(sites[1:], start=sites[0]), {})["shares"])
        for name, value in TRUTH.items():
            inside[name] += found[name][0] <= value <= found[name][1]
    assert min(inside.values()) >= 90, inside


@pytest.mark.parametrize("modalities", [2, 3])
def test_federated_figures_equal_the_pooled_ones(cohort_of, modalities):
    cohort = cohort_of(60, modalities=modalities)
    names = cohort.modalities
    parts = [audited(cohort.values[rows], names) for rows in np.split(np.arange(60), [7, 30])]
    federated = audit_figures(parts[0] + parts[1] + parts[2], {})
    pooled = audit_figures(audited(cohort.values, names), {})
    np.testing.assert_allclose(numbers(federated), numbers(pooled), atol=1e-10, rtol=1e-10)


def federation():
    generator = torch.Generator().manual_seed(5)
    sites = []
    for shift in (0.0, 1.0, -0.5):
        tokens = torch.randn(20, 2, 3, generator=generator).double() + shift
        omics = torch.randn(20, 1, 4, generator=generator).double() - shift
        sites.append({"slides": tokens, "omics": omics})
    return sites, {name: torch.ones(20, dtype=torch.bool) for name in ("slides", "omics")}


def product(embeddings):
    a, b = (tokens.sum(dim=(1, 2)) for tokens in embeddings.values())
    return torch.tanh(a) + torch.tanh(b) + 0.3 * a * b


def test_a_shared_background_makes_federated_equal_pooled():
    sites, present = federation()
    sums = [embedding_sums(site, present) for site in sites]
    shared = (sums[0] + sums[1] + sums[2]).mean()
    parts = [audited(coalition_values(product, site, shared)) for site in sites]
    whole = {name: torch.cat([site[name] for site in sites]) for name in sites[0]}
    mean = {name: tokens.mean(dim=0) for name, tokens in whole.items()}
    pooled = audit_figures(audited(coalition_values(product, whole, mean)), {})
    federated = audit_figures(parts[0] + parts[1] + parts[2], {})
    np.testing.assert_allclose(numbers(federated), numbers(pooled), atol=1e-10, rtol=1e-10)


def test_local_backgrounds_do_not_give_the_pooled_figures():
    sites, present = federation()
    own = [coalition_values(product, s, embedding_sums(s, present).mean()) for s in sites]
    sums = [embedding_sums(site, present) for site in sites]
    shared = (sums[0] + sums[1] + sums[2]).mean()
    same = [coalition_values(product, site, shared) for site in sites]
    a, b = (figures_of(np.concatenate(values))["shares"] for values in (own, same))
    assert abs(a["local"]["value"] - b["local"]["value"]) > 0.01


@pytest.mark.parametrize("values", [
    np.zeros((0, 4)), np.zeros((1, 4)), np.zeros((5, 4)), np.ones((2, 4)), np.eye(1, 4),
    np.tile([0.0, 1, 2, 3], (6, 1)), np.outer(np.arange(6.0), [0, 0, 0, 1]), np.full((4, 4), 1e9),
])  # fmt: skip
def test_figures_are_json_without_nan(values):
    result = figures_of(values)
    json.dumps(result, allow_nan=False)
    assert all(result["shares"][name]["reason"] or result["shares"][name]["value"] is not None
               for name in DEFINITIONS)  # fmt: skip


def test_a_cohort_without_variance_says_so():
    entry = figures_of(np.tile([0.0, 1, 2, 3], (6, 1)))["shares"]["variance"]
    assert [entry[name] for name in ("value", "r2_additive", "low")] == [None, None, None]
    assert entry["reason"] == "the log-hazards have no variance"


def test_pure_interaction_leaves_the_additive_fit_out_with_a_reason():
    entry = figures_of(np.outer(np.arange(6.0), [0, 0, 0, 1]))["shares"]["variance"]
    assert entry["value"] == pytest.approx(1)
    assert entry["r2_additive"] is None
    assert entry["reason"] == "r2_additive: the additive part has no variance"


def test_an_additive_model_is_additive(cohort_of):
    result = figures_of(cohort_of(50, strength=0.0).values)
    shares = result["shares"]
    values = [
        shares[name]["value"] for name in ("local", "ratio", "published", "moebius", "variance")
    ]
    assert values == pytest.approx([0] * 5, abs=1e-12)
    assert shares["variance"]["r2_additive"] == pytest.approx(1, abs=1e-12)
    assert result["signed"]["mean_interaction"] == pytest.approx(0, abs=1e-12)


def test_rounding_of_an_additive_model_has_no_wide_interval():
    # The share is about 1e-30 with an error as large; 1 / share would reach up to 1.
    slides, rna = np.random.default_rng(0).normal(size=(2, 20))
    values = np.stack([0 * rna, slides, rna, slides + rna + 1e-15 * rna**2], axis=1)
    entry = figures_of(values)["shares"]["variance"]
    assert 0 < entry["value"] < 1e-24
    assert 0 <= entry["low"] <= entry["value"] <= entry["high"] < 1e-24


def test_patients_without_any_contribution_are_counted_apart():
    # two patients, one with local share 1/3 and one that nothing moves: mean 1/6
    result = figures_of([[0.0, 1, 1, 3], [0.0, 0, 0, 0]])
    assert result["uninformative"] == 1
    assert result["shares"]["local"]["value"] == pytest.approx(1 / 6)


def test_the_sign_decides_between_synergy_and_redundancy():
    # local shares 1/3 (m12 = +1), 1/3 (m12 = -1), 0: thirds of a third
    signed = figures_of([[0.0, 1, 1, 3], [0.0, 1, 1, 1], [0.0, 1, 1, 2]])["signed"]
    names = ("synergy", "redundancy", "synergy_patients", "redundancy_patients", "mean_interaction")
    assert [signed[name] for name in names] == pytest.approx([1 / 9, 1 / 9, 1 / 3, 1 / 3, 0])


def test_global_warns_when_the_mean_contributions_are_near_zero(cohort_of):
    centred = cohort_of(200).values
    warned, fine = (
        figures_of(v)["shares"]["global"] for v in (centred, centred + np.array([0, 5, 5, 10]))
    )
    assert "ill-conditioned" in warned["warning"]
    assert fine["warning"] is None


def test_concordance_shows_what_the_interaction_buys(cohort_of):
    cohort = cohort_of(300, strength=2.0)
    result = figures_of(cohort.values, time=cohort.time, event=cohort.event)["concordance"]
    assert result["full"] > result["additive"] + 0.05
    assert result["gain"] == pytest.approx(result["full"] - result["additive"])
    assert 0 < result["standard_errors"]["full"] < 0.05


def test_the_concordance_of_sites_is_weighted_by_their_pairs(cohort_of):
    cohort = cohort_of(40)
    rows = [np.arange(0, 10), np.arange(10, 40)]
    sites = [audited(cohort.values[r], time=cohort.time[r], event=cohort.event[r]) for r in rows]
    single = [audit_figures(site, {})["concordance"] for site in sites]
    weights = [site.comparable for site in sites]
    both = audit_figures(sites[0] + sites[1], {})["concordance"]
    assert both["full"] == pytest.approx(np.average([s["full"] for s in single], weights=weights))
    errors = np.array([s["standard_errors"]["full"] for s in single]) * weights
    assert both["standard_errors"]["full"] == pytest.approx(np.hypot(*errors) / sum(weights))


def test_the_error_of_the_gain_agrees_with_the_bootstrap(cohort_of):
    cohort, rng = cohort_of(300), np.random.default_rng(2)

    def concordance(rows):
        more = {"time": cohort.time[rows], "event": cohort.event[rows]}
        return figures_of(cohort.values[rows], **more)["concordance"]

    spread = np.std([concordance(rng.integers(0, 300, 300))["gain"] for _ in range(200)])
    errors = concordance(np.arange(300))["standard_errors"]
    assert errors["gain"] == pytest.approx(spread, rel=0.2)
    assert errors["gain"] < np.hypot(errors["full"], errors["additive"])


def test_an_additive_model_gains_nothing_for_sure(cohort_of):
    cohort = cohort_of(50, strength=0.0)
    result = figures_of(cohort.values, time=cohort.time, event=cohort.event)["concordance"]
    assert (result["gain"], result["standard_errors"]["gain"]) == (0, 0)


def test_a_cohort_without_events_has_no_concordance(cohort_of):
    result = figures_of(cohort_of(10).values)
    assert result["concordance"]["full"] is None
    assert "concordance: no comparable pair" in result["reasons"]


def test_sites_that_differ_are_told_from_sites_that_agree(cohort_of):
    same, other = cohort_of(200, seed=1).values, cohort_of(200, strength=0.1, seed=2).values
    sites = {"a": audited(cohort_of(200).values), "b": audited(same), "c": audited(other)}
    agree = {name: sites[name] for name in "ab"}
    found = audit_figures(sites["a"] + sites["b"] + sites["c"], sites)["heterogeneity"]["local"]
    assert found["i_squared"] > 0.9
    assert found["degrees"] == 2
    assert audit_figures(sites["a"], agree)["heterogeneity"]["local"]["p_value"] > 0.01


def test_every_figure_is_compared_between_sites(cohort_of):
    cohorts = [cohort_of(40, seed=seed, strength=seed) for seed in (1, 2, 3)]
    sites = {
        name: audited(one.values, time=one.time, event=one.event)
        for name, one in zip("abc", cohorts, strict=True)
    }
    found = audit_figures(sites["a"] + sites["b"] + sites["c"], sites)["heterogeneity"]
    assert set(found) == {
        *DEFINITIONS, "r2_additive", "local.slides", "local.omics", "signed.synergy",
        "signed.redundancy", "concordance.full", "concordance.additive", "concordance.gain",
    }  # fmt: skip
    own = {name: audit_figures(site, {}) for name, site in sites.items()}
    gains = {n: (f["concordance"]["gain"], f["concordance"]["standard_errors"]["gain"])
             for n, f in own.items()}  # fmt: skip
    assert found["concordance.gain"]["cochran_q"] == cochran(gains)["cochran_q"]
    assert all(entry["sites"] == 3 and entry["reason"] is None for entry in found.values())


def test_tiny_sites_do_not_enter_the_comparison(cohort_of):
    values = cohort_of(39).values
    sites = {"a": audited(values[:30]), "tiny": audited(values[30:])}
    found = audit_figures(sites["a"] + sites["tiny"], sites)["heterogeneity"]["local"]
    assert (found["cochran_q"], found["sites_left_out"]) == (None, 1)


GLIOMA = {  # concordance, published %, local %, r2_additive, its SSR form
    "cross_attention": (0.8140, 3.03, 5.32, 0.9945, 0.9823),
    "bilinear": (0.8189, 3.72, 7.39, 0.9913, 0.9902),
    "gated": (0.8074, 4.45, 7.24, 0.9865, 0.9662),
}


@pytest.fixture
def glioma():
    if "CONCORD_DATA" not in os.environ:
        pytest.skip("CONCORD_DATA is not set")
    return Path(os.environ["CONCORD_DATA"]) / "fixtures" / "intershap_glioma"


@pytest.mark.data
@pytest.mark.parametrize("model", GLIOMA)
def test_published_glioma_models_give_their_figures(glioma, model):
    outcome = pd.read_csv(glioma / "full_dataset_intershap.csv").set_index("case")
    phi = pd.read_csv(glioma / f"intershap_{model}.csv").join(outcome, on="patient_id", rsuffix="_")
    slides, omics = phi["phi_wsi"], phi["phi_rna"]
    single = [slides - phi["phi_interaction"], omics - phi["phi_interaction"]]
    result = figures_of(
        np.column_stack([0 * slides, *single, slides + omics]),
        time=phi["survival_months"].to_numpy(),
        event=phi["vital_status"].to_numpy() == 1,
    )
    shares, concordance = result["shares"], result["concordance"]["full"]
    percents = [100 * shares[name]["value"] for name in ("published", "local")]
    fit = [shares["variance"][name] for name in ("r2_additive", "r2_additive_ssr")]
    got = [round(concordance, 4), *np.round(percents, 2), *np.round(fit, 4)]
    assert got == pytest.approx(GLIOMA[model], abs=1e-9)
