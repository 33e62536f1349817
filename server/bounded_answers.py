"""What an answer holds of patients' losses and risks: exact sums, or bounded ones under noise."""

import numpy as np

from fusion.survival.bounded import BoundedScores
from fusion.survival.calibration import BrierSums
from fusion.survival.moments import MomentSums
from server.inbox import Answer


def scores_of(answer: Answer) -> BoundedScores | None:
    """Return an answer's noised scores; None if its own sums are exact.

    Raises:
        FederationError: They cannot be read.

    Source: own.
    """
    if "scores" not in answer.sums:
        return None
    return BoundedScores.from_array(answer.sums["scores"], answer.noise("scores"))


def moments_of(answer: Answer) -> MomentSums:
    """Return the moments of the risks behind an answer.

    Source: own.
    """
    noised = scores_of(answer)
    return noised.moments if noised else MomentSums.from_array(answer.sums["risk-moments"])


def loss_of(answer: Answer) -> np.ndarray:
    """Return the sum of the losses behind an answer, and what it is over.

    Source: own.
    """
    noised = scores_of(answer)
    return noised.loss if noised else answer.sums["loss"]


def brier_of(answer: Answer) -> BrierSums:
    """Return the Brier contributions behind an answer.

    Source: own.
    """
    noised = scores_of(answer)
    return noised.brier if noised else BrierSums.from_array(answer.sums["brier"])
