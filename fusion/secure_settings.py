"""Settings that do not go with secure aggregation, and why."""

from collections.abc import Mapping
from typing import Any

from fusion.errors import ConfigError

REFUSED: Mapping[str, tuple[tuple[Any, ...], str, str]] = {
    "federation.strategy": (
        ("fedmedian", "trimmed-mean", "krum", "scaffold"),
        "it reads each site's update, and the coordinator sees their sum only",
        "fedavg, fedprox, fedadagrad, fedadam or fedyogi",
    ),
    "objective.name": (
        ("federated-cox",),
        "each site is handed the risk sets of the others, from which theirs follow",
        "cox, discrete-time or piecewise-exponential",
    ),
    "audit.background": (
        ("marginal",),
        "how many donors a site has is a figure of that site",
        "input-mean, embedding-mean or zero",
    ),
}
"""Setting to the values that do not go with it, the reason, and what to choose."""


def check_secure(flat: Mapping[str, Any]) -> None:
    """Raise unless the settings go with `privacy.secure-aggregation`.

    Args:
        flat: Every setting by its dotted key.

    Raises:
        ConfigError: Names the first setting that does not.

    Source: own.
    """
    if not flat["privacy.secure-aggregation"]:
        if flat["privacy.max-update-norm"]:
            raise ConfigError(
                f"privacy.max-update-norm must be 0 without privacy.secure-aggregation, got "
                f"{flat['privacy.max-update-norm']:g}: it holds for what enters a secure sum. "
                "Leave it out."
            )
        return
    for key, (values, reason, instead) in REFUSED.items():
        if flat[key] in values:
            raise ConfigError(
                f"{key} must not be {flat[key]} with privacy.secure-aggregation: {reason}. Use "
                f"{instead}."
            )
    if flat["audit.bootstrap"]:
        raise ConfigError(
            f"audit.bootstrap must be 0 with privacy.secure-aggregation, got "
            f"{flat['audit.bootstrap']}: a site with few patients sends no replicates, and nobody "
            "could see which did. Leave it out; intervals then come from standard errors."
        )
