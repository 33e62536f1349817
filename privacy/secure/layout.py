"""Named arrays as one vector of words, and back: every site of a sum lays them out alike."""

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from privacy.secure.fixed_point import (
    Words,
    decode_coarse,
    decode_fine,
    encode_coarse,
    encode_fine,
)

Entry: TypeAlias = tuple[str, tuple[int, ...], str]
"""Name, shape and type of an array."""

KINDS = ("float32", "float64", "int32", "int64", "bool")
"""Types that an array may have."""


@dataclass(frozen=True)
class Layout:
    """Names, shapes and types of what is added, in order.

    Attributes:
        coarse: Arrays of one word a value, those of a model.
        fine: Arrays of two words a value, tallies.

    Source: own.
    """

    coarse: tuple[Entry, ...]
    fine: tuple[Entry, ...]

    @classmethod
    def of(cls, coarse: Mapping[str, np.ndarray], fine: Mapping[str, np.ndarray]) -> "Layout":
        """Return the layout of some arrays, by name."""
        return cls(_entries(coarse), _entries(fine))

    def to_text(self) -> str:
        """Return the layout as it travels."""
        return json.dumps([self.coarse, self.fine])

    @classmethod
    def from_text(cls, text: str) -> "Layout":
        """Return the layout that `to_text` wrote.

        Raises:
            ValueError: It is none.
        """
        try:
            coarse, fine = (
                tuple((str(name), tuple(map(int, shape)), kind) for name, shape, kind in held)
                for held in json.loads(text)
            )
            if not {kind for _, _, kind in (*coarse, *fine)} <= set(KINDS):
                raise ValueError
        except (TypeError, ValueError, RecursionError):
            raise ValueError("the layout of its sums cannot be read") from None
        return cls(coarse, fine)

    @property
    def length(self) -> int:
        """Words in all."""
        return _size(self.coarse) + 2 * _size(self.fine)

    def encode(
        self, coarse: Mapping[str, np.ndarray], fine: Mapping[str, np.ndarray], *, sites: int
    ) -> Words:
        """Return the arrays as words.

        Args:
            coarse: Of a model; weighted, if they are to be averaged.
            fine: Tallies.
            sites: How many add.

        Raises:
            PrivacyError: A value is not finite, or too large.
        """
        model = encode_coarse(_flat(coarse, self.coarse), sites=sites)
        return np.concatenate([model, encode_fine(_flat(fine, self.fine))])

    def decode(self, words: Words) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
        """Return the sums that added words stand for: of models, and of tallies.

        Sums of whole numbers are whole numbers again.
        """
        end = _size(self.coarse)
        coarse, fine = decode_coarse(words[:end]), decode_fine(words[end:])
        return dict(_shaped(coarse, self.coarse)), dict(_shaped(fine, self.fine))


def _entries(held: Mapping[str, np.ndarray]) -> tuple[Entry, ...]:
    return tuple((name, held[name].shape, held[name].dtype.name) for name in sorted(held))


def _size(arrays: Sequence[Entry]) -> int:
    return sum(math.prod(shape) for _, shape, _ in arrays)


def _flat(held: Mapping[str, np.ndarray], arrays: Sequence[Entry]) -> np.ndarray:
    parts = [np.asarray(held[name], np.float64).ravel() for name, _, _ in arrays]
    return np.concatenate([np.zeros(0), *parts])


def _shaped(values: np.ndarray, arrays: Sequence[Entry]) -> Iterator[tuple[str, np.ndarray]]:
    start = 0
    for name, shape, kind in arrays:
        end = start + math.prod(shape)
        whole = not kind.startswith("float")
        yield name, values[start:end].reshape(shape).astype(np.int64 if whole else np.float64)
        start = end
