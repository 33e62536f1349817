"""One noisy step: each patient's gradient, clipped whole, summed, and noise on the sum.

The one door to Opacus. A patient is one row of every tensor that goes in: all slides, all omics
and the outcome.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence

import torch
from torch import Tensor, nn

from privacy.factors import Product
from privacy.gradients import (
    Gradients,
    Patients,
    check_count,
    factored_gradients,
    functional_gradients,
)
from privacy.plan import PrivacyPlan
from privacy.randomness import Randomness, SystemRandomness


def hooked_gradients(module: nn.Module, patients: Patients) -> tuple[Gradients, Tensor]:
    """Return each patient's gradient and loss by Opacus' hooks on the layers.

    Args:
        module: As for `functional_gradients`; a layer of it that mixes rows is not noticed here.
        patients: One row a patient.

    Raises:
        PrivacyError: There are not as many losses as patients.

    Source: own; gradients by Opacus (Yousefpour et al. 2021).
    """
    from opacus.grad_sample import GradSampleModule  # takes a second, and only this way needs it

    hooked = GradSampleModule(module, loss_reduction="sum")
    try:
        losses = hooked(patients)
        check_count("losses", losses, len(next(iter(patients.values()))))
        losses.sum().backward()
        learned = {name: p for name, p in module.named_parameters() if p.requires_grad}
        gradients = {name: getattr(p, "grad_sample") for name, p in learned.items()}  # noqa: B009
        return gradients, losses.detach()
    finally:
        hooked.to_standard_module()
        module.zero_grad(set_to_none=True)


ENGINES: Mapping[str, Callable[[nn.Module, Patients], tuple[Gradients, Tensor]]] = {
    "factored": factored_gradients,
    "functional": functional_gradients,
    "hooks": hooked_gradients,
}
"""Ways to the same numbers; tests hold all to one patient at a time, for every model."""


def clipped_sum(gradients: Gradients, *, patients: int, max_grad_norm: float) -> dict[str, Tensor]:
    """Return sum_i g_i min(1, C / |g_i|), |g_i| over all parameters together, in float64.

    One patient more or less moves it by at most C, whatever their data: a gradient that is not
    finite counts as 0.

    Args:
        gradients: Of each patient.
        patients: How many there must be.
        max_grad_norm: C.

    Raises:
        PrivacyError: There are not as many gradients as patients.

    Source: Abadi et al., Deep learning with differential privacy, CCS 2016.
    """
    for name, value in gradients.items():
        check_count(f"gradients of '{name}'", value, patients)
    norm = torch.stack([_squares(value) for value in gradients.values()]).sum(0).sqrt()
    factor = (max_grad_norm / norm.clamp(min=max_grad_norm)).where(norm.isfinite(), 0.0)
    return {name: _weighted(value, factor) for name, value in gradients.items()}


def _squares(value: Tensor | Product) -> Tensor:
    if isinstance(value, Product):
        return value.squares()
    return torch.linalg.vector_norm(value.flatten(1), dim=1, dtype=torch.float64).square()


def _weighted(value: Tensor | Product, factor: Tensor) -> Tensor:
    if isinstance(value, Product):
        return value.weighted(factor)
    exact = value.double()
    if not factor.all():  # infinity times 0 is no number
        exact = exact.nan_to_num(0.0, 0.0, 0.0)
    return torch.tensordot(factor, exact, 1)


class NoisyGradient:
    """Puts the noisy mean gradient of each step into a module's parameters.

    (sum_i clip_C(g_i) + N(0, (z C)^2)) / (sampling rate * public size). The divisor is a public
    constant: the true number of patients enters nothing. A step that drew nobody is noise alone
    and costs as much.

    Args:
        module: From the tensors of some patients to the loss of each.
        plan: Clip, noise and the divisor.
        engine: Which way to each patient's gradient, a name of `ENGINES`.
        randomness: Of noise; tests put in their own.

    Source: Abadi et al., CCS 2016; Opacus' conventions for the divisor.
    """

    def __init__(
        self,
        module: nn.Module,
        plan: PrivacyPlan,
        *,
        engine: str = "factored",
        randomness: Randomness | None = None,
    ) -> None:
        self._module, self._plan = module, plan
        self._gradients = ENGINES[engine]
        self._randomness = randomness or SystemRandomness()

    def step(self, chunks: Iterable[Patients]) -> Tensor:
        """Set the gradient of one step; return the patients' losses, which are NOT private.

        Args:
            chunks: The step's patients, some at a time; none for an empty sample.
        """
        learned = {n: p for n, p in self._module.named_parameters() if p.requires_grad}
        total = {n: torch.zeros_like(p, dtype=torch.float64) for n, p in learned.items()}
        losses = []
        for patients in chunks:
            number = len(next(iter(patients.values())))
            gradients, loss = self._gradients(self._module, patients)
            clip = self._plan.max_grad_norm
            for name, part in clipped_sum(gradients, patients=number, max_grad_norm=clip).items():
                total[name] += part
            losses.append(loss)
        noise = self._noise(torch.cat([part.flatten() for part in total.values()]))
        pieces = noise.split([part.numel() for part in total.values()])
        for (name, parameter), drawn in zip(learned.items(), pieces, strict=True):
            noisy = total[name] + drawn.view_as(parameter)
            parameter.grad = (noisy / self._plan.expected_batch).to(parameter.dtype)
        return torch.cat(losses) if losses else torch.zeros(0)

    def _noise(self, like: Tensor) -> Tensor:
        drawn = torch.from_numpy(self._randomness.normal(like.numel()))
        scale = self._plan.noise_multiplier * self._plan.max_grad_norm
        return (scale * drawn).to(like.device).view(like.shape)


def draw_patients(
    rows: Sequence[int], plan: PrivacyPlan, randomness: Randomness | None = None
) -> list[int]:
    """Return who takes part in one step: everybody, or each with the plan's probability.

    Args:
        rows: The site's training patients.
        plan: Its sampling.
        randomness: Tests put in their own.

    Source: Poisson sampling as in Abadi et al., CCS 2016.
    """
    if plan.sampling == "full":
        return list(rows)
    drawn = (randomness or SystemRandomness()).uniform(len(rows)) < plan.sampling_rate
    return [row for row, taken in zip(rows, drawn, strict=True) if taken]
