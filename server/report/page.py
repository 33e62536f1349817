"""One result, one page: a self-contained html file without scripts or outside loads."""

from collections.abc import Mapping
from functools import cache
from typing import Any

from jinja2 import DictLoader, Environment, StrictUndefined

from server.budgets import NO_ATTACK
from server.report import words
from server.report.alerts import alerts
from server.report.attacks import attacks
from server.report.budget import budget
from server.report.card import card, site_totals, together
from server.report.classes import class_card, class_forest, confusions
from server.report.interaction import interaction
from server.report.markup import TEMPLATES
from server.report.ranking import forest, not_interpretable
from server.report.style import STYLE
from server.report.survival import calibration, kaplan_meier
from server.report.trace import trace
from server.report.training import training
from server.schema import validate, validate_attack

FILTERS = (
    words.number, words.percent, words.interval, words.percent_interval, words.why_not,
    words.p_value, words.count, words.span, words.clock, words.moment, words.listing,
    words.modality, words.sentence, words.setting,
)  # fmt: skip
"""What templates may do with a figure."""


LACKS: Mapping[str, str] = {
    "slides": "Without slides", "omics": "Without genomics", "partial_omics": "Genomics in part",
    "clinical": "Without clinical data",
}  # fmt: skip
"""Column titles of what patients may lack; another modality is named as it is."""


def render(result: Mapping[str, Any], attack: Mapping[str, Any] | None = None) -> str:
    """Return the report of a run as one html page.

    The page holds its style and figures inside, loads nothing and runs nothing; the same result
    gives the same page.

    Args:
        result: What result.json holds.
        attack: What attack.json holds, if the model was attacked.

    Returns:
        The page, below 2 MB for hundreds of sites and rounds.

    Raises:
        ResultError: The result, or the attack, is not one of this version.

    Privacy: shows the counts and sums that `result` holds, and nothing else; a site with few
        patients is named on the first page, since its figures come close to single persons.

    Source: own.
    """
    validate(result)
    if attack is not None:
        validate_attack(attack)
        result = {**result, "not_measured": [t for t in result["not_measured"] if t != NO_ATTACK]}
    audit = result["audit"]
    shown = _of_classes(result) if "classes" in result["evaluation"] else _of_survival(result)
    return environment().get_template("page").render(
        result=result, style=STYLE, **shown,
        interaction=interaction(audit, result["model"]["modalities"]) if audit else None,
        alerts=alerts(result.get("alerts", ())), trace=trace(result),
        training=training(result), held_out=_held_out(result), lacks=_lacks(result),
        not_interpretable=not_interpretable, budget=budget(result), dash=words.DASH,
        totals=site_totals(result),
        attack=attack, attacks=attacks(attack, result),
    )  # fmt: skip


def _of_survival(result: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the sections of a model of survival show."""
    evaluation = result["evaluation"]
    return {
        "classes": None, "card": card(result), "forest": forest(evaluation),
        "survival": kaplan_meier(evaluation["curves"]["groups"]),
        "calibration": calibration(evaluation["calibration"]),
    }  # fmt: skip


def _of_classes(result: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the sections of a model of classes show."""
    evaluation = result["evaluation"]
    return {
        "classes": class_card(result), "card": {"together": together(result)},
        "forest": class_forest(evaluation), "confusions": confusions(evaluation),
    }  # fmt: skip


def _held_out(result: Mapping[str, Any]) -> frozenset[str]:
    """Return the names of the sites without a part in training."""
    return frozenset(s["name"] for s in result["sites"] if s["role"] == "evaluate-only")


def _lacks(result: Mapping[str, Any]) -> dict[str, str]:
    """Return a column title for each thing that patients of any site may lack."""
    keys = site_totals(result)["missing"]
    return {key: LACKS.get(key, f"Without {key}") for key in keys}


@cache
def environment() -> Environment:
    """Return what renders the report's templates, for other pages in its style too.

    Source: own.
    """
    environment = Environment(
        loader=DictLoader(dict(TEMPLATES)), autoescape=True, undefined=StrictUndefined,
        trim_blocks=True, lstrip_blocks=True,
    )  # fmt: skip
    environment.filters |= {function.__name__: function for function in FILTERS}
    return environment
