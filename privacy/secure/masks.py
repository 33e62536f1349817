"""Masks: words of a stream cipher, as unpredictable as its key."""

import numpy as np
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import ChaCha20

from privacy.secure.fixed_point import Words

KEY = 32
"""Bytes of a mask's key."""

CHUNK = 2**17
"""Words made at once: a megabyte, so that a mask of any length needs no more memory."""


def add_mask(words: Words, key: bytes, *, sign: int) -> None:
    """Add a mask to words in place, or take it away, modulo 2^64.

    Args:
        words: What is masked.
        key: 32 bytes, used for one mask only.
        sign: 1 = add, -1 = take away.

    Source: ChaCha20 (Bernstein 2008; RFC 8439) as a generator, its nonce 0.
    """
    cipher = Cipher(ChaCha20(key, bytes(16)), mode=None).encryptor()
    nothing, room = bytes(8 * CHUNK), np.empty(CHUNK, np.dtype("<u8"))
    for start in range(0, len(words), CHUNK):
        part = words[start : start + CHUNK]
        cipher.update_into(nothing[: 8 * len(part)], room.data.cast("B"))
        if sign > 0:
            part += room[: len(part)]
        else:
            part -= room[: len(part)]
