import json
import math
import re

import pytest
from jsonschema import Draft202012Validator

from fusion.errors import ConcordError
from server.schema import ResultError, read_schema, validate
from tests.server.sample_result import empty_result, sample_result, unimodal_result


def test_the_schema_is_itself_a_valid_schema():
    Draft202012Validator.check_schema(read_schema())


@pytest.mark.parametrize("make", [sample_result, unimodal_result, empty_result])
def test_the_results_of_a_run_are_valid(make):
    validate(make())


def test_a_result_stays_valid_through_a_file():
    validate(json.loads(json.dumps(sample_result(), allow_nan=False)))


def test_every_error_is_one_a_person_can_be_shown():
    assert issubclass(ResultError, ConcordError)
    with pytest.raises(ResultError, match=r"Write it again with this version of Concord\."):
        validate({})


@pytest.mark.parametrize("key", sorted(sample_result()))
def test_each_missing_part_is_named(key):
    result = sample_result()
    del result[key]
    with pytest.raises(ResultError, match=rf"result must have {key}, got "):
        validate(result)


def test_an_unknown_part_is_named():
    with pytest.raises(ResultError, match=r"hold only the keys of the schema, got \['extra'\]"):
        validate(sample_result() | {"extra": 1})


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_a_number_that_strict_json_lacks_is_refused_with_its_place(value):
    result = sample_result()
    result["rounds"][2]["loss"]["train"] = value
    place = re.escape("result.rounds[2].loss.train must be a finite number or null")
    with pytest.raises(ResultError, match=place):
        validate(result)


def test_a_figure_that_is_null_must_give_a_reason():
    result = sample_result()
    result["evaluation"]["pooled"]["concordance"] |= {"value": None, "reason": None}
    with pytest.raises(ResultError, match=r"pooled\.concordance.*reason must have type"):
        validate(result)


def test_a_concordance_above_one_is_refused():
    result = sample_result()
    result["evaluation"]["pooled"]["concordance"]["value"] = 1.2
    with pytest.raises(ResultError, match=r"pooled\.concordance\.value"):
        validate(result)


def test_an_audit_must_have_every_convention():
    result = sample_result()
    del result["audit"]["shares"]["moebius"]
    with pytest.raises(ResultError, match=r"result\.audit\.shares must have moebius"):
        validate(result)


def test_the_lists_of_a_curve_must_be_of_one_length():
    result = sample_result()
    result["evaluation"]["curves"]["groups"][1]["at_risk"].pop()
    with pytest.raises(ResultError, match=r"groups\[1\]\.at_risk must have \d+ entries, as time"):
        validate(result)


def test_an_error_shows_only_the_beginning_of_a_long_value():
    with pytest.raises(ResultError) as caught:
        validate(sample_result() | {"config_hash": "z" * 5000})
    assert len(str(caught.value)) < 250


def test_a_hash_must_be_hexadecimal():
    result = sample_result()
    result["model"]["sha256"] = "not a hash"
    with pytest.raises(ResultError, match=r"result\.model\.sha256 must have pattern"):
        validate(result)
