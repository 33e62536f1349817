"""Settings that do not go with record-level privacy, and why."""

from collections.abc import Mapping
from typing import Any

from fusion.errors import ConfigError

NEEDED: Mapping[str, tuple[Any, str]] = {
    "training.batch-patients": (0, "the site's policy alone decides who takes part in a step"),
    "federation.weighting": ("patients", "a site's weight is the public size of its policy"),
    "federation.personal": ("none", "a head that stays would be examined without a promise"),
    "model.norm": ("layer", "batch norm couples patients"),
}
"""Setting to the one value that goes with it, and the reason."""


def check_private(flat: Mapping[str, Any]) -> None:
    """Raise unless the settings go with `privacy.mode`.

    Args:
        flat: Every setting by its dotted key.

    Raises:
        ConfigError: Names the first setting that does not.

    Source: own.
    """
    if flat["privacy.mode"] == "none":
        return
    for key, (value, reason) in NEEDED.items():
        if flat[key] != value:
            raise ConfigError(
                f"{key} must be {value} with privacy.mode = {flat['privacy.mode']}, got "
                f"{flat[key]}: {reason}. Set {key} = {value}, or privacy.mode = none."
            )
    if flat["model.name"] == "subspace" and flat["training.coordination"] != "none":
        raise ConfigError(
            f"training.coordination must be none with privacy.mode = {flat['privacy.mode']}, got "
            f"{flat['training.coordination']}: how sure each half is follows from outcomes without "
            "noise. Set training.coordination = none."
        )
    if flat["audit.background"] == "marginal":
        raise ConfigError(
            f"audit.background must not be marginal with privacy.mode = {flat['privacy.mode']}: "
            "its donors are training patients, and no noise hides them. Use input-mean."
        )
    if flat["federation.strategy"] == "scaffold":
        raise ConfigError(
            f"federation.strategy must not be scaffold with privacy.mode = "
            f"{flat['privacy.mode']}: corrections of noisy gradients carry the noise on. Use "
            "fedavg or fedprox."
        )
