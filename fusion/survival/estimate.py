"""A figure with its uncertainty, or the reason why there is none."""

import math
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from jaxtyping import Bool, Float

from fusion.errors import FederationError

Values: TypeAlias = Float[np.ndarray, " patient"]
"""One number a patient: a time in days, a risk or a weight."""

Flags: TypeAlias = Bool[np.ndarray, " patient"]
"""One truth value a patient: True = event seen."""

Z95 = 1.959963984540054
"""Standard normal quantile of a two-sided 95% interval."""


@dataclass(frozen=True)
class Estimate:
    """A figure with its 95% interval; what cannot be had is None, with a reason, never NaN.

    Attributes:
        value: The figure.
        low: Lower end of the 95% interval.
        high: Upper end of the 95% interval.
        standard_error: Standard error of `value` on its own scale.
        reason: Why something of the above is None.

    Source: own.
    """

    value: float | None
    low: float | None = None
    high: float | None = None
    standard_error: float | None = None
    reason: str | None = None

    def as_dict(self) -> dict[str, Any]:
        """Return the five fields under their names, ready for JSON.

        Source: own.
        """
        return {
            "value": self.value,
            "low": self.low,
            "high": self.high,
            "standard_error": self.standard_error,
            "reason": self.reason,
        }


def proportion(value: float, standard_error: float) -> Estimate:
    """Return a figure between 0 and 1 with an interval that stays between 0 and 1.

    The interval is symmetric on the logit scale: logit(value) +- 1.96 SE / (value (1 - value)).
    At 0 or 1, or when the standard error is 0, the sample holds no spread to measure: the value
    stands, interval and standard error are None, and the reason says so.

    Args:
        value: A figure in [0, 1].
        standard_error: Its standard error on its own scale, >= 0.

    Returns:
        The estimate.

    Source: delta method on the logit (Agresti, Categorical Data Analysis, 2013, section 1.4).
    """
    if not 0.0 < value < 1.0 or standard_error < 1e-12:
        return Estimate(value, reason="all comparisons agree, so there is no spread to measure")
    centre = math.log(value / (1.0 - value))
    half = Z95 * standard_error / (value * (1.0 - value))
    return Estimate(value, _expit(centre - half), _expit(centre + half), standard_error)


def require_finite(what: str, values: Float[np.ndarray, "..."]) -> None:
    """Raise unless every entry of `values` is a finite number.

    Args:
        what: What the values are, for the message.
        values: Numbers of any shape.

    Raises:
        FederationError: Some entry is NaN or infinite; the message counts them.

    Source: own.
    """
    bad = int(np.size(values) - np.isfinite(values).sum())
    if bad:
        raise FederationError(
            f"{what} must be finite, got {bad} of {np.size(values)} values that are NaN or "
            f"infinite. Lower the learning rate or check the inputs' scaling."
        )


def _expit(x: float) -> float:
    """Return 1 / (1 + exp(-x)) without overflow."""
    return 1.0 / (1.0 + math.exp(-x)) if x >= 0 else math.exp(x) / (1.0 + math.exp(x))
