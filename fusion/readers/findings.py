"""What is wrong in a site's folder, collected, so that a person sees all of it at once."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TypeVar

from fusion.errors import SiteError

T = TypeVar("T")


@dataclass(frozen=True)
class Finding:
    """One thing found in a site's folder.

    Attributes:
        message: The whole sentence, for the screen at the site.
        public: The sentence that may leave the site.
        fatal: True = training cannot start; False = worth knowing.
    """

    message: str
    public: str
    fatal: bool = True


class Findings:
    """The problems and warnings of one site's folder, in the order they were met.

    Source: own.
    """

    def __init__(self) -> None:
        self._found: list[Finding] = []

    def problem(self, message: str, public: str) -> None:
        """Keep something that stops training.

        Source: own.
        """
        self._found.append(Finding(message, public))

    def warning(self, message: str, public: str) -> None:
        """Keep something worth knowing that stops nothing.

        Source: own.
        """
        self._found.append(Finding(message, public, fatal=False))

    def attempt(self, read: Callable[[], T]) -> T | None:
        """Return what `read` returns, or None after keeping the `SiteError` it raised.

        Source: own.
        """
        try:
            return read()
        except SiteError as error:
            self.problem(str(error), error.public)
            return None

    @property
    def found(self) -> tuple[Finding, ...]:
        """Everything kept so far.

        Source: own.
        """
        return tuple(self._found)

    @property
    def fatal(self) -> tuple[Finding, ...]:
        """What stops training.

        Source: own.
        """
        return tuple(finding for finding in self._found if finding.fatal)

    def raise_first(self) -> None:
        """Raise the first problem, if there is one, and say how many follow.

        Raises:
            SiteError: At least one problem was kept.

        Source: own.
        """
        if not self.fatal:
            return
        first, more = self.fatal[0], len(self.fatal) - 1
        rest = f" (And {counted(more, 'further problem')}: see `concord-site doctor`.)"
        raise SiteError(first.message + rest * (more > 0), public=first.public)


def listed(items: Iterable[object], limit: int = 3) -> str:
    """Return at most `limit` of `items` with commas between, then a count of the others.

    Source: own.
    """
    shown = [str(item) for item in items]
    more = len(shown) - limit
    return ", ".join(shown[:limit]) + (f" and {more:,} more" if more > 0 else "")


def counted(number: int, noun: str) -> str:
    """Return the number with its noun, in the plural unless it is one.

    Source: own.
    """
    return f"{number:,} {noun}" + ("" if number == 1 else "s")
