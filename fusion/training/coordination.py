"""Gradient coordination: where two halves of a classifier conflict, the less sure gives way."""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn

from fusion.objectives.base import AbstractObjective


class Coordination:
    """Sees both halves' own scores over one step, then mends the gradient of the last layer.

    Args:
        fusion: The fusion network. If it tells of halves, its `head` is linear, and the first half
            of each row of weights reads the first subspace.
        objective: Says how sure each half is of what was seen.
        mode: `project`, `reflect`, or `none`.

    Privacy: how sure a half is follows from raw outcomes, so this is no post-processing of a
        noisy gradient: not for training under differential privacy.

    Source: MICCAI 2024 (gradient coordination).
    """

    def __init__(self, fusion: nn.Module, objective: AbstractObjective, mode: str) -> None:
        self._fusion, self._objective, self._mode = fusion, objective, mode
        self._seen: list[dict[str, Tensor]] = []

    def see(self, halves: Float[Tensor, "patient 2 *class"] | None, **targets: Tensor) -> None:
        """Remember some patients of the step; models without halves have nothing to see."""
        if halves is not None and self._mode != "none":
            self._seen.append({"halves": halves.detach(), **targets})

    def correct(self) -> None:
        """Change the gradient of the less confident half; call it between backward and step."""
        if not self._seen:
            return
        weight = self._fusion.get_parameter("head.weight")
        seen = {name: torch.cat([part[name] for part in self._seen]) for name in self._seen[0]}
        sure = self._objective.confidence(**seen)
        if sure is not None and weight.grad is not None:
            weight.grad.copy_(coordinated(weight.grad, sure, self._mode))


def coordinated(
    gradient: Float[Tensor, "output feature"], sure: Sequence[float], mode: str
) -> Float[Tensor, "output feature"]:
    """Return the gradient with conflicts settled, row by row.

    g and o are the halves of a row, g that of the lower confidence. If g·o < 0, g becomes
    g - proj (`project`; proj = (g·o/|o|²) o), or |g - proj| (g - 2 proj)/|g - 2 proj| (`reflect`,
    which the publication's code computes). Otherwise, and where both are as sure, nothing changes.

    Args:
        gradient: Of a linear layer's weights; the first half of each row belongs to the first half.
        sure: Confidence of either half.
        mode: `project` or `reflect`.

    Source: MICCAI 2024; projection after Yu et al., Gradient surgery, NeurIPS 2020.
    """
    first, second = gradient.chunk(2, 1)
    if sure[0] == sure[1]:
        return gradient
    yielding, other = (first, second) if sure[0] < sure[1] else (second, first)
    product = (yielding * other).sum(1, keepdim=True)
    along = product / other.square().sum(1, keepdim=True).clamp(min=_TINY) * other
    changed = yielding - along
    if mode == "reflect":
        turned = yielding - 2 * along
        length = turned.norm(dim=1, keepdim=True).clamp(min=_TINY)
        changed = changed.norm(dim=1, keepdim=True) * turned / length
    settled = torch.where(product < 0, changed, yielding)
    parts = (settled, second) if sure[0] < sure[1] else (first, settled)
    return torch.cat(parts, 1)


_TINY = 1e-30
"""Keeps a division by a zero gradient finite; such rows have no conflict."""
