"""The audit of a model of classes: the logit of the class that the full model predicts."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from fusion.interaction.scales import Scale
from fusion.objectives.classification import ClassificationObjective


@dataclass(frozen=True)
class ClassScales:
    """Scales that the logits are read on beside themselves.

    Attributes:
        scales: The predicted class's probability, or none.

    Source: own.
    """

    scales: tuple[Scale, ...]

    def read(self, logits: Float[np.ndarray, "row class"]) -> Float[np.ndarray, "row output"]:
        """Return each class's probability, if that is wanted; donors are averaged after it."""
        if not self.scales:
            return np.zeros((len(logits), 0))
        return ClassificationObjective.probabilities(logits)


def of_predicted(
    outputs: Float[np.ndarray, "patient coalition output"], classes: int
) -> Float[np.ndarray, "patient coalition scale"]:
    """Return every coalition's output for the class that the full model predicts for a patient.

    The class is fixed for a patient, whatever is hidden. Softmax knows logits up to a constant that
    is the same for all classes of a patient, so a logit counts from the mean of the patient's
    logits: a constant added to all of them changes no prediction, and no figure. This is linear, so
    a model whose logits add up over modalities has no interaction.

    Args:
        outputs: K logits, then K numbers of each further scale.
        classes: K.

    Returns:
        The logit, then each further scale.

    Source: InterSHAP, AAAI 2025 (predicted class); counting from the mean is own.
    """
    patients, coalitions, width = outputs.shape
    blocks = outputs.reshape(patients, coalitions, width // classes, classes).copy()
    blocks[:, :, 0] -= blocks[:, :, 0].mean(axis=2, keepdims=True)
    chosen = blocks[:, -1, 0].argmax(axis=1)
    return np.take_along_axis(blocks, chosen[:, None, None, None], axis=3)[..., 0]
