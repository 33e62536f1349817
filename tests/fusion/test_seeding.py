import random

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from fusion.seeding import digest, generator

PARTS = st.lists(st.integers() | st.text(), max_size=4)


def test_a_number_is_the_same_on_every_machine():
    # first 8 bytes of sha256("int:1\x1fstr:lyon\x1fstr:split"), without the lowest bit
    import hashlib

    text = b"int:1\x1fstr:lyon\x1fstr:split"
    assert digest(1, "lyon", "split") == int(hashlib.sha256(text).hexdigest()[:16], 16) // 2


@given(PARTS)
def test_a_number_fits_a_signed_64_bit_integer(parts):
    assert 0 <= digest(*parts) < 2**63


@given(PARTS, PARTS)
def test_other_parts_give_another_number(one, other):
    assert (digest(*one) == digest(*other)) == (one == other)


def test_a_word_is_not_the_number_it_spells():
    assert digest("1") != digest(1)


def test_equal_parts_draw_alike_and_others_do_not():
    draws = [generator(*parts).normal() for parts in ((1, "a"), (1, "a"), (2, "a"), (1, "b"))]
    assert draws[0] == draws[1]
    assert len(set(draws)) == 3


def test_global_randomness_is_neither_read_nor_moved():
    before = (random.getstate(), np.random.get_state()[2])
    generator(1, "a").normal(size=10)
    assert (random.getstate(), np.random.get_state()[2]) == before
