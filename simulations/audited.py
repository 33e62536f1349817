"""The audit of a run as columns: every definition's shares, the sign, the ranking, with errors."""

from collections.abc import Iterator, Mapping
from typing import Any

PARTS = ("shares", "signed", "concordance")
"""Parts of an audit that become columns."""

ERROR = ".se"
"""Ending of a column with the standard error of the column before it."""

SIGNS = ("synergy", "redundancy")
"""What is told of `signed`."""

Numbers = dict[str, float | None]


def audit_columns(audit: Mapping[str, Any] | None) -> Numbers:
    """Return the audit's figures under dotted names, each followed by its standard error.

    Args:
        audit: `result["audit"]`, of any version; None = no audit.

    Returns:
        `local.interaction`, `local.interaction.se`, `local.<modality>`, ... for each definition;
        `variance.interaction`, `variance.r2_additive`, `variance.r2_additive_ssr`;
        `signed.synergy`, `signed.redundancy`; `concordance.full`, `.additive`, `.<modality>` and
        `.gain`. What the audit does not have is left out, what it could not measure is None.

    Source: own.
    """
    return dict(_columns(audit)) if audit else {}


def is_error(column: str) -> bool:
    """Return whether a column holds standard errors.

    Source: own.
    """
    return column.endswith(ERROR)


def _columns(audit: Mapping[str, Any]) -> Iterator[tuple[str, float | None]]:
    shares, signed, concordance = (audit.get(part, {}) for part in PARTS)
    for definition, entry in shares.items():
        yield from _with_errors(definition, entry)
    yield from _with_errors("signed", signed, SIGNS)
    yield from _with_errors("concordance", concordance)


def _with_errors(
    stem: str, entry: Mapping[str, Any], only: tuple[str, ...] = ()
) -> Iterator[tuple[str, float | None]]:
    """Yield each figure that has a standard error beside it, and that error."""
    for name, error in entry.get("standard_errors", {}).items():
        if not only or name in only:
            yield f"{stem}.{name}", entry[name]
            yield f"{stem}.{name}{ERROR}", error
