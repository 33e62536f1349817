"""What may arrive from a site: known records and releases, plain numbers, not too much."""

from typing import Any

import numpy as np
from flwr.app import ArrayRecord, ConfigRecord, MetricRecord, RecordDict

from fusion.errors import FederationError
from fusion.npy import read_npy
from privacy.errors import PrivacyError
from privacy.mods import size_of
from privacy.releases import NUMBERS, RELEASES, check_releases, check_size

NEEDED = ("facts", "figures", "sums")
"""Records that every answer holds."""

KINDS: dict[str, type] = {
    "facts": ConfigRecord, "figures": MetricRecord, "sums": ArrayRecord, "model": ArrayRecord,
    "control": ArrayRecord, "masked": ArrayRecord, "secure": ConfigRecord,
}  # fmt: skip
"""Records that an answer may hold, and Flower's type of each."""

RELEASED: dict[str, tuple[str, ...]] = {
    "facts": ("fact",), "figures": ("figure", "sums"), "sums": ("sums", "figure"),
}  # fmt: skip
"""Kinds of release that belong into a record of releases; figures hold `NUMBERS` too."""

LONGEST_NAME = 64
"""Characters of a site's name, as in site.toml."""


def check_arrived(content: RecordDict) -> None:
    """Raise unless an answer holds what a site may send, and nothing else.

    The site has checked the same before it sent; a site that runs other code may not have.

    Args:
        content: Of the answer.

    Raises:
        FederationError: A record is missing, unknown or of another type, or a name is none for a
            site or of another kind of release.
        PrivacyError: A name is not on the list of releases, or there are too many bytes.

    Source: own.
    """
    lacking = [name for name in NEEDED if name not in content]
    if lacking:
        raise FederationError(f"its answer lacks {', '.join(lacking)}")
    for name, record in content.items():
        if type(record) is not KINDS.get(name):
            raise _wrong("Records of an answer", f"be {', '.join(KINDS)}", name)
        if name in RELEASED:
            check_releases(record)
            odd = [one for one in record if not _belongs(one, name)]
            if odd:
                raise _wrong(f"Entries of {name}", "be of that kind", odd[0])
    check_size(size_of(content))
    _check_name(content.config_records["facts"].get("site", ""))


def fault_of(content: RecordDict) -> str | None:
    """Return why nothing of an answer is read, or None.

    Source: own.
    """
    try:
        check_arrived(content)
        for record in content.array_records.values():
            numbers_of(record)
    except (FederationError, PrivacyError) as error:
        return str(error)
    return None


def numbers_of(record: ArrayRecord) -> dict[str, np.ndarray]:
    """Return the arrays of a record.

    Raises:
        FederationError: One is not plain numbers.

    Source: own.
    """
    found = {}
    for name, one in record.items():
        try:
            value = read_npy(one.data, dtype=one.dtype, shape=tuple(one.shape))
        except (ValueError, TypeError, EOFError, SyntaxError) as error:
            raise _wrong("Arrays", "be as numpy writes them", f"'{name}': {error}") from None
        if value.dtype.kind not in "fiub":
            raise _wrong("Arrays", "hold numbers", f"{value.dtype} in '{name}'")
        found[name] = value
    return found


def _belongs(name: str, record: str) -> bool:
    stem = name.partition(":")[0]
    return RELEASES[stem].kind in RELEASED[record] or (record == "figures" and stem in NUMBERS)


def _check_name(name: Any) -> None:
    known = isinstance(name, str) and len(name) <= LONGEST_NAME and name.isprintable()
    if not known or "," in name or "/" in name:
        rule = f"be at most {LONGEST_NAME} printable characters without comma and slash"
        raise _wrong("A site's name", rule, ascii(name)[:70])


def _wrong(what: str, rule: str, got: str) -> FederationError:
    return FederationError(f"{what} must {rule}, got {got[:200]}")
