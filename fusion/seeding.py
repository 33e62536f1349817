"""All randomness: a generator for each (seed, site, round, step, patient), and nothing global."""

import hashlib

import numpy as np


def digest(*parts: int | str) -> int:
    """Return a 64-bit non-negative integer that names `parts`.

    Args:
        *parts: What the number stands for, in order, such as seed, site, round, patient.

    Returns:
        An integer in [0, 2^63), the same on every machine.

    Source: own (SHA-256 of the parts' text, cut to 63 bits).
    """
    text = "\x1f".join(f"{type(part).__name__}:{part}" for part in parts)
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") >> 1


def generator(*parts: int | str) -> np.random.Generator:
    """Return a numpy generator seeded by `parts` alone.

    Args:
        *parts: What the draw is for, in order, such as seed, site, "split".

    Returns:
        A fresh generator; equal parts give equal draws.

    Source: own.
    """
    return np.random.default_rng(digest(*parts))
