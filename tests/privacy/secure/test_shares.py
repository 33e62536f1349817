import itertools
import secrets
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from privacy.secure.shares import LENGTH, PRIME, recover, split


def interpolated(points):
    """The value at 0 by Lagrange over the rational numbers: no modular inverse anywhere."""
    total = Fraction(0)
    for place, value in points.items():
        factor = Fraction(1)
        for other in points:
            if other != place:
                factor *= Fraction(-other, place - other)
        total += factor * value
    return total.numerator * pow(total.denominator, PRIME - 2, PRIME) % PRIME


def test_the_prime_is_one():
    # Lucas and Lehmer: 2^p - 1 is prime if and only if s of p - 2 steps of s^2 - 2 from 4 is 0
    held = 4
    for _ in range(521 - 2):
        held = (held * held - 2) % PRIME
    assert held == 0


@given(st.binary(min_size=32, max_size=32), st.integers(3, 9), st.data())
def test_any_threshold_of_the_shares_gives_the_secret(secret, number, data):
    threshold = data.draw(st.integers(2, number))
    shares = split(secret, number=number, threshold=threshold)
    chosen = data.draw(st.permutations(range(1, number + 1)))[:threshold]
    held = {holder: shares[holder - 1] for holder in chosen}
    assert recover({k: [v] for k, v in held.items()}, threshold=threshold) == [secret]
    numbers = {holder: int.from_bytes(share, "big") for holder, share in held.items()}
    assert interpolated(numbers) == int.from_bytes(secret, "big")


@given(st.binary(min_size=32, max_size=32), st.binary(min_size=32, max_size=32))
def test_one_share_too_few_fits_every_secret(secret, other):
    shares = split(secret, number=3, threshold=3)
    held = {holder: int.from_bytes(shares[holder - 1], "big") for holder in (1, 2)}
    # whatever another secret is, a third share exists with which these two give it
    weights = {k: interpolated({**dict.fromkeys((1, 2, 3), 0), k: 1}) for k in (1, 2, 3)}
    rest = int.from_bytes(other, "big") - sum(weights[k] * held[k] for k in held)
    third = rest * pow(weights[3], -1, PRIME) % PRIME
    assert interpolated(held | {3: third}) == int.from_bytes(other, "big")


def test_fewer_holders_than_the_threshold_are_refused():
    shares = split(secrets.token_bytes(32), number=4, threshold=3)
    with pytest.raises(ValueError, match="3 shares are needed, got 2"):
        recover({1: shares[:1], 2: shares[1:2]}, threshold=3)


def test_a_wrong_share_gives_no_secret():
    secret = secrets.token_bytes(32)
    shares = split(secret, number=3, threshold=3)
    wrong = secrets.token_bytes(LENGTH - 1).rjust(LENGTH, b"\0")
    assert recover({1: [shares[0]], 2: [shares[1]], 3: [wrong]}, threshold=3) != [secret]


def test_two_splits_of_one_secret_share_nothing():
    secret = bytes(32)
    first, second = (split(secret, number=3, threshold=2) for _ in range(2))
    assert all(one != two for one, two in itertools.product(first, second))
