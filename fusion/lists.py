"""Lists inside a setting: comma-separated text, because the wire knows scalars only."""

import math

from fusion.errors import ConfigError

_DIGITS = 10

LARGEST_SIZE = 2**14
"""Bound that a layer's width stays under."""


def names(text: str) -> tuple[str, ...]:
    """Return the entries of a comma-separated setting, without blanks.

    Source: own.
    """
    return tuple(part.strip() for part in text.split(",") if part.strip())


def numbers(text: str, key: str) -> tuple[float, ...]:
    """Return the entries of a comma-separated setting as increasing positive numbers.

    Raises:
        ConfigError: An entry is no number, or they do not increase from above 0.

    Source: own.
    """
    try:
        found = tuple(float(part) for part in names(text))
    except ValueError:
        raise ConfigError(
            f"{key} must be numbers with commas between, got '{text}'. Write 365.25,1095.75."
        ) from None
    if not all(a < b < math.inf for a, b in zip((0.0, *found), found, strict=False)):
        raise ConfigError(f"{key} must increase from above 0, got '{text}'. Sort it.")
    return found


def pairs(text: str, key: str) -> dict[str, int]:
    """Return the entries `name=number` of a comma-separated setting.

    Raises:
        ConfigError: An entry has another form, no number from 1 on, or a name that came before.

    Source: own.
    """
    found: dict[str, int] = {}
    for part in names(text):
        name, _, number = (word.strip() for word in part.partition("="))
        whole = number.isdecimal() and len(number) < _DIGITS and int(number) > 0
        if not name or name in found or not whole:
            raise ConfigError(
                f"{key} must be different names, each with a number from 1, got '{part}'. "
                "Write rna=12,slides=16."
            )
        found[name] = int(number)
    return found


def sizes(text: str, key: str) -> tuple[int, ...]:
    """Return the entries of a comma-separated setting as whole numbers from 1.

    Raises:
        ConfigError: An entry is no such number, or has too many digits to be a size.

    Source: own.
    """
    found = names(text)
    short = all(part.isdecimal() and len(part) < _DIGITS for part in found)
    if not short or not all(0 < int(part) < LARGEST_SIZE for part in found):
        raise ConfigError(
            f"{key} must be whole numbers from 1 to {LARGEST_SIZE - 1} with commas between, got "
            f"'{text[:40]}'. Write 384,128,64."
        )
    return tuple(map(int, found))
