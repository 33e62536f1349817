"""The shape of result.json, and the check that a result has it."""

import json
import math
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError, best_match

from fusion.errors import ConcordError

SCHEMA_FILE = Path(__file__).with_name("result.schema.json")
"""JSON Schema 2020-12 of result.json."""

LONGEST = 60
"""Characters of a wrong value that an error shows."""


class ResultError(ConcordError):
    """A result that is not what this version writes and reads.

    Source: own.
    """


def validate(result: Any) -> None:
    """Raise unless `result` is a result.json of this version that strict JSON can hold.

    Args:
        result: What json.loads returned, or what is about to be written.

    Raises:
        ResultError: A part is missing, of the wrong kind or out of range, a curve's lists differ
            in length, or a number is NaN or infinite; names the first such place.

    Source: own.
    """
    _check(result, read_schema)
    if "curves" in result["evaluation"]:
        _check_lengths(result["evaluation"]["curves"]["groups"])


def validate_audit(audit: Any) -> None:
    """Raise unless `audit` is an audit.json of this version that strict JSON can hold.

    Args:
        audit: What json.loads returned, or what is about to be written.

    Raises:
        ResultError: Names the first place that is not as `$defs/reaudit` of the schema says.

    Source: own.
    """
    _check(audit, read_audit_schema)


def validate_attack(attack: Any) -> None:
    """Raise unless `attack` is an attack.json of this version that strict JSON can hold.

    Args:
        attack: What json.loads returned, or what is about to be written.

    Raises:
        ResultError: Names the first place that is not as `$defs/attack` of the schema says.

    Source: own.
    """
    _check(attack, read_attack_schema)


def _check(result: Any, schema: Callable[[], dict[str, Any]]) -> None:
    for place, value in _numbers(result, "result"):
        if not math.isfinite(value):
            raise _wrong(place, "be a finite number or null", value)
    error = best_match(_validator(schema).iter_errors(result))
    if error is not None:
        raise _wrong(_place(error), *_rule(error))


def read_schema() -> dict[str, Any]:
    """Return the JSON Schema of result.json.

    Source: own.
    """
    schema: dict[str, Any] = json.loads(SCHEMA_FILE.read_text(encoding="utf-8"))
    return schema


def read_audit_schema() -> dict[str, Any]:
    """Return the JSON Schema of audit.json.

    Source: own.
    """
    parts = read_schema()["$defs"]
    return {**parts["reaudit"], "$defs": parts}


def read_attack_schema() -> dict[str, Any]:
    """Return the JSON Schema of attack.json.

    Source: own.
    """
    parts = read_schema()["$defs"]
    return {**parts["attack"], "$defs": parts}


@cache
def _validator(schema: Callable[[], dict[str, Any]]) -> Draft202012Validator:
    return Draft202012Validator(schema())


def _numbers(value: Any, place: str) -> Iterator[tuple[str, float]]:
    """Yield every float of a tree with its place."""
    if isinstance(value, Mapping):
        for key, item in value.items():
            yield from _numbers(item, f"{place}.{key}")
    elif isinstance(value, list | tuple):
        for index, item in enumerate(value):
            yield from _numbers(item, f"{place}[{index}]")
    elif isinstance(value, float):
        yield place, value


def _place(error: ValidationError) -> str:
    steps = (f"[{step}]" if isinstance(step, int) else f".{step}" for step in error.absolute_path)
    return "result" + "".join(steps)


def _rule(error: ValidationError) -> tuple[str, Any]:
    """Return what the schema asks at the place of `error`, and what is there."""
    asked: Any = error.validator_value
    if error.validator == "required":
        lacking = [key for key in asked if key not in error.instance]
        return f"have {', '.join(lacking)}", sorted(error.instance)
    if error.validator == "additionalProperties":
        unknown = sorted(set(error.instance) - set(error.schema.get("properties", {})))
        return "hold only the keys of the schema", unknown
    return f"have {error.validator} {json.dumps(asked)}", error.instance


def _check_lengths(groups: list[dict[str, Any]]) -> None:
    for index, group in enumerate(groups):
        for key in ("survival", "low", "high", "at_risk"):
            if len(group[key]) != len(group["time"]):
                place = f"result.evaluation.curves.groups[{index}].{key}"
                raise _wrong(place, f"have {len(group['time'])} entries, as time", len(group[key]))


def _wrong(place: str, rule: str, value: Any) -> ResultError:
    shown = repr(value)
    shown = shown if len(shown) <= LONGEST else shown[:LONGEST] + "..."
    return ResultError(
        f"{place} must {rule}, got {shown}. Write it again with this version of Concord."
    )
