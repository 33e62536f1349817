from dataclasses import replace

import pytest

from fusion.config import AlertsConfig
from server.alerts import find_alerts
from server.schema import validate

LIMITS = AlertsConfig()


def figures(*, slides=0.45, interaction=0.05, error=0.005, **more):
    """Return an audit of two modalities in which no alert is due."""
    shares = {"slides": slides, "omics": 1 - slides - interaction, "interaction": interaction}
    spread = 1.96 * error
    local = shares | {
        "value": interaction, "low": interaction - spread, "high": interaction + spread,
        "standard_error": error, "standard_errors": dict.fromkeys(shares, error),
    }  # fmt: skip
    return {
        "patients": 60,
        "modalities": ["slides", "omics"],
        "shares": {"local": local},
        "pairs": {"slides+omics": interaction, "standard_errors": {"slides+omics": error}},
        "signed": {"redundancy": interaction / 2, "standard_errors": {"redundancy": error}},
        "concordance": {"gain": 0.0, "standard_errors": {"gain": 0.002}},
        "heterogeneity": {"local": {"i_squared": 0.2, "p_value": 0.3, "sites": 3}},
        "round": 9,
        "sites": [],
        **more,
    }


def kinds(audit, **limits):
    return [one["kind"] for one in find_alerts([], audit, replace(LIMITS, **limits))]


def record(number, audit, concordance=0.7):
    return {"round": number, "concordance": {"value": concordance}, "audit": audit}


def divergence(share, p_value):
    found = {"i_squared": share, "p_value": p_value, "sites": 4}
    return figures(heterogeneity={"local": found})


def gaining(interaction, gain, error=0.002):
    found = {"gain": gain, "standard_errors": {"gain": error}}
    return figures(interaction=interaction, slides=0.4, concordance=found)


def redundant(share, error):
    found = {"redundancy": share, "standard_errors": {"redundancy": error}}
    return figures(signed=found)


# part of slides = alone + in the pair; its standard error at most the two added:
# 0.01 + 0.01 = 0.02 with 0.002, on the logit scale up to .02 e^(1.96 x .002 / (.02 x .98)) = .0244
COLLAPSED = figures(slides=0.01, interaction=0.01, error=0.001)

CASES = [
    ("modality-collapse", COLLAPSED, "collapse_below", 0.024),
    ("site-divergence", divergence(0.8, 0.002), "divergence_above", 0.81),
    ("interaction-without-gain", gaining(0.2, 0.0), "interaction_above", 0.2),
    ("interaction-without-gain", gaining(0.2, 0.0), "gain_below", 0.0039),  # 1.96 x 0.002
    ("redundancy", redundant(0.15, 0.01), "redundancy_above", 0.15),
]


@pytest.mark.parametrize(("kind", "audit", "limit", "elsewhere"), CASES)
def test_an_alert_is_raised_and_its_threshold_moves_it(kind, audit, limit, elsewhere):
    assert kinds(audit) == [kind]
    assert kinds(audit, **{limit: elsewhere}) == []


@pytest.mark.parametrize(
    "audit",
    [
        figures(),
        figures(slides=0.01, interaction=0.01, error=0.02),  # the interval reaches 5%
        figures(slides=0.0, interaction=0.5, concordance={  # slides work, but only together
            "gain": 0.05, "standard_errors": {"gain": 0.01}}, signed={
            "redundancy": 0.01, "standard_errors": {"redundancy": 0.01}}),
        divergence(0.8, 0.06),  # large, but chance can do it
        divergence(0.7, 0.001),
        divergence(None, None),
        gaining(0.2, 0.02),  # it gains
        gaining(0.2, 0.0, error=0.02),  # it may gain: up to 0.039
        gaining(0.105, 0.0),  # the interval reaches below a tenth: 0.105 - 0.0098
        gaining(0.2, None, error=None),
        gaining(0.2, 0.0, error=0.0),
        redundant(0.15, 0.04),
        redundant(0.09, 0.001),
    ],
    ids=range(13),
)  # fmt: skip
def test_no_alert_is_raised_that_the_interval_does_not_support(audit):
    assert kinds(audit) == []


def test_a_collapse_names_the_modality_and_its_whole_part():
    (alert,) = find_alerts([], COLLAPSED, LIMITS)
    assert (alert["modality"], alert["site"], alert["stage"], alert["round"]) == (
        "slides", None, "closing", 9,
    )  # fmt: skip
    assert alert["value"] == pytest.approx(0.02)
    assert alert["high"] == pytest.approx(0.02432, abs=1e-4)
    assert alert["sentence"] == (
        "Closing audit, all sites: modality slides takes part, alone or together, in 2.0% (1.6 to "
        "2.4%) of the score, less than 5%: the model hardly uses it."
    )


