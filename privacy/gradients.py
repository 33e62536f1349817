"""Each patient's gradient by torch.func, which never shows one patient to another."""

from collections.abc import Mapping
from typing import TypeAlias

import torch
from torch import Tensor, nn
from torch.func import functional_call, grad_and_value, vmap
from torch.nn.functional import linear

from privacy.errors import PrivacyError
from privacy.factors import Passed, Product, layer_gradients, replaced, separable_layers

Patients: TypeAlias = Mapping[str, Tensor]
"""What a module reads of some patients; every tensor has one row each."""

Gradients: TypeAlias = Mapping[str, Tensor | Product]
"""By name of parameter; the first axis of each is the patients'."""


def functional_gradients(module: nn.Module, patients: Patients) -> tuple[Gradients, Tensor]:
    """Return each patient's gradient and loss by torch.func: vmap over batches of one.

    Whatever the module does, a patient's gradient cannot depend on the others: they are not there.

    Args:
        module: From the tensors of some patients to the loss of each.
        patients: One row a patient.

    Raises:
        PrivacyError: A batch of one has not one loss.

    Source: own.
    """
    learned = {name: p.detach() for name, p in module.named_parameters() if p.requires_grad}

    def loss_of(parameters: dict[str, Tensor], patient: Patients) -> Tensor:
        alone = {name: value[None] for name, value in patient.items()}
        losses = functional_call(module, parameters, (alone,))
        check_count("losses", losses, 1)
        return losses[0]

    each = vmap(grad_and_value(loss_of), in_dims=(None, 0), randomness="different")
    return each(learned, dict(patients))


def factored_gradients(module: nn.Module, patients: Patients) -> tuple[Gradients, Tensor]:
    """Return what `functional_gradients` does, without writing out what linear layers give.

    A constant 0 is added to the output of each linear layer. The slope of the loss by it and the
    layer's input make the gradient of the layer's weight. Patients are alone in their batch here,
    too. Weights are out of reach meanwhile: a module that reads one beside its layer fails.

    Args:
        module: From the tensors of some patients to the loss of each.
        patients: One row a patient.

    Raises:
        PrivacyError: A batch of one has not one loss.

    Source: own; factors after Goodfellow, arXiv 1510.01799.
    """
    layers = separable_layers(module)
    calls = _calls(module, layers, patients)
    layers = {name: layers[name] for name, _ in calls}  # in the order of their calls
    held = {name: (one.weight.detach(), _detached(one.bias)) for name, one in layers.items()}
    learned = {name: p.detach() for name, p in module.named_parameters() if p.requires_grad}
    own = [f"{name}.{kind}" for name in layers for kind, _ in layers[name].named_parameters()]
    hidden = {name: learned.pop(name).to("meta") for name in own}

    def loss_of(
        parameters: dict[str, Tensor], zeros: list[Tensor], patient: Patients
    ) -> tuple[Tensor, list[Tensor]]:
        given: list[Tensor] = []

        def shifted(name: str, values: Tensor) -> Tensor:
            given.append(values)
            return linear(values, *held[name]) + zeros[len(given) - 1]

        with replaced(layers, shifted):
            alone = {name: value[None] for name, value in patient.items()}
            losses = functional_call(module, parameters | hidden, (alone,))
        check_count("losses", losses, 1)
        return losses[0], given

    number = len(next(iter(patients.values())))
    zeros = [output.new_zeros(number, *output.shape) for _, output in calls]
    each = vmap(
        grad_and_value(loss_of, argnums=(0, 1), has_aux=True),
        in_dims=(None, 0, 0),
        randomness="different",
    )
    (found, slopes), (losses, given) = each(learned, zeros, dict(patients))
    passed = [Passed(name, *two) for (name, _), *two in zip(calls, slopes, given, strict=True)]
    return found | layer_gradients(layers, passed), losses


@torch.no_grad()
def _calls(
    module: nn.Module, layers: Mapping[str, nn.Linear], patients: Patients
) -> list[tuple[str, Tensor]]:
    """Return which layers one patient passes, in order, and what comes out of them."""
    found: list[tuple[str, Tensor]] = []

    def noted(name: str, values: Tensor) -> Tensor:
        found.append((name, linear(values, layers[name].weight, layers[name].bias)))
        return found[-1][1]

    with replaced(layers, noted):
        module({name: value[:1] for name, value in patients.items()})
    return found


def _detached(parameter: Tensor | None) -> Tensor | None:
    return None if parameter is None else parameter.detach()


def check_count(what: str, values: Tensor | Product, patients: int) -> None:
    """Raise unless there is one value for each patient.

    Args:
        what: Their name.
        values: The first axis is the patients'.
        patients: How many there are.

    Raises:
        PrivacyError: There are fewer or more.

    Source: own.
    """
    if values.ndim == 0 or len(values) != patients:
        got = "a single number" if values.ndim == 0 else str(len(values))
        raise PrivacyError(
            f"There must be one of {what} for each of {patients} patients, got {got}. Give the "
            "model bags with a patient axis, and return one loss a patient."
        )
