"""Shadow models: the run trained again many times side by side, each time on random halves."""

import logging
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float64
from torch import Tensor, nn

from fusion.errors import ConfigError
from fusion.seeding import digest, generator
from fusion.training.data import Draw
from fusion.training.optimisers import optimiser_for, rate_of
from fusion.training.patient_losses import PatientLosses, patient_tensors
from privacy.attacks.shadows import (
    at_once,
    clipped_sums,
    losses_of,
    noisy,
    plain_sums,
    stack,
)
from privacy.plan import PrivacyPlan
from simulations.attacked_run import AttackedRun, AttackedSite

log = logging.getLogger("concord.simulate")


@dataclass(frozen=True, eq=False)
class Shadows:
    """What shadow models think of the patients, site after site, members of the run first.

    Attributes:
        inside: Whether a patient was in a model's half.
        confidence: Minus the patient's loss under it.

    Source: own.
    """

    inside: Bool[np.ndarray, "model patient"]
    confidence: Float64[np.ndarray, "model patient"]


def check_shadows(run: AttackedRun) -> None:
    """Raise unless shadow models of a run can be trained.

    Raises:
        ConfigError: A patient has no loss of their own, or the model is more than its parameters.

    Source: own.
    """
    network = run.network(trained=False)
    if network.couples_patients:
        raise ConfigError(
            f"Shadow models must have a loss of each patient alone, got "
            f"'{run.config.objective.name}' with model '{run.config.model.name}', which couples "
            "patients. Train with objective.name = discrete-time and model.consistency = 0."
        )
    if run.finished.local or set(network.state_dict()) != dict(network.named_parameters()).keys():
        raise ConfigError(
            "Shadow models must be all that the model is, got heads or statistics that sites keep "
            "beside it. Train with federation.personal = none and model.norm = layer."
        )


def train_shadows(run: AttackedRun, number: int, seed: int) -> Shadows:
    """Return so many shadow models' confidences; each patient is in a half by a fair coin.

    Args:
        run: What is attacked.
        number: Of models.
        seed: Of halves, and of the shadows' noise.

    Raises:
        ConfigError: As `check_shadows`.

    Source: Carlini et al., Membership inference attacks from first principles, S&P 2022.
    """
    coins = generator(seed, "halves")
    halves = [coins.random((number, len(site.pool))) < 0.5 for site in run.sites]
    trained = train_halves(run, halves, seed)
    return Shadows(np.concatenate(halves, axis=1), confidences(run, trained))


def train_halves(
    run: AttackedRun, halves: Sequence[Bool[np.ndarray, "model _"]], seed: int
) -> Mapping[str, Tensor]:
    """Return the run's model trained again on each of some choices of its patients, by vmap.

    Rounds, local steps, optimiser, learning rate, first weights, patches and dropout are the
    run's; a private site's clip, noise, sampling and steps too. Sites are averaged by their
    members (`fedavg`), whatever the strategy; `training.l1` and `proximal-mu` are not applied.

    Args:
        run: What is attacked.
        halves: For each site, who of its pool is in each model.
        seed: Of the shadows' noise.

    Raises:
        ConfigError: As `check_shadows`.

    Source: own.
    """
    check_shadows(run)
    network, number = run.network(trained=False), len(halves[0])
    module, shared = PatientLosses(network), stack(network, number)
    random = torch.Generator().manual_seed(digest(seed, "noise"))
    started = time.monotonic()
    for count in range(1, run.finished.round + 1):
        parts = []
        for site, inside in zip(run.sites, halves, strict=True):
            local = {name: nn.Parameter(value.detach().clone()) for name, value in shared.items()}
            worker = _Worker(run, site, module, torch.tensor(inside), random)
            worker.train(local, count)
            parts.append((local, worker.weight))
        shared = _averaged(parts)
        log.info(
            "%d shadow models: round %d of %d, %.0f s", number, count, run.finished.round,
            time.monotonic() - started,
        )  # fmt: skip
    return shared


def confidences(
    run: AttackedRun, stacked: Mapping[str, Tensor]
) -> Float64[np.ndarray, "model patient"]:
    """Return minus each patient's loss under each of several models, without dropout.

    Args:
        run: Whose patients; members of each site first.
        stacked: The models' parameters, by the network's names.

    Source: own.
    """
    network = run.network(trained=False)
    network.eval()
    module, found = PatientLosses(network), []
    for site in run.sites:
        draw = Draw(run.config.seed, site.name, 0, 0)
        for rows in _parts(site.pool, run.config.training.micro_batch):
            patients = patient_tensors(network, site.data, rows, draw)
            found.append(-losses_of(module, _within(stacked), patients).double().cpu().numpy())
    return np.concatenate(found, axis=1)


