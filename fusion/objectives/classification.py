"""Weighted cross-entropy over classes: diagnosis, grading, or any label of the clinical table."""

from collections.abc import Sequence
from typing import ClassVar

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from fusion.objectives.base import AbstractObjective
from fusion.types import Labels


class ClassificationObjective(AbstractObjective):
    """-w_c log softmax(logits)_c of each patient of class c; every patient's term stands alone.

    The mean is over patients, not over weights: divided by the weights of a batch, one patient's
    term would depend on the others. With weights N / (K n_c) the mean weight of the federation's
    N training patients is 1, so that the loss is on the scale of the plain one.

    Args:
        class_weights: One a class, > 0, the same at every site.

    Source: cross-entropy as usual; class weights after King and Zeng, Political Analysis 2001.
    """

    couples_patients: ClassVar[bool] = False
    targets: ClassVar[tuple[str, ...]] = ("label",)

    def __init__(self, class_weights: Sequence[float]) -> None:
        super().__init__()
        weights = torch.tensor(class_weights, dtype=torch.float32)
        # Not in the state: the plan says them, and training does not change them.
        self.register_buffer("class_weights", weights, persistent=False)

    def losses(
        self, logits: Float[Tensor, "patient class"], *, label: Labels
    ) -> Float[Tensor, " patient"]:
        """Return each patient's loss."""
        weights = self.get_buffer("class_weights").to(logits.dtype)[label]
        return weights * nn.functional.cross_entropy(logits, label, reduction="none")

    def loss(self, logits: Float[Tensor, "patient class"], *, label: Labels) -> Float[Tensor, ""]:
        """Return the mean of the losses; 0 with a graph for no patients."""
        if len(logits) == 0:
            return logits.sum() * 0.0
        return self.losses(logits, label=label).mean()

    def forward(self, outcomes: Float[Tensor, "patient column"]) -> Float[Tensor, " patient"]:
        """Return the losses of rows of logits and, last, the class's number.

        One tensor goes in: engines that take gradients patient by patient know such modules.
        """
        logits = outcomes[:, :-1].to(self.get_buffer("class_weights").dtype)
        return self.losses(logits, label=outcomes[:, -1].long())

    @torch.no_grad()
    def confidence(
        self, halves: Float[Tensor, "patient 2 class"], *, label: Labels
    ) -> tuple[float, float] | None:
        """Return each half's mean probability of the true class; None without patients.

        Args:
            halves: Two parts that add up to the logits.
            label: The true classes.

        Source: MICCAI 2024 (gradient coordination).
        """
        if len(halves) == 0:
            return None
        probabilities = torch.softmax(halves, 2)[torch.arange(len(halves)), :, label]
        first, second = probabilities.mean(0).tolist()
        return first, second

    @staticmethod
    def probabilities(
        logits: Float[np.ndarray, "patient class"],
    ) -> Float[np.ndarray, "patient class"]:
        """Return each patient's probability of each class; rows sum to 1.

        Trained with class weights they are of a population in which all classes are as frequent.
        """
        raised = np.exp(logits - logits.max(axis=1, keepdims=True))
        return raised / raised.sum(axis=1, keepdims=True)


def balanced_weights(counts: Sequence[int]) -> tuple[float, ...]:
    """Return the weight N / (K n_c) of each of K classes, which makes them count alike.

    Args:
        counts: Training patients of each class in the federation, each > 0.

    Privacy: reads summed counts only.

    Source: King and Zeng, Logistic regression in rare events data, Political Analysis 2001.
    """
    return tuple(sum(counts) / (len(counts) * number) for number in counts)
