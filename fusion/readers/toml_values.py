"""Values of site.toml: each has one kind, and a wrong one is named with what to write."""

from collections.abc import Iterable, Mapping
from typing import Any

from fusion.errors import SiteError
from fusion.registry import nearest

_UNREADABLE = "site.toml cannot be used as it is."


def check_keys(tree: Mapping[str, Any], known: tuple[str, ...], where: str) -> None:
    """Raise if a section has a key that nobody knows.

    Raises:
        SiteError: Naming the nearest.

    Source: own.
    """
    for key in tree:
        if key not in known:
            raise SiteError(
                f"Key in site.toml must be a known one, got '{key}' in {where}. "
                f"{nearest(key, known)}",
                public=_UNREADABLE,
            )


def text_value(section: Mapping[str, Any], key: str, default: str | None = None) -> str:
    """Return a text that is not empty.

    Raises:
        SiteError: It is absent without a default, or another kind of value.

    Source: own.
    """
    value = section.get(key, default)
    if not isinstance(value, str) or not value.strip():
        got = "nothing" if value is None else repr(value)
        raise wrong(f"'{key}'", "be a text", got, f'Write {key} = "...".')
    return value


def column_name(section: Mapping[str, Any], key: str) -> str:
    """Return a text, number or truth value as text; empty when absent.

    Raises:
        SiteError: It is another kind of value.

    Source: own.
    """
    value = section.get(key, "")
    if not isinstance(value, (str, int, float)):
        raise wrong(f"'{key}'", "be a text or a number", repr(value), f'Write {key} = "...".')
    return str(value)


def statuses(section: Mapping[str, Any], key: str) -> tuple[str, ...]:
    """Return one or more texts, numbers or truth values as texts; none when absent.

    Raises:
        SiteError: One of them is another kind of value.

    Source: own.
    """
    value = section.get(key, [])
    values = value if isinstance(value, list) else [value]
    if not all(isinstance(one, (str, int, float)) for one in values):
        raise wrong(
            f"'{key}'",
            "be a text, a number or a list of them",
            repr(value),
            f'Write {key} = "...".',
        )
    return tuple(str(one) for one in values)


def names(section: Mapping[str, Any], key: str, *, called: str, example: str) -> tuple[str, ...]:
    """Return a list of texts; empty when absent.

    Args:
        section: Of site.toml.
        key: In it.
        called: What messages call it.
        example: A name that such a list may hold.

    Raises:
        SiteError: It is no list of texts.

    Source: own.
    """
    value = section.get(key, [])
    if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
        raise wrong(called, "be a list of names", repr(value), f'Write {key} = ["{example}"].')
    return tuple(value)


def one_of(value: str, known: Iterable[str], key: str) -> str:
    """Return a text that is one of those known.

    Raises:
        SiteError: It is not; the nearest is named.

    Source: own.
    """
    known = tuple(known)
    if value not in known:
        raise wrong(key, f"be one of {', '.join(known)}", f"'{value}'", nearest(value, known))
    return value


def wrong(what: str, rule: str, value: str, remedy: str) -> SiteError:
    """Return the error of a value that cannot be used.

    Source: own.
    """
    where = "" if what == "site.toml" else " in site.toml"
    return SiteError(f"{what} must {rule}, got {value}{where}. {remedy}", public=_UNREADABLE)
