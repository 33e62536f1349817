"""One site's work in one round: some optimiser steps on the exact gradient of its patients."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

import numpy as np
import torch
from torch import Tensor

from fusion.config import RunConfig, TrainingConfig
from fusion.encoders.dropout import set_dropout_keys
from fusion.errors import ConcordError
from fusion.models.base import Outputs
from fusion.seeding import generator
from fusion.training.control import Control
from fusion.training.coordination import Coordination
from fusion.training.data import Draw, PatientData
from fusion.training.heads import head_names
from fusion.training.optimisers import optimiser_for, rate_of
from fusion.training.plan import Network
from fusion.types import Scores


@dataclass(frozen=True)
class Training:
    """What a site reports of a round.

    Attributes:
        steps: Optimiser steps taken.
        loss: Mean training loss over them; None = not known.
        control: Mean raw gradient of each corrected parameter; empty without a correction.

    Source: own.
    """

    steps: int
    loss: float | None
    control: Mapping[str, np.ndarray] = field(default_factory=dict)


StepGradient: TypeAlias = Callable[[int], float | None]
"""Puts the gradient of one step into the parameters; returns its loss, None = not to be known."""


def train_round(
    network: Network,
    data: PatientData,
    rows: Sequence[int],
    config: RunConfig,
    *,
    round_number: int,
    correction: Mapping[str, np.ndarray] | None = None,
) -> Training:
    """Take the round's local steps; `network` is changed in place.

    A step's gradient is that of the site's whole training set (`batch_patients` = 0) or an
    unbiased estimate from some patients, who for a coupled objective are still compared with the
    site's full risk set. Memory does not grow with the number of patients.

    Args:
        network: Holds the received global weights.
        data: The site's patients.
        rows: Its training patients.
        config: The run's settings.
        round_number: 1 for the first round.
        correction: SCAFFOLD's, by name of parameter; None = none.

    Returns:
        Steps, mean loss and, with a correction, the mean raw gradient.

    Raises:
        ConcordError: The loss is not finite.

    Privacy: reads patient data; only the changed weights, the mean loss and the mean gradient are
        meant to leave.

    Source: own.
    """

    def gradient(step: int) -> float:
        draw = Draw(config.seed, data.cohort.name, round_number, step)
        return _accumulate(network, data, rows, config.training, draw)

    return take_steps(network, config, gradient, round_number=round_number, correction=correction)


def take_steps(
    network: Network,
    config: RunConfig,
    gradient: StepGradient,
    *,
    round_number: int,
    correction: Mapping[str, np.ndarray] | None = None,
) -> Training:
    """Take the round's local steps on gradients that come from elsewhere.

    Args:
        network: Holds the received global weights; changed in place.
        config: The run's settings.
        gradient: Called once a step.
        round_number: 1 for the first round.
        correction: SCAFFOLD's, by name of parameter; None = none.

    Returns:
        Steps, mean loss and, with a correction, the mean raw gradient.

    Raises:
        ConcordError: The loss is not finite.

    Source: own.
    """
    own = head_names(network, config)
    anchor = {n: p.detach().clone() for n, p in network.named_parameters() if n not in own}
    optimiser = optimiser_for(network, config.training, rate_of(config, round_number))
    control, losses, steps = Control(network, correction or {}), [], config.training.local_steps
    for step in range(steps):
        optimiser.zero_grad()
        loss = gradient(step)
        losses += [] if loss is None else [loss]
        if loss is not None and not math.isfinite(loss):
            raise _diverged(loss, round_number, step)
        control.correct()
        if config.federation.strategy == "fedprox":
            _pull(network, anchor, config.federation.proximal_mu)
        _shrink(network, config.training.l1)
        optimiser.step()
    return Training(steps, float(np.mean(losses)) if losses else None, control.mean())


def _accumulate(
    network: Network,
    data: PatientData,
    rows: Sequence[int],
    config: TrainingConfig,
    draw: Draw,
) -> float:
    """Add one step's gradient to the parameters and return its loss."""
    network.train()
    chosen, size = _choose(rows, config.batch_patients, draw), config.micro_batch
    watch = Coordination(network.model.fusion, network.objective, config.coordination)
    step, parts = _Step(network, data, draw, watch), _parts(chosen, size)
    if not network.objective.couples_patients:
        loss = sum(step.back(part, len(part) / len(chosen)) for part in parts)
    elif len(chosen) == len(rows) <= size:
        loss = step.back(chosen, 1.0)
    else:
        loss, pull = _first_pass(network, data, rows, size, draw)
        slopes = {row: slope * (len(rows) / len(chosen)) for row, slope in pull.items()}
        loss += sum(step.back_slopes(part, slopes, len(part) / len(chosen)) for part in parts)
    watch.correct()
    return loss


