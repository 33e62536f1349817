"""What every fusion model is: encoders, placeholders for what a patient lacks, and a network."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import NamedTuple, TypeAlias

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from fusion.encoders.base import AbstractEncoder
from fusion.types import Bags, Batch, Scores, Tokens


class Shape(NamedTuple):
    """Size of one modality's embedding.

    Attributes:
        tokens: Tokens a patient.
        width: Width of a token.
    """

    tokens: int
    width: int

    @property
    def flat(self) -> int:
        """Length of the tokens laid end to end."""
        return self.tokens * self.width


Shapes: TypeAlias = Mapping[str, Shape]
"""For each modality, in the model's order, the size of its embedding."""


Embeddings: TypeAlias = Mapping[str, Float[Tensor, "patient _ _"]]
"""For each modality its tokens; their number and width may differ between modalities."""


class Outputs(NamedTuple):
    """What training reads of a fusion network.

    Attributes:
        scores: One log hazard a patient, or one logit a class.
        penalty: A term of the loss beside the objective's; 0 for most models.
        halves: Scores of a model's two halves, which add up to `scores`; None = it has no halves.
    """

    scores: Scores
    penalty: Float[Tensor, ""]
    halves: Float[Tensor, "patient 2 *class"] | None = None


class AbstractFusion(nn.Module, ABC):
    """A fusion network: from the embeddings of all modalities to each patient's scores.

    Attributes:
        couples_patients: True = its penalty compares patients, so that clipping per patient
            bounds nothing.

    Source: own.
    """

    couples_patients: bool = False

    def outputs(self, embeddings: Embeddings) -> Outputs:
        """Return what training reads; the scores alone unless a model has more to tell."""
        scores = self(embeddings)
        return Outputs(scores, scores.new_zeros(()))

    @abstractmethod
    def forward(self, embeddings: Embeddings) -> Scores:
        """Return each patient's scores from every modality's tokens."""


class Placeholder(nn.Module):
    """Learned tokens that stand for a modality the patient lacks; they start at 0.

    A linear layer of the constant 1, because engines that clip gradients patient by patient know
    linear layers. It enters every forward, so its gradient is zero, never none, when nobody
    lacks the modality.

    Args:
        shape: Size of the embedding it stands for.
        alike: True = one learned token stands for all of them.

    Source: own.
    """

    def __init__(self, shape: Shape, *, alike: bool = False) -> None:
        super().__init__()
        self.shape = Shape(1, shape.width) if alike else shape
        self.value = nn.Linear(1, self.shape.flat, bias=False)
        nn.init.zeros_(self.value.weight)

    def forward(self, tokens: Tokens, present: Bool[Tensor, " patient"]) -> Tokens:
        """Return `tokens`, replaced where `present` is False."""
        learned = self.value(tokens.new_ones(len(tokens), 1)).unflatten(1, self.shape)
        return torch.where(present[:, None, None], tokens, learned)


class FusionModel(nn.Module):
    """A model in two parts: `encode` one modality at a time, then `fuse`.

    With this split an audit of M modalities costs one encoding each and 2^M cheap fusions.

    Args:
        encoders: One a modality, in the model's order.
        fusion: The fusion network, built for the encoders' shapes.
        classes: Classes whose logits are its scores; 0 = it gives one log hazard.

    Source: own.
    """

    def __init__(
        self, encoders: Mapping[str, AbstractEncoder], fusion: AbstractFusion, classes: int = 0
    ) -> None:
        super().__init__()
        self.classes = classes
        self.modalities = tuple(encoders)
        self.shapes = shapes_of(encoders)
        self.alike = frozenset(name for name, encoder in encoders.items() if encoder.alike)
        self.encoders = nn.ModuleDict(encoders)
        self.placeholders = nn.ModuleDict(
            {
                name: Placeholder(shape, alike=encoders[name].alike)
                for name, shape in self.shapes.items()
            }
        )
        self.fusion = fusion

    def encode(self, modality: str, inputs: Bags | Float[Tensor, "patient feature"]) -> Tokens:
        """Return the embedding of one modality.

        Args:
            modality: One of `modalities`.
            inputs: What the patients have of it; zeros for a patient who lacks it.

        Returns:
            A few tokens a patient, meaningless where the patient lacks the modality.
        """
        return self.encoders[modality](inputs)

    def place(
        self, embeddings: Embeddings, present: Mapping[str, Bool[Tensor, " patient"]]
    ) -> dict[str, Float[Tensor, "patient _ _"]]:
        """Return the embeddings with the learned placeholder where a patient lacks a modality."""
        return {
            name: self.placeholders[name](embeddings[name], present[name])
            for name in self.modalities
        }

    def fuse(
        self, embeddings: Embeddings, present: Mapping[str, Bool[Tensor, " patient"]]
    ) -> Scores:
        """Return the scores of patients from their embeddings.

        Args:
            embeddings: For each modality its tokens, as `encode` gives them.
            present: For each modality, True where the patient has it.

        Returns:
            One log hazard a patient, higher = earlier event; or one logit a class.
        """
        return self.fusion(self.place(embeddings, present))

    def forward(self, batch: Batch) -> Scores:
        """Return the scores of each patient of `batch`."""
        return self.fuse(self._encoded(batch), batch.present)

    def outputs(self, batch: Batch) -> Outputs:
        """Return what training reads of the patients of `batch`."""
        return self.fusion.outputs(self.place(self._encoded(batch), batch.present))

    def _encoded(self, batch: Batch) -> dict[str, Tokens]:
        return {name: self.encode(name, batch.inputs[name]) for name in self.modalities}


def shapes_of(encoders: Mapping[str, AbstractEncoder]) -> dict[str, Shape]:
    """Return the size of each encoder's embedding.

    Args:
        encoders: One a modality.

    Returns:
        One shape a modality, in order.

    Source: own.
    """
    return {name: Shape(encoder.tokens, encoder.width) for name, encoder in encoders.items()}


def flattened(embeddings: Embeddings) -> list[Float[Tensor, "patient _"]]:
    """Return each modality's tokens laid end to end, in order.

    Args:
        embeddings: For each modality its tokens.

    Returns:
        One patient x (token * width) tensor a modality.

    Source: own.
    """
    return [tokens.flatten(1) for tokens in embeddings.values()]
