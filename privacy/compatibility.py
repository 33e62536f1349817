"""What record-level privacy cannot hold for: losses and layers that couple patients."""

from collections.abc import Iterator
from typing import Protocol, runtime_checkable

from torch import nn

from privacy.errors import PrivacyError

SEPARABLE = "objective.name = discrete-time, piecewise-exponential or classification"
"""Losses with one term a patient."""

REFUSED: tuple[tuple[type[nn.Module], str, str], ...] = (
    (nn.modules.batchnorm._BatchNorm, "normalises by the batch", "model.norm = layer"),
    (nn.modules.instancenorm._InstanceNorm, "can keep running statistics", "LayerNorm"),
    (nn.RNNBase, "has no gradient by patient", "linear layers"),
    (nn.MultiheadAttention, "has no gradient by patient", "attention of linear layers"),
    (nn.Bilinear, "has no gradient by patient", "a linear layer of each input"),
)
"""Layers, why not, and what to use instead."""


@runtime_checkable
class StatesCoupling(Protocol):
    """A loss that says whether a patient's term depends on other patients.

    Source: own.
    """

    @property
    def couples_patients(self) -> bool:
        """True: clipping patient by patient bounds nothing."""


def check_loss(loss: StatesCoupling | nn.Module | type, name: str) -> None:
    """Raise unless every patient has a loss of their own.

    Args:
        loss: States `couples_patients`; a loss that does not is taken to couple them.
        name: As people know it.

    Raises:
        PrivacyError: It couples patients.

    Source: own.
    """
    if getattr(loss, "couples_patients", True) is not False:
        raise PrivacyError(
            f"Record-level privacy must have a loss of each patient alone, got '{name}', which "
            f"couples patients, so clipping patient by patient cannot bound it. Use {SEPARABLE}, "
            "or privacy.mode = none."
        )


def check_layers(module: nn.Module) -> None:
    """Raise unless each patient passes the module alone and all that it learns is noised.

    Raises:
        PrivacyError: A layer couples patients or has no gradient by patient, or the module keeps
            values that training changes without noise.

    Source: own.
    """
    for name, layer, reason, instead in _refused(module):
        raise PrivacyError(
            f"Record-level privacy must not have {layer}, got one at '{name}': it {reason}. Use "
            f"{instead}, or privacy.mode = none."
        )
    for name, part in module.named_modules():
        if name and getattr(part, "couples_patients", False):
            raise PrivacyError(
                f"Record-level privacy must not have a loss between patients, got one in "
                f"{type(part).__name__} at '{name}'. Set model.consistency = 0, or "
                "privacy.mode = none."
            )
    learned = {name for name, _ in module.named_parameters(remove_duplicate=False)}
    if kept := sorted(set(module.state_dict()) - learned):
        raise PrivacyError(
            f"Record-level privacy must noise everything that a model sends, got '{kept[0]}', "
            "which is no parameter. Choose a model without running statistics, or "
            "privacy.mode = none."
        )


def _refused(module: nn.Module) -> Iterator[tuple[str, str, str, str]]:
    for name, part in module.named_modules():
        for kind, reason, instead in REFUSED:
            if isinstance(part, kind):
                yield name, type(part).__name__, reason, instead
