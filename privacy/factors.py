"""Gradients of linear layers, patient by patient, kept as the two vectors they are products of."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

import torch
from jaxtyping import Float, Float64
from torch import Tensor, nn

Call = Callable[[str, Tensor], Tensor]
"""What stands in for a layer: from its name and input to its output."""


@dataclass(frozen=True, eq=False)
class Product:
    """Each patient's gradient of a weight that met one vector a patient: slope times input.

    Its length is |slope| |input|, so that it need not be written out to be cut.

    Attributes:
        slope: Of the loss by the layer's output.
        given: What the layer read.

    Source: Goodfellow, Efficient per-example gradient computations, arXiv 1510.01799.
    """

    slope: Float[Tensor, "patient out"]
    given: Float[Tensor, "patient in"]

    def __len__(self) -> int:
        return len(self.slope)

    @property
    def ndim(self) -> int:
        """Axes of the gradients written out."""
        return 3

    def squares(self) -> Float64[Tensor, " patient"]:
        """Return the squared length of each patient's gradient."""
        return self.slope.double().square().sum(1) * self.given.double().square().sum(1)

    def weighted(self, factor: Float64[Tensor, " patient"]) -> Float64[Tensor, "out in"]:
        """Return the sum of the gradients, each times its patient's factor."""
        # who has a gradient that is not finite has the factor 0, and 0 times infinity is no number
        slope, given = (s.double().nan_to_num(0.0, 0.0, 0.0) for s in (self.slope, self.given))
        return (slope * factor[:, None]).T @ given

    def each(self) -> Float[Tensor, "patient out in"]:
        """Return the gradients written out."""
        return self.slope[:, :, None] * self.given[:, None, :]


class Passed(NamedTuple):
    """One call of a layer.

    Attributes:
        layer: Its name.
        slope: Of the loss by the output, for each patient.
        given: The input, for each patient.
    """

    layer: str
    slope: Tensor
    given: Tensor


def separable_layers(module: nn.Module) -> dict[str, nn.Linear]:
    """Return the linear layers that learn all they have, and share none of it.

    Source: own.
    """
    named = list(module.named_parameters(remove_duplicate=False))
    uses = Counter(id(parameter) for _, parameter in named)
    return {
        name: layer
        for name, layer in module.named_modules()
        if name  # the whole module is no layer of itself
        and type(layer) is nn.Linear
        and all(p.requires_grad and uses[id(p)] == 1 for p in layer.parameters())
    }


@contextmanager
def replaced(layers: Mapping[str, nn.Linear], call: Call) -> Iterator[None]:
    """Let `call` compute what the layers do, for a while.

    Args:
        layers: Of one module.
        call: From a layer's name and its input to its output.

    Source: own.
    """
    for name, layer in layers.items():
        layer.forward = partial(call, name)  # type: ignore[method-assign]
    try:
        yield
    finally:
        for layer in layers.values():
            del layer.forward


def layer_gradients(
    layers: Mapping[str, nn.Linear], passed: Sequence[Passed]
) -> dict[str, Tensor | Product]:
    """Return each patient's gradient of the layers' weights and constants, by name of parameter.

    Args:
        layers: By name; each was called.
        passed: All their calls.

    Source: Goodfellow, arXiv 1510.01799; over several places: Rochette et al., arXiv 1912.06015.
    """
    found: dict[str, Tensor | Product] = {}
    for name, layer in layers.items():
        calls = [one for one in passed if one.layer == name]
        slope, given = _joined([c.slope for c in calls]), _joined([c.given for c in calls])
        single = slope.shape[1] == 1
        found[f"{name}.weight"] = (
            Product(slope[:, 0], given[:, 0]) if single else slope.transpose(1, 2) @ given
        )
        if layer.bias is not None:
            found[f"{name}.bias"] = slope.sum(1)
    return found


def _joined(parts: Sequence[Tensor]) -> Float[Tensor, "patient place width"]:
    flat = [part.flatten(1, -2) for part in parts]
    return flat[0] if len(flat) == 1 else torch.cat(flat, 1)
