import hashlib
import json
import math

import pytest

from fusion import __version__
from fusion.config import flatten
from fusion.training.checkpoint import load_arrays
from server.schema import ResultError, validate


def numbers(tree, place=""):
    if isinstance(tree, dict):
        for key, value in tree.items():
            yield from numbers(value, f"{place}.{key}")
    elif isinstance(tree, list):
        for index, value in enumerate(tree):
            yield from numbers(value, f"{place}[{index}]")
    elif isinstance(tree, int | float):
        yield place, tree


def test_a_result_has_the_shape_of_its_schema(finished):
    validate(finished.result)


def test_every_number_is_finite(finished):
    odd = [place for place, value in numbers(finished.result) if not math.isfinite(value)]
    assert odd == []


def test_the_promised_figures_are_where_they_were_promised(finished):
    pooled = finished.result["evaluation"]["pooled"]["concordance"]
    assert pooled["low"] < pooled["value"] < pooled["high"]
    shares = finished.result["audit"]["shares"]
    assert {"local", "ratio", "global", "published", "moebius", "variance"} <= set(shares)


def test_the_audit_tells_every_part_and_names_its_primary(finished):
    audit = finished.result["audit"]
    assert audit["primary"] == "local"
    signed, local = audit["signed"], audit["shares"]["local"]
    assert signed["synergy"] + signed["redundancy"] == pytest.approx(local["interaction"])
    dividends, matrix = audit["dividends"], audit["matrix"]
    assert set(dividends) == {"slides", "omics", "slides+omics", "standard_errors"}
    # for two modalities the diagonal holds m(i), the entry beside it half of m(12)
    expected = [[dividends["slides"], dividends["slides+omics"] / 2]]
    expected += [[dividends["slides+omics"] / 2, dividends["omics"]]]
    for row, wanted in zip(matrix, expected, strict=True):
        assert row == pytest.approx(wanted, abs=1e-12)


@pytest.mark.parametrize("part", ["primary", "matrix", "dividends", "signed", "pairs"])
def test_an_audit_without_a_part_is_no_result(finished, part):
    audit = {name: value for name, value in finished.result["audit"].items() if name != part}
    with pytest.raises(ResultError, match=r"result\.audit must have"):
        validate(finished.result | {"audit": audit})


def test_the_settings_that_shape_the_result_are_told(finished):
    told = finished.result["config"]
    flat = flatten(finished.config)
    assert {k: flat[k] for k in told} | {"federation.expected-sites": 3} == told
    assert set(flat) - set(told) == {"out", "resume", "sites", "audit.model-file"}
    digest = hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()
    assert finished.result["config_hash"] == digest


def test_versions_are_told(finished):
    assert finished.result["versions"]["concord"] == __version__


def test_the_model_file_is_the_one_described(finished):
    told = finished.result["model"]
    assert told["sha256"] == hashlib.sha256(finished.model).hexdigest()
    arrays, card = load_arrays(finished.folder / told["file"])
    assert sum(array.size for array in arrays.values()) == told["parameters"]
    assert card["round"] == told["chosen_round"]
    assert told["macs_per_patient"] > 0
    assert told["couples_patients"]


def test_the_model_file_holds_sites_and_settings_but_no_path(finished):
    _, card = load_arrays(finished.folder / "model.safetensors")
    assert card["sites"] == ["bergen", "lyon", "porto"]
    assert str(finished.config.sites) not in json.dumps(card)


def test_counts_of_a_site_add_up(finished):
    for site in finished.result["sites"]:
        for kind in ("patients", "events"):
            parts = site[kind]
            assert parts["total"] == parts["train"] + parts["validation"] + parts["test"]
        assert site["patients"]["total"] == 24
        assert site["missing"] == {"slides": 2, "omics": 2, "partial_omics": 0}
        assert site["rounds_answered"] == 2


def test_inputs_are_told(finished):
    told = finished.result["inputs"]
    assert (told["encoder"], told["feature_width"], told["tables"]) == ("synthetic-24", 24, ["rna"])
    assert (told["features_used"], told["features_dropped"]) == (40, 0)


def test_few_events_are_marked(finished):
    for site in finished.result["evaluation"]["sites"]:
        few = site["events"] < 5
        assert (site["note"] is not None) == few
        if few:
            assert "not interpretable" in site["note"]


def test_risk_groups_and_calibration_count_every_test_patient(finished):
    evaluation = finished.result["evaluation"]
    patients = evaluation["pooled"]["patients"]
    assert sum(group["patients"] for group in evaluation["curves"]["groups"]) == patients
    horizons = [entry["horizon_days"] for entry in evaluation["calibration"]]
    assert horizons == [365.25, 1095.75, 1826.25]
    for entry in evaluation["calibration"]:
        assert sum(group["patients"] for group in entry["groups"]) == patients


def test_uno_names_its_end_and_its_censoring_curve(finished):
    uno = finished.result["evaluation"]["pooled"]["uno"]
    assert uno["tau"] > 0
    assert "training patients" in uno["censoring_source"]


def test_privacy_is_told_as_it_is(finished):
    told = finished.result["privacy"]
    assert told["differential_privacy"] is False
    assert "without differential privacy" in told["statement"]


@pytest.mark.parametrize(
    "text", ["one split and one seed (1)", "no attack was run", "clinical trial"]
)
def test_what_was_not_measured_is_told(finished, text):
    assert any(text in sentence for sentence in finished.result["not_measured"])
