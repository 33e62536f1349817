"""Settings of a run that predicts a label's classes: which go together, and which do not."""

from collections.abc import Mapping
from typing import Any

from fusion.errors import ConfigError
from fusion.lists import names
from fusion.masking import PROBABILITY, TIME_SCALES

CLASSIFICATION = "classification"
"""Value of `objective.name` for cross-entropy over the classes of `objective.label`."""


def check_classes(flat: Mapping[str, Any]) -> None:
    """Raise unless the settings fit the task: classes of a label, or survival.

    Args:
        flat: Every setting by its dotted key.

    Raises:
        ConfigError: Names the first setting that does not.

    Source: own.
    """
    if flat["objective.name"] != CLASSIFICATION:
        _check_survival(flat)
        return
    classes = names(flat["objective.classes"])
    if not flat["objective.label"].strip():
        raise ConfigError(
            f"objective.label must name a label for objective '{CLASSIFICATION}', got none. Write "
            "a column of the sites' clinical tables, or a [labels] section of their site.toml."
        )
    if classes and not 1 < len(set(classes)) == len(classes):
        raise ConfigError(
            f"objective.classes must be two or more different names, got "
            f"'{flat['objective.classes']}'. Name more, or leave it empty for all there are."
        )
    if flat["federation.weighting"] != "patients":
        raise ConfigError(
            f"federation.weighting must be patients for objective '{CLASSIFICATION}', got "
            f"{flat['federation.weighting']}: it reads no events. Leave it out."
        )
    if flat["privacy.mode"] != "none" and not classes:
        raise ConfigError(
            f"objective.classes must be written with privacy.mode = {flat['privacy.mode']}, got "
            "none: which classes a site has would follow from its patients. Name them."
        )
    if flat["privacy.secure-aggregation"]:
        raise ConfigError(
            f"privacy.secure-aggregation must be false for objective '{CLASSIFICATION}', got true: "
            "each site tells how many patients it has of each class. Leave it out."
        )
    _check_scales(flat)


def _check_scales(flat: Mapping[str, Any]) -> None:
    """Raise if the audit is to be read at a time."""
    for scale in TIME_SCALES:
        if scale in names(flat["audit.scales"]):
            raise ConfigError(
                f"audit.scales must be {PROBABILITY} or empty for objective '{CLASSIFICATION}', "
                f"got '{scale}': classes have no time. Leave it out."
            )


def _check_survival(flat: Mapping[str, Any]) -> None:
    """Raise if a setting of classes stands beside an objective of survival."""
    named = flat["objective.label"] or flat["objective.classes"]
    if named:
        raise ConfigError(
            f"objective.label and objective.classes must be empty for objective "
            f"'{flat['objective.name']}', got '{named}'. Set objective.name = {CLASSIFICATION}, or "
            "leave them out."
        )
    if PROBABILITY in names(flat["audit.scales"]):
        raise ConfigError(
            f"audit.scales must not name {PROBABILITY} for objective '{flat['objective.name']}', "
            "which has no classes. Use survival, say."
        )
