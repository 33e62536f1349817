"""The plan of a private run: sampling, clipping, noise and their cost, coupled once."""

from dataclasses import dataclass
from typing import Literal

from privacy.accountant import Spent, check_delta, spent
from privacy.errors import PrivacyError
from privacy.events import PrivacyEvent

Sampling = Literal["full", "poisson"]


@dataclass(frozen=True)
class PrivacyPlan:
    """What one site does to its patients in a WHOLE run, and the events that account for it.

    The steps of all rounds share one noise multiplier, so that no round can be asked to use less.
    Not for a loss that couples patients: clipping per patient then bounds nothing.

    Attributes:
        noise_multiplier: Standard deviation of the noise on each step's sum of clipped gradients,
            divided by `max_grad_norm`.
        max_grad_norm: Most that one patient's gradient may be long.
        steps: Noisy steps of the whole run.
        delta: Of the promise.
        sampling_rate: Probability of each patient to take part in a step; 1 = full batch.
        public_size: Rounded number of patients that anybody may know; the normaliser of every
            mean, whatever the true number.
        releases: Everything else that leaves under noise in this run.

    Raises:
        PrivacyError: A number is out of its range.

    Source: own; the coupling follows Google's jax_privacy.
    """

    noise_multiplier: float
    max_grad_norm: float
    steps: int
    delta: float
    sampling_rate: float = 1.0
    public_size: int = 100
    releases: tuple[PrivacyEvent, ...] = ()

    def __post_init__(self) -> None:
        check_delta(self.delta)
        for name, least in (("max_grad_norm", 0.0), ("steps", 0), ("public_size", 0)):
            if not getattr(self, name) > least:
                raise PrivacyError(
                    f"{name} must be > {least:g}, got {getattr(self, name)}. Raise it."
                )
        if self.delta * self.public_size >= 1:
            raise PrivacyError(
                f"delta must be < 1 / public_size = {1 / self.public_size:g}, got {self.delta:g}: "
                "it would allow one patient to be given away whole. Lower delta."
            )
        self.training(self.steps)

    @property
    def sampling(self) -> Sampling:
        """How the patients of a step are drawn."""
        return "full" if self.sampling_rate == 1.0 else "poisson"

    @property
    def expected_batch(self) -> float:
        """The public constant that each step's noisy sum is divided by."""
        return self.sampling_rate * self.public_size

    def training(self, steps: int) -> PrivacyEvent:
        """Return the event of so many steps: what a round is charged.

        Raises:
            PrivacyError: steps < 1.
        """
        return PrivacyEvent("gaussian", self.noise_multiplier, self.sampling_rate, steps)

    def events(self) -> tuple[PrivacyEvent, ...]:
        """Return every event of the whole run."""
        return (self.training(self.steps), *self.releases)

    def spent(self) -> Spent:
        """Return what the whole run costs a patient who took part in nothing before."""
        return spent(self.events(), delta=self.delta)
