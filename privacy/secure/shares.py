"""Shamir's shares: any `threshold` of them give the secret, fewer tell nothing of it."""

import secrets
from collections.abc import Mapping, Sequence

PRIME = 2**521 - 1
"""Shares are numbers modulo this Mersenne prime; a secret is below 2^256."""

LENGTH = 66
"""Bytes of a share."""

SECRET = 32
"""Bytes of a secret."""


def split(secret: bytes, *, number: int, threshold: int) -> list[bytes]:
    """Return shares of a secret; the one at place k belongs to holder k + 1.

    Args:
        secret: 32 bytes.
        number: Of shares.
        threshold: How many give the secret back.

    Returns:
        A random polynomial of degree `threshold` - 1, whose value at 0 is the secret, at 1 to
        `number`.

    Source: Shamir 1979, CACM 22:612.
    """
    drawn = [secrets.randbelow(PRIME) for _ in range(threshold - 1)]
    coefficients = [int.from_bytes(secret, "big"), *drawn]
    return [_value(coefficients, holder).to_bytes(LENGTH, "big") for holder in range(1, number + 1)]


def recover(shares: Mapping[int, Sequence[bytes]], *, threshold: int) -> list[bytes | None]:
    """Return several secrets, of each of which the same holders have a share.

    Args:
        shares: For each holder's number, from 1 on, its shares, one a secret.
        threshold: How many holders it takes; of more, the first are used.

    Returns:
        The secrets in order; None where the shares do not make up 32 bytes, so that one is wrong.

    Raises:
        ValueError: There are fewer holders than the threshold.

    Source: Shamir 1979, by Lagrange's interpolation at 0.
    """
    holders = sorted(shares)[:threshold]
    if len(holders) < threshold:
        raise ValueError(f"{threshold} shares are needed, got {len(holders)}")
    weights = [_weight(holder, holders) for holder in holders]
    rows = zip(*(shares[holder] for holder in holders), strict=True)
    return [_joined(row, weights) for row in rows]


def _value(coefficients: Sequence[int], place: int) -> int:
    total = 0
    for coefficient in reversed(coefficients):
        total = (total * place + coefficient) % PRIME
    return total


def _weight(holder: int, holders: Sequence[int]) -> int:
    """Return Lagrange's factor of one holder at 0: the product of other / (other - holder)."""
    above, below = 1, 1
    for other in holders:
        if other != holder:
            above = above * other % PRIME
            below = below * (other - holder) % PRIME
    return above * pow(below, -1, PRIME) % PRIME


def _joined(row: Sequence[bytes], weights: Sequence[int]) -> bytes | None:
    total = sum(
        int.from_bytes(share, "big") * weight for share, weight in zip(row, weights, strict=True)
    )
    secret = total % PRIME
    return secret.to_bytes(SECRET, "big") if secret < 2 ** (8 * SECRET) else None