@dataclass(frozen=True, eq=False)
class _Step:
    """One step's way back through the network, some patients at a time."""

    network: Network
    data: PatientData
    draw: Draw
    watch: Coordination

    def back(self, rows: Sequence[int], share: float) -> float:
        """Back-propagate `share` of the loss of some patients, and return it."""
        found = self._outputs(rows)
        loss = _loss(self.network, found.scores, self.data, rows) + found.penalty
        (loss * share).backward()
        return float(loss.detach()) * share

    def back_slopes(self, rows: Sequence[int], slopes: Mapping[int, Tensor], share: float) -> float:
        """Back-propagate the loss's slopes and `share` of the penalty, and return the latter."""
        found = self._outputs(rows)
        slope = torch.stack([slopes[row] for row in rows])
        ((found.scores * slope).sum() + found.penalty * share).backward()
        return float(found.penalty.detach()) * share

    def _outputs(self, rows: Sequence[int]) -> Outputs:
        found = _outputs(self.network, self.data, rows, self.draw)
        self.watch.see(found.halves, **self.data.targets(rows, self.network.objective.targets))
        return found


def _first_pass(
    network: Network, data: PatientData, rows: Sequence[int], size: int, draw: Draw
) -> tuple[float, Mapping[int, Tensor]]:
    """Return the loss and its slope by each patient's output; the baseline gets its gradient."""
    with torch.no_grad():
        parts = [_forward(network, data, part, draw) for part in _parts(rows, size)]
    outputs = torch.cat(parts).requires_grad_()
    loss = _loss(network, outputs, data, rows)
    loss.backward()
    slopes = torch.zeros_like(outputs) if outputs.grad is None else outputs.grad
    return float(loss.detach()), dict(zip(rows, slopes, strict=True))


def _forward(network: Network, data: PatientData, rows: Sequence[int], draw: Draw) -> Scores:
    return _outputs(network, data, rows, draw).scores


def _outputs(network: Network, data: PatientData, rows: Sequence[int], draw: Draw) -> Outputs:
    keys = data.keys(rows, draw)
    set_dropout_keys(network.model, torch.tensor(keys, dtype=torch.int64, device=data.device))
    outputs = network.model.outputs(data.batch(rows, keys))
    set_dropout_keys(network.model, None)
    return outputs


def _loss(network: Network, outputs: Scores, data: PatientData, rows: Sequence[int]) -> Tensor:
    objective = network.objective
    return objective.loss(outputs, **data.targets(rows, objective.targets))


def _choose(rows: Sequence[int], number: int, draw: Draw) -> list[int]:
    if number == 0 or number >= len(rows):
        return list(rows)
    drawn = generator(draw.seed, draw.site, draw.round, draw.step, "patients")
    return sorted(int(row) for row in drawn.choice(np.asarray(rows), size=number, replace=False))


def _parts(rows: Sequence[int], size: int) -> list[list[int]]:
    """Return runs of `size` patients; one left over joins the last, as BatchNorm needs two."""
    parts = [list(rows[start : start + size]) for start in range(0, len(rows), size)]
    if len(parts) > 1 and len(parts[-1]) == 1 < size:
        parts[-2:] = [parts[-2] + parts[-1]]
    return parts


def _pull(network: Network, anchor: Mapping[str, Tensor], strength: float) -> None:
    """Add FedProx's gradient: strength times the distance from the received weights."""
    for name, parameter in network.named_parameters():
        if name in anchor and parameter.grad is not None:
            parameter.grad.add_(parameter.detach() - anchor[name], alpha=strength)


def _shrink(network: Network, strength: float) -> None:
    """Add the sub-gradient of strength * sum of the model's |weights|, which no patient enters."""
    for parameter in network.model.parameters():
        if strength and parameter.grad is not None:
            parameter.grad.add_(parameter.detach().sign(), alpha=strength)


def _diverged(loss: float, round_number: int, step: int) -> ConcordError:
    text = (
        f"Training loss must be finite, got {loss} in round {round_number}, step {step + 1}. "
        "Lower training.lr or training.local-steps."
    )
    return ConcordError(text, public=text)
