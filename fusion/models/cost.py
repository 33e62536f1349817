"""What a model costs: its parameters, and its multiply-accumulates for a batch."""

from typing import Any

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode


def count_parameters(model: nn.Module) -> int:
    """Return the number of trainable numbers in `model`.

    Source: own.
    """
    return sum(parameter.numel() for parameter in model.parameters() if parameter.requires_grad)


def count_macs(model: nn.Module, batch: Any) -> int:
    """Return the multiply-accumulates of one forward pass without dropout.

    Matrix products only: additions, activations and normalisations are not counted.

    Args:
        model: Any module; its training mode is as before afterwards.
        batch: Its one argument, such as a `Batch` of one patient.

    Returns:
        Multiply-accumulates of the whole batch.

    Source: torch.utils.flop_counter, whose floating point operations are two a product.
    """
    training = model.training
    model.eval()
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        model(batch)
    model.train(training)
    return counter.get_total_flops() // 2
