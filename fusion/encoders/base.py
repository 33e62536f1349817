"""What every encoder is: a module that knows the size of the embedding it gives."""

from abc import ABC, abstractmethod
from typing import Any, ClassVar

from torch import nn

from fusion.types import Tokens


class AbstractEncoder(nn.Module, ABC):
    """From one modality's raw inputs to a few tokens a patient.

    Args:
        tokens: Tokens a patient.
        width: Width of a token.

    Attributes:
        alike: True = tokens are draws of one kind, such as patches, so that one placeholder and one
            mean serve all of them.

    Source: own.
    """

    alike: ClassVar[bool] = False

    def __init__(self, tokens: int, width: int) -> None:
        super().__init__()
        self.tokens: int = tokens
        self.width: int = width

    @abstractmethod
    def forward(self, inputs: Any) -> Tokens:
        """Return the tokens of each patient."""
