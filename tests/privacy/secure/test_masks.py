import numpy as np
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import ChaCha20

from privacy.secure.masks import CHUNK, add_mask


def test_what_is_added_can_be_taken_away():
    words = np.arange(1000, dtype=np.uint64)
    add_mask(words, bytes(32), sign=1)
    assert not np.array_equal(words, np.arange(1000))
    add_mask(words, bytes(32), sign=-1)
    assert np.array_equal(words, np.arange(1000))


def test_a_mask_is_one_stream_however_it_is_cut():
    number = CHUNK + 3
    words = np.zeros(number, np.uint64)
    add_mask(words, b"k" * 32, sign=1)
    stream = Cipher(ChaCha20(b"k" * 32, bytes(16)), mode=None).encryptor().update(bytes(8 * number))
    assert words.astype("<u8").tobytes() == stream
    assert not np.array_equal(words[:3], words[CHUNK:])
