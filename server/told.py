"""What an answer tells of its releases: the noise on a sum, what was withheld, what it cost."""

from collections.abc import Mapping
from typing import Any

from fusion.config import LARGEST
from fusion.errors import FederationError


def noise_on(name: str, figures: Mapping[str, Any]) -> float:
    """Return the standard deviation of the noise on a sum; 0 = it is exact.

    Raises:
        FederationError: What the site told is no deviation.

    Source: own.
    """
    told = figures.get(f"noise:{name}", 0.0)
    if not isinstance(told, (int, float)) or not 0 <= told < LARGEST:
        raise FederationError(
            f"Noise on {name} must be a number >= 0, got {str(told)[:25]}. "
            "Run the same version at every site."
        )
    return float(told)


def withheld_in(facts: Mapping[str, Any]) -> dict[str, str]:
    """Return which sums with noise a ledger did not let out, and why.

    Source: own.
    """
    parts = (str(told).partition(": ") for told in facts.get("withheld", ()))
    return {name: why for name, _, why in parts}


def account_in(figures: Mapping[str, Any]) -> dict[str, float]:
    """Return what a site says of its budget, by figure; empty if it says nothing.

    Source: own.
    """
    return {
        name.removeprefix("budget:"): float(value)
        for name, value in figures.items()
        if name.startswith("budget:") and isinstance(value, (int, float))
    }
