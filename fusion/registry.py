"""Names to classes: one small registry a kind, and errors that name the nearest right name."""

import difflib
from collections.abc import Iterable, Iterator
from typing import Generic, TypeVar

from fusion.errors import ConfigError

T = TypeVar("T")


def nearest(name: str, names: Iterable[str]) -> str:
    """Return a sentence that names the entry of `names` closest to `name`.

    Args:
        name: What a person wrote.
        names: What exists.

    Returns:
        "Did you mean 'x'?" or, when nothing is close, "Known: a, b, c."

    Source: own.
    """
    known = sorted(names)
    close = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    return f"Did you mean '{close[0]}'?" if close else f"Known: {', '.join(known)}."


class Registry(Generic[T]):
    """A mapping from a published name to what builds it.

    Args:
        kind: What is registered, for error messages, such as "model".

    Source: own.
    """

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self._entries: dict[str, T] = {}

    def add(self, name: str, entry: T) -> T:
        """Register `entry` under `name` and return it."""
        if name in self._entries:
            raise ConfigError(f"{self.kind} '{name}' is registered twice. Rename one of them.")
        self._entries[name] = entry
        return entry

    def __getitem__(self, name: str) -> T:
        """Return the entry called `name`.

        Raises:
            ConfigError: No entry has that name; the nearest one is named.
        """
        if name not in self._entries:
            raise ConfigError(
                f"{self.kind} must be registered, got '{name}'. {nearest(name, self._entries)}"
            )
        return self._entries[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._entries)

    def __len__(self) -> int:
        return len(self._entries)