class _Worker:
    """One site's training of all shadow models."""

    def __init__(
        self,
        run: AttackedRun,
        site: AttackedSite,
        module: PatientLosses,
        inside: Bool[Tensor, "model patient"],
        random: torch.Generator,
    ) -> None:
        self._run, self._site, self._module = run, site, module
        self._inside, self._random = inside, random

    @property
    def weight(self) -> Tensor:
        """What the site counts in each model's average: its members, or its public size."""
        if self._site.plan is not None:
            return torch.full((len(self._inside),), float(self._site.plan.public_size))
        return self._inside.sum(1).float()

    def train(self, local: Mapping[str, nn.Parameter], count: int) -> None:
        """Take one round's steps; `local` is changed in place."""
        config, network = self._run.config, self._module.network
        network.train()
        optimiser = optimiser_for(network, config.training, rate_of(config, count), local)
        plan = self._site.plan
        steps = config.training.local_steps
        if plan is not None:
            planned = int(self._site.account["planned_steps"]) // config.rounds  # type: ignore[index]
            steps = max(0, min(planned, plan.steps - planned * (count - 1)))
        for step in range(steps):
            draw = Draw(config.seed, self._site.name, count, step)
            gradient = self._plain(local, draw) if plan is None else self._noisy(local, draw, plan)
            for name, parameter in local.items():
                parameter.grad = gradient[name]
            optimiser.step()

    def _plain(self, local: Mapping[str, Tensor], draw: Draw) -> dict[str, Tensor]:
        rows, taken = self._site.pool, self._inside
        size = self._run.config.training.batch_patients
        if 0 < size < len(rows):
            random = generator(draw.seed, draw.site, draw.round, draw.step, "patients")
            chosen = np.sort(random.choice(len(rows), size=size, replace=False))
            rows, taken = [rows[place] for place in chosen], taken[:, torch.tensor(chosen)]
        weights = taken.float() / taken.sum(1, keepdim=True).clamp(min=1)
        size = self._run.config.training.micro_batch
        return _added(
            plain_sums(self._module, _within(local), patients, weights[:, place])
            for patients, place in self._patients(rows, draw, size)
        )

    def _noisy(
        self, local: Mapping[str, Tensor], draw: Draw, plan: PrivacyPlan
    ) -> dict[str, Tensor]:
        taken = self._inside
        if plan.sampling == "poisson":
            taken = taken & (torch.rand(taken.shape, generator=self._random) < plan.sampling_rate)
        size = min(at_once(local), self._run.config.training.micro_batch)
        clip = plan.max_grad_norm
        sums = _added(
            clipped_sums(self._module, _within(local), patients, taken[:, place], clip)
            for patients, place in self._patients(self._site.pool, draw, size)
        )
        return noisy(sums, plan, self._random)

    def _patients(
        self, rows: Sequence[int], draw: Draw, size: int
    ) -> Iterator[tuple[dict[str, Tensor], slice]]:
        network = self._module.network
        for start, part in zip(range(0, len(rows), size), _parts(rows, size), strict=True):
            place = slice(start, start + len(part))
            yield patient_tensors(network, self._site.data, part, draw), place


def _parts(rows: Sequence[int], size: int) -> list[list[int]]:
    return [list(rows[start : start + size]) for start in range(0, len(rows), size)]


def _within(stacked: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return parameters under the names they have inside `PatientLosses`."""
    return {f"network.{name}": value for name, value in stacked.items()}


def _added(parts: Iterator[dict[str, Tensor]]) -> dict[str, Tensor]:
    total: dict[str, Tensor] = {}
    for part in parts:
        for name, value in part.items():
            own = name.removeprefix("network.")
            total[own] = value if own not in total else total[own] + value
    return total


def _averaged(
    parts: Sequence[tuple[Mapping[str, nn.Parameter], Tensor]],
) -> dict[str, nn.Parameter]:
    """Return the mean of the sites' models, each model by its own weights."""
    whole = torch.stack([weight for _, weight in parts]).sum(0).clamp(min=1)
    found = {}
    for name, first in parts[0][0].items():
        shape = (-1, *[1] * (first.ndim - 1))
        each = [local[name].detach() * (w / whole).view(shape) for local, w in parts]
        found[name] = nn.Parameter(torch.stack(each).sum(0))
    return found
