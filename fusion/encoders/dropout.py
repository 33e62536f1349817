"""Dropout whose mask belongs to a patient, not to the batch the patient happens to sit in."""

import math

import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn
from torch.nn.functional import dropout

from fusion.encoders.rows import by_row

GOLDEN = 0x9E3779B97F4A7C15 - (1 << 64)
FIRST = 0xBF58476D1CE4E5B9 - (1 << 64)
SECOND = 0x94D049BB133111EB - (1 << 64)
LANES = 4
LEVELS = 1 << 16
SELU_LIMIT = -1.0507009873554805 * 1.6732632423543772


class PatientDropout(nn.Module):
    """Drops elements by a pure function of (patient key, layer, element).

    Two passes over the same patient see the same mask, whoever shares the batch. Without keys
    (a notebook) training falls back to ordinary dropout; evaluation changes nothing. The
    probability is kept to 1/65,536, and kept elements are scaled so that the mean stays.

    Args:
        probability: Share of elements dropped, 0 <= probability < 1.

    Source: own; the hash is splitmix64 (Steele, Lea and Flood, OOPSLA 2014).
    """

    def __init__(self, probability: float) -> None:
        super().__init__()
        self.probability = probability
        self.states: Tensor | None = None
        self._dropped = min(round(probability * LEVELS), LEVELS - 1)

    def forward(self, values: Float[Tensor, "patient ..."]) -> Float[Tensor, "patient ..."]:
        """Return `values` with elements dropped (training) or as they are (evaluation)."""
        if not self.training or not self._dropped:
            return values
        if self.states is None:
            return dropout(values, self.probability)
        return values * self._factor(values, self.states)

    def multiplier(self, like: Float[Tensor, "patient ..."]) -> Float[Tensor, "patient ..."] | None:
        """Return what multiplies values shaped `like` (None = nothing is dropped).

        For a mask shared along an axis that `like` lacks, such as the patches of a bag.
        """
        if not self.training or not self._dropped:
            return None
        return (
            dropout(torch.ones_like(like), self.probability)
            if self.states is None
            else self._factor(like, self.states)
        )

    def _factor(self, like: Tensor, states: Tensor) -> Tensor:
        keep = by_row(_lanes, states, math.prod(like.shape[1:])) >= self._dropped - LEVELS // 2
        return keep.to(like.dtype).mul_(LEVELS / (LEVELS - self._dropped)).view(like.shape)


class PatientAlphaDropout(nn.Module):
    """Sets elements to SELU's lower limit, then rescales: mean 0 and variance 1 stay.

    x -> a (x or α') + b, α' = -1.7581, a = (q + α'² q p)^-½ with q = 1 - p, b = -a p α'. Masks are
    those of `PatientDropout`, so they belong to a patient.

    Args:
        probability: Share p of elements dropped, 0 <= p < 1.

    Source: Klambauer et al., Self-normalizing neural networks, NeurIPS 2017.
    """

    def __init__(self, probability: float) -> None:
        super().__init__()
        self.mask = PatientDropout(probability)
        kept = 1.0 - probability
        self.scale = (kept + SELU_LIMIT**2 * kept * probability) ** -0.5
        self.shift = -self.scale * probability * SELU_LIMIT

    def forward(self, values: Float[Tensor, "patient ..."]) -> Float[Tensor, "patient ..."]:
        """Return `values` with elements dropped (training) or as they are (evaluation)."""
        factor = self.mask.multiplier(values)
        if factor is None:
            return values
        return self.scale * torch.where(factor > 0, values, SELU_LIMIT) + self.shift


def set_dropout_keys(model: nn.Module, keys: Int64[Tensor, " patient"] | None) -> None:
    """Say whose masks the next forward passes of `model` draw.

    Args:
        model: Any module; its `PatientDropout` layers are numbered in the order of definition.
        keys: One number a patient of the coming batch, in its order, such as
            `seeding.digest(seed, site, round, step, patient)`; None = ordinary dropout.

    Source: own.
    """
    set_dropout_states(model, None if keys is None else dropout_states(model, keys))


def dropout_states(
    model: nn.Module, keys: Int64[Tensor, " patient"]
) -> Int64[Tensor, "patient layer"]:
    """Return what the masks of each patient follow from, a number a `PatientDropout` layer.

    Args:
        model: Any module.
        keys: As `set_dropout_keys` takes them.

    Source: own.
    """
    salts = torch.arange(1, len(_layers(model)) + 1, device=keys.device).mul_(SECOND)
    return mixed(keys[:, None] + salts)


def set_dropout_states(model: nn.Module, states: Int64[Tensor, "patient layer"] | None) -> None:
    """Do what `set_dropout_keys` does, with `dropout_states` made before; works inside `vmap`.

    Source: own.
    """
    for place, layer in enumerate(_layers(model)):
        layer.states = None if states is None else states[:, place, None]


def _layers(model: nn.Module) -> list[PatientDropout]:
    return [module for module in model.modules() if isinstance(module, PatientDropout)]


def _lanes(states: Tensor, elements: int) -> Tensor:
    """Return patient x element 16-bit integers: each 64-bit hash serves four elements."""
    blocks = torch.arange(1, -(-elements // LANES) + 1, device=states.device).mul_(GOLDEN)
    return mixed(states + blocks).view(torch.int16)[:, :elements]


def mixed(counters: Tensor) -> Tensor:
    """Return splitmix64's output for each counter; the argument is overwritten.

    Args:
        counters: 64-bit integers.

    Source: Steele, Lea and Flood, OOPSLA 2014.
    """
    shifted = torch.empty_like(counters)
    _fold(counters, shifted, 30).mul_(FIRST)
    _fold(counters, shifted, 27).mul_(SECOND)
    return _fold(counters, shifted, 31)


def _fold(counters: Tensor, shifted: Tensor, bits: int) -> Tensor:
    """Return counters ^ (counters >>> bits) in place; `shifted` is room for the shifted ones."""
    torch.bitwise_right_shift(counters, bits, out=shifted)
    return counters.bitwise_xor_(shifted.bitwise_and_((1 << (64 - bits)) - 1))
