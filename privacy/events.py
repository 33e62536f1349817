"""What was released, apart from what it costs: frozen events that compose."""

import math
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any, Literal, get_args

from privacy.errors import PrivacyError

Mechanism = Literal["gaussian", "laplace"]


@dataclass(frozen=True)
class PrivacyEvent:
    """A mechanism applied to the patients of one site, perhaps many times.

    Attributes:
        mechanism: `gaussian` or `laplace`.
        noise_multiplier: Standard deviation (Gaussian) or scale (Laplace) of the noise, divided
            by the most that adding or removing one patient changes the sum.
        sampling_rate: Probability with which each patient takes part, drawn anew each time
            (Poisson); 1 = everybody, and no amplification is claimed.
        count: How often it is applied.

    Raises:
        PrivacyError: A number is out of its range.

    Source: own; the split of events from accountants follows Google's dp_accounting.
    """

    mechanism: Mechanism
    noise_multiplier: float
    sampling_rate: float = 1.0
    count: int = 1

    def __post_init__(self) -> None:
        if not (math.isfinite(self.noise_multiplier) and self.noise_multiplier > 0):
            raise PrivacyError(
                f"noise_multiplier must be a number > 0, got {self.noise_multiplier}. Without "
                "noise no epsilon is finite."
            )
        if not 0 < self.sampling_rate <= 1:
            raise PrivacyError(
                f"sampling_rate must be in (0, 1], got {self.sampling_rate}. 1 = every patient."
            )
        if self.mechanism == "laplace" and self.sampling_rate < 1:
            raise PrivacyError(
                f"A sampled release must be gaussian, got laplace with sampling_rate "
                f"{self.sampling_rate}. Release it over every patient."
            )
        if self.count < 1:
            raise PrivacyError(f"count must be >= 1, got {self.count}. Leave the event out.")

    @staticmethod
    def parse(text: str) -> "PrivacyEvent":
        """Return the event of `mechanism:noise_multiplier[:count]`, as typed by a person.

        Raises:
            PrivacyError: The text does not fit.
        """
        word, *numbers = text.split(":")
        for mechanism in get_args(Mechanism):
            if word == mechanism and len(numbers) in (1, 2):
                try:
                    return PrivacyEvent(
                        mechanism, float(numbers[0]), count=int(*numbers[1:] or "1")
                    )
                except ValueError as error:
                    if isinstance(error, PrivacyError):
                        raise
        raise PrivacyError(
            f"A release must be mechanism:noise_multiplier[:count] with gaussian or laplace, got "
            f"'{text}'. Write gaussian:12:4."
        )

    def to_fields(self) -> dict[str, Any]:
        """Return the event as plain values."""
        return asdict(self)


def merged(events: Iterable[PrivacyEvent]) -> tuple[PrivacyEvent, ...]:
    """Return as few events of the same cost.

    Gaussian events over everybody are one event, 1 / z^2 = sum count / z_i^2, exactly; events
    that differ in their count alone are counted together.

    Source: Dong, Roth and Su 2022, "Gaussian differential privacy", corollary 3.3.
    """
    precision, counts = 0.0, dict[tuple[Mechanism, float, float], int]()
    for event in events:
        if event.mechanism == "gaussian" and event.sampling_rate == 1.0:
            precision += event.count / event.noise_multiplier**2
        else:
            key = (event.mechanism, event.noise_multiplier, event.sampling_rate)
            counts[key] = counts.get(key, 0) + event.count
    whole = (PrivacyEvent("gaussian", precision**-0.5),) if precision else ()
    return whole + tuple(PrivacyEvent(*key, count) for key, count in sorted(counts.items()))
