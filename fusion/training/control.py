"""SCAFFOLD at a site: each step's gradient is corrected for how the site differs from others."""

from collections.abc import Mapping

import numpy as np
import torch
from torch import nn


class Control:
    """Corrects gradients, and keeps the mean of what they were: the site's next control variate.

    A step uses g - c_i + c, where g is the site's gradient, c_i its control variate of before and
    c that of the federation. The next one is the mean of the raw g over the round's steps. With
    plain gradient descent this is the publication's option II, c_i - c + (x - y) / (K lr); with
    momentum or Adam, where that formula means nothing, it is still a mean gradient. Weight decay
    is the same at every site and is left out of it.

    Args:
        network: What is trained; gradients are corrected in place.
        correction: c - c_i by name of parameter; parameters that it lacks train as they would.

    Source: Karimireddy et al., SCAFFOLD, ICML 2020 (control variates); the mean of raw gradients
        is own.
    """

    def __init__(self, network: nn.Module, correction: Mapping[str, np.ndarray]) -> None:
        named = {n: p for n, p in network.named_parameters() if n in correction}
        self._parameters = named
        self._correction = {n: torch.tensor(correction[n]).to(p) for n, p in named.items()}
        self._sums = {n: torch.zeros_like(p, dtype=torch.float64) for n, p in named.items()}
        self._steps = 0

    def correct(self) -> None:
        """Add the correction to the gradients of one step; call it between backward and step."""
        self._steps += 1
        for name, parameter in self._parameters.items():
            if parameter.grad is None:
                parameter.grad = torch.zeros_like(parameter)
            self._sums[name] += parameter.grad
            parameter.grad += self._correction[name]

    def mean(self) -> dict[str, np.ndarray]:
        """Return the mean raw gradient by name, in the parameters' type.

        Privacy: as telling as the weights: a gradient over the site's training patients.
        """
        steps = max(self._steps, 1)
        return {
            name: (total / steps).to(self._parameters[name].dtype).cpu().numpy()
            for name, total in self._sums.items()
        }
