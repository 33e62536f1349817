"""Many copies of one model trained side by side, each on a half of the patients: shadow models."""

from collections.abc import Mapping

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.func import functional_call, grad, vmap

from privacy.engine import Patients
from privacy.plan import PrivacyPlan

Stacked = Mapping[str, Tensor]
"""Parameters by name; the first axis is the models'."""

MOST_NUMBERS = 2**25
"""Numbers of single patients' gradients in memory at once."""


def stack(module: nn.Module, number: int) -> dict[str, nn.Parameter]:
    """Return so many copies of a module's parameters.

    Source: own.
    """
    return {
        name: nn.Parameter(value.detach()[None].repeat(number, *[1] * value.ndim))
        for name, value in module.named_parameters()
    }


def losses_of(
    module: nn.Module, stacked: Stacked, patients: Patients
) -> Float[Tensor, "model patient"]:
    """Return each model's loss of each patient.

    Args:
        module: From the tensors of some patients to the loss of each.
        stacked: Its parameters in each model.
        patients: One row a patient.

    Source: own.
    """

    def losses(parameters: dict[str, Tensor]) -> Tensor:
        return functional_call(module, parameters, (patients,))

    with torch.no_grad():
        return vmap(losses)({name: value.detach() for name, value in stacked.items()})


def plain_sums(
    module: nn.Module,
    stacked: Stacked,
    patients: Patients,
    weights: Float[Tensor, "model patient"],
) -> dict[str, Tensor]:
    """Return each model's gradient of its weighted sum of losses.

    Args:
        module: From the tensors of some patients to the loss of each.
        stacked: Its parameters in each model.
        patients: One row a patient.
        weights: Of each patient in each model; 0 = not in its half.

    Source: own.
    """

    def total(parameters: dict[str, Tensor], weight: Tensor) -> Tensor:
        return (functional_call(module, parameters, (patients,)) * weight).sum()

    each = vmap(grad(total), randomness="different")
    return each({n: v.detach() for n, v in stacked.items()}, weights)


def clipped_sums(
    module: nn.Module,
    stacked: Stacked,
    patients: Patients,
    taken: Bool[Tensor, "model patient"],
    max_grad_norm: float,
) -> dict[str, Tensor]:
    """Return each model's sum of its patients' gradients, each clipped whole.

    What `privacy.engine.clipped_sum` does for one model, in single precision.

    Args:
        module: From the tensors of some patients to the loss of each.
        stacked: Its parameters in each model.
        patients: One row a patient.
        taken: Who takes part in each model's step.
        max_grad_norm: The clip.

    Source: own.
    """

    def alone(parameters: dict[str, Tensor], patient: Patients) -> Tensor:
        lone = {name: value[None] for name, value in patient.items()}
        return functional_call(module, parameters, (lone,))[0]

    def clipped(parameters: dict[str, Tensor], here: Tensor) -> dict[str, Tensor]:
        each = vmap(grad(alone), in_dims=(None, 0))(parameters, dict(patients))
        norm = torch.stack([g.flatten(1).square().sum(1) for g in each.values()]).sum(0).sqrt()
        factor = (max_grad_norm / norm.clamp(min=max_grad_norm)).where(norm.isfinite(), 0.0)
        factor = factor * here
        return {
            name: torch.tensordot(factor, g.nan_to_num(0.0, 0.0, 0.0), 1)
            for name, g in each.items()
        }

    each = vmap(clipped, randomness="different")
    return each({n: v.detach() for n, v in stacked.items()}, taken.float())


def at_once(stacked: Stacked) -> int:
    """Return how many patients `clipped_sums` may be given at once.

    Source: own.
    """
    return max(1, MOST_NUMBERS // sum(value.numel() for value in stacked.values()))


def noisy(
    sums: Mapping[str, Tensor], plan: PrivacyPlan, random: torch.Generator
) -> dict[str, Tensor]:
    """Return sums with the plan's noise, over its divisor.

    The noise of shadow models is a generator's: nothing of them leaves the attack.

    Args:
        sums: Of clipped gradients, for each model.
        plan: Noise, clip and divisor.
        random: Where the noise comes from.

    Source: own.
    """
    scale = plan.noise_multiplier * plan.max_grad_norm
    return {
        name: (value + scale * torch.randn(value.shape, generator=random).to(value.device))
        / plan.expected_batch
        for name, value in sums.items()
    }
