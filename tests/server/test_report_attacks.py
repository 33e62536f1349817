"""The report's section on attacks: what it shows, and what it says when a bound is broken."""

import re

import pytest

from server.budgets import NO_ATTACK
from server.report.attacks import sentences
from server.report.page import render
from server.schema import ResultError
from tests.server.sample_result import sample_result

SHARE = {"value": 0.6, "low": 0.55, "high": 0.65}
FOUND = [{"false_alarms": rate, **SHARE} for rate in (0.01, 0.05)]
MEMBERSHIP = {"auc": SHARE, "found": FOUND, "members": 60, "others": 40}
LEAK = {"cosine": 1.0, "revealed": 1.0, "chance": 0.3}


def site(name="lyon", lower=2.5):
    canaries = {
        "epsilon": 3.1, "lower": lower, "delta": 1e-3, "noise_multiplier": 2.0,
        "sampling_rate": 1.0, "canaries": 1000, "steps": 50,
    }  # fmt: skip
    guesses = {"lower": 1.5, "delta": 1e-5, "coins": 1000, "guesses": 50, "correct": 48}
    return {
        "name": name, "epsilon": 3.0, "delta": 1e-3, "step": None, "canaries": canaries,
        "one_run": guesses | {"epsilon": 4.0}, "membership": MEMBERSHIP,
    }  # fmt: skip


@pytest.fixture
def result():
    found = sample_result()
    return found | {"not_measured": [NO_ATTACK, "Another thing."]}


@pytest.fixture
def attack(result):
    return {
        "schema_version": 1, "created": "2026-11-21T10:00", "seconds": 3.0,
        "model_sha256": result["model"]["sha256"], "attacks": ["canaries", "lira"], "seed": 1,
        "shadows": 32, "canaries": 1000, "sites": [site()],
        "pooled": {"membership": MEMBERSHIP, "one_run": None},
        "leakage": {"plain": LEAK, "private": LEAK | {"cosine": 0.1, "revealed": 0.0},
                    "numbers": 40, "modality": "omics"},
        "not_done": [], "not_covered": ["Runs before."],
    }  # fmt: skip


def words_of(page):
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", page))


def test_the_section_stands_beside_the_promise_and_replaces_the_caveat(result, attack):
    page = words_of(render(result, attack))
    assert "lyon 3.00 3.10 2.50 1.50 0.600 0.550 to 0.650 60.0% 60 / 40" in page
    assert "reveals 100% exactly (cosine 1.0000), a private step 0%" in page
    assert "no attack was run" not in page
    assert "Another thing." in page
    assert "Runs before." in page


def test_without_an_attack_there_is_no_section_and_the_caveat_stays(result):
    page = render(result)
    assert "Attacks on this model" not in page
    assert "no attack was run" in page


def test_a_bound_above_the_promise_is_said(attack):
    assert not any("above the promise" in text for text in sentences(attack))
    attack["sites"].append(site("porto", lower=3.2))
    assert next(sentences(attack)).startswith("porto: a bound from below lies above the promise")


def test_a_step_that_does_not_hold_is_said(attack):
    figure = {"name": "noise in clips", "found": 1.0, "claimed": 2.0, "standard_error": 0.01}
    attack["sites"][0]["step"] = [figure | {"holds": False}]
    assert "Step test of lyon: failed in noise in clips." in list(sentences(attack))


def test_attacks_on_another_model_are_called_so(result, attack):
    attack["model_sha256"] = "1234" * 16
    assert "another model file" in render(result, attack)


def test_an_attack_of_another_shape_is_refused(result, attack):
    del attack["sites"]
    with pytest.raises(ResultError, match="have sites"):
        render(result, attack)
