"""Numbers as elements of the ring of integers modulo 2^64, in which masks cancel exactly."""

import numpy as np
from jaxtyping import Float64, UInt64

from privacy.errors import PrivacyError

COARSE = 32
"""Binary places of a number in one word: a model's value."""

FINE = 52
"""Binary places of a number in two words: a tally's."""

WHOLE = 2.0**53
"""Bound of a tally's value: whole numbers of float64 are exact up to here."""

MOST_SITES = 2**10
"""Sites that a sum has room for."""

Words = UInt64[np.ndarray, " word"]
Values = Float64[np.ndarray, " value"]


def encode_coarse(values: Values, *, sites: int) -> Words:
    """Return one word for each value: round(2^32 value) modulo 2^64.

    Args:
        values: Each below 2^31 / `sites`, so that the total of all sites fits.
        sites: How many add.

    Returns:
        Words; their sum decodes to the sum of the values, off by at most `sites` x 2^-33.

    Raises:
        PrivacyError: A value is not finite, or too large.

    Source: own.
    """
    _check(values, 2.0 ** (63 - COARSE) / sites)
    return _ring(np.rint(values * 2.0**COARSE))


def decode_coarse(words: Words) -> Values:
    """Return what a sum of words of `encode_coarse` stands for.

    Source: own.
    """
    return words.view(np.int64) * 2.0**-COARSE


def encode_fine(values: Values) -> Words:
    """Return two words for each value: all whole parts, then all fractions times 2^52.

    Whole numbers are exact. A float64 of 1 or more has no digit beyond 2^-52, so it is exact too;
    a smaller one is off by at most 2^-53.

    Args:
        values: Each below 2^53.

    Returns:
        Words; the sum over sites decodes to the sum of the values, off by at most 2^-53 a site and
        the rounding of the total to float64.

    Raises:
        PrivacyError: A value is not finite, or too large.

    Source: own.
    """
    _check(values, WHOLE)
    whole = np.rint(values)
    return np.concatenate([_ring(whole), _ring(np.rint((values - whole) * 2.0**FINE))])


def decode_fine(words: Words) -> Values:
    """Return what a sum of words of `encode_fine` stands for.

    Source: own.
    """
    whole, fraction = np.split(words.view(np.int64), 2)
    return whole + fraction * 2.0**-FINE


def _check(values: Values, bound: float) -> None:
    if not np.isfinite(values).all():
        raise PrivacyError(
            "A value inside a secure sum must be finite, got one that is not. Nothing was sent."
        )
    if np.abs(values).max(initial=0.0) >= bound:
        raise PrivacyError(
            f"A value inside a secure sum must be below {bound:g}, got a larger one. Nothing was "
            "sent. Look at the training: has it diverged?"
        )


def _ring(whole: Values) -> Words:
    return whole.astype(np.int64).view(np.uint64)