def test_of_three_modalities_every_pair_counts_as_part_taken():
    audit = figures(slides=0.01, interaction=0.3, modalities=["slides", "rna", "cnv"])
    errors = dict.fromkeys(("slides", "rna", "cnv"), 0.001)
    audit["shares"]["local"] |= {"rna": 0.3, "cnv": 0.39, "standard_errors": errors, "low": 0.0}
    pairs = {"slides+rna": 0.0, "slides+cnv": 0.005, "rna+cnv": 0.295}
    audit["pairs"] = pairs | {"standard_errors": dict.fromkeys(pairs, 0.001)}
    (alert,) = find_alerts([], audit, replace(LIMITS, redundancy_above=1.0))
    assert (alert["modality"], alert["value"]) == ("slides", pytest.approx(0.015))


@pytest.mark.parametrize(("patients", "raised"), [(9, []), (10, ["modality-collapse"])])
def test_ten_audited_patients_are_the_least_for_an_alert(patients, raised):
    assert kinds(COLLAPSED | {"patients": patients}) == raised


def test_sites_and_rounds_are_looked_at_too():
    audit = figures(sites=[{"name": "lyon"} | COLLAPSED, {"name": "porto"} | figures()])
    found = find_alerts([record(0, None), record(4, audit)], None, LIMITS)
    assert [(one["kind"], one["stage"], one["round"], one["site"]) for one in found] == [
        ("modality-collapse", "round", 4, "lyon")
    ]
    assert found[0]["sentence"].startswith("Round 4, site lyon: modality slides")


# from 0.05 +- 0.005 to 0.20 +- 0.005: a rise of 0.15, its lower end 0.15 - 1.96 x 0.01 = 0.1304
GROWN = figures(interaction=0.2, slides=0.4, concordance={
    "gain": 0.05, "standard_errors": {"gain": 0.01}}, signed={
    "redundancy": 0.05, "standard_errors": {"redundancy": 0.001}})  # fmt: skip


@pytest.mark.parametrize(
    ("now", "concordance", "limits", "raised"),
    [
        (GROWN, 0.705, {}, ["growth-without-gain"]),
        (GROWN, 0.72, {}, []),
        (GROWN, 0.705, {"growth_above": 0.131}, []),
        (GROWN, 0.705, {"growth_above": 0.130}, ["growth-without-gain"]),
        (GROWN, 0.705, {"gain_below": 0.004}, []),
        (GROWN, None, {}, []),
        (figures(), 0.6, {}, []),
    ],
)
def test_growth_without_gain_compares_with_the_first_audited_round(
    now, concordance, limits, raised
):
    rounds = [record(2, figures()), record(3, None), record(8, now, concordance)]
    found = find_alerts(rounds, None, replace(LIMITS, **limits))
    assert [one["kind"] for one in found] == raised


def test_growth_tells_both_changes():
    rounds = [record(2, figures()), record(8, GROWN, 0.695)]
    (alert,) = find_alerts(rounds, None, LIMITS)
    assert (alert["round"], alert["value"]) == (8, pytest.approx(0.15))
    assert alert["low"] == pytest.approx(0.1304, abs=1e-4)
    assert "since round 2 the interaction has grown from 5% to 20%" in alert["sentence"]
    assert "the concordance has changed by -0.005, less than 0.01" in alert["sentence"]


def test_a_run_lists_its_alerts(tiny, lead):
    result = lead(tiny({"rounds": 1, "alerts.collapse-below": 1.0})).result
    validate(result)
    found = [one for one in result["alerts"] if one["kind"] == "modality-collapse"]
    assert {one["modality"] for one in found if one["site"] is None} <= {"slides", "omics"}
    assert found
    assert all(one["high"] < one["threshold"] == 1.0 for one in found)


def test_thresholds_at_their_ends_switch_alerts_off(finished):
    off = AlertsConfig(0.0, 1.0, 1.0, 1.0, 0.0, 1.0)
    loud = AlertsConfig(1.0, 0.0, 0.0, 0.0, 1.0, 0.0)
    rounds, audit = finished.result["rounds"], finished.result["audit"]
    assert find_alerts(rounds, audit, off) == []
    assert find_alerts(rounds, audit, loud)
