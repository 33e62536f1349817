"""The optimiser of a round, and its learning rate."""

import math
from collections.abc import Mapping

import torch
from torch import Tensor

from fusion.config import RunConfig, TrainingConfig
from fusion.training.plan import Network

BASELINE_SPEED = 10.0
"""The shared baseline learns so much faster than the weights; it has a handful of parameters."""


def rate_of(config: RunConfig, round_number: int) -> float:
    """Return the round's learning rate: constant, or a cosine from 1 to a tenth.

    Source: own.
    """
    if config.training.schedule == "constant" or config.rounds == 1:
        return config.training.lr
    angle = math.pi * (round_number - 1) / (config.rounds - 1)
    return config.training.lr * (0.55 + 0.45 * math.cos(angle))


def optimiser_for(
    network: Network,
    config: TrainingConfig,
    rate: float,
    stacked: Mapping[str, Tensor] | None = None,
) -> torch.optim.Optimizer:
    """Return the optimiser; weight decay spares biases, norms, placeholders and the baseline.

    Args:
        network: What is trained.
        config: The run's settings.
        rate: Learning rate of the round.
        stacked: Parameters of several copies of the network, by its names, that are trained in
            place of its own; every rule here works number by number.

    Source: own.
    """
    own = dict(network.named_parameters())
    trained = own if stacked is None else stacked
    held = {name for name in own if name.startswith("model.")}
    decayed = {
        name for name in held if own[name].ndim > 1 and not name.startswith("model.placeholders")
    }
    groups = [
        {"params": [trained[n] for n in own if n in decayed], "weight_decay": config.weight_decay},
        {"params": [trained[n] for n in own if n in held - decayed], "weight_decay": 0.0},
        {
            "params": [trained[n] for n in own if n not in held],
            "weight_decay": 0.0,
            "lr": rate * BASELINE_SPEED,
        },
    ]
    groups = [group for group in groups if group["params"]]
    if config.optimiser == "sgd":
        return torch.optim.SGD(groups, lr=rate, momentum=config.momentum)
    kind = torch.optim.AdamW if config.optimiser == "adamw" else torch.optim.Adam
    return kind(groups, lr=rate)
