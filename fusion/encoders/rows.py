"""Functions of rows without a gradient, which gradients of single patients pass by."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor


def by_row(function: Callable[..., Tensor], rows: Tensor, *rest: int) -> Tensor:
    """Return `function(rows, *rest)`, also inside `vmap`, which has no rule for steps in place.

    Args:
        function: Of a tensor with a row a patient to one likewise; each row on its own, and
            nothing is learned through it.
        rows: What it reads.
        rest: Its other arguments.

    Source: own.
    """
    return _ByRow.apply(function, rows, *rest)


class _ByRow(torch.autograd.Function):
    @staticmethod
    def forward(function: Callable[..., Tensor], rows: Tensor, *rest: int) -> Tensor:
        return function(rows.detach(), *rest)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:  # noqa: ARG004
        ctx.mark_non_differentiable(output)

    @staticmethod
    def vmap(
        info: Any, in_dims: tuple[int | None, ...], function: Any, rows: Tensor, *rest: int
    ) -> tuple[Tensor, int]:
        ahead = rows.movedim(in_dims[1] or 0, 0)
        found = by_row(function, ahead.flatten(0, 1), *rest)
        return found.unflatten(0, (info.batch_size, -1)), 0
