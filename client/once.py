"""What a site answers once: kept on its disk, whatever becomes of a process."""

import sqlite3
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

from fusion.errors import SiteError

FILE = "sums.sqlite"
"""File in the site's state folder."""


def claim(folder: Path, keys: Sequence[str], content: str) -> bool:
    """Return whether each key is new or was claimed with the same content; remember them all.

    Two processes that claim a key at once cannot both be first.

    Args:
        folder: The site's state folder.
        keys: What is claimed, all or nothing.
        content: By what.

    Raises:
        SiteError: The folder cannot be written.

    Source: own.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with closing(sqlite3.connect(folder / FILE, isolation_level=None)) as book:
            book.execute("PRAGMA synchronous = FULL")
            book.execute("CREATE TABLE IF NOT EXISTS claims (key TEXT PRIMARY KEY, content TEXT)")
            return _claim(book, keys, content)
    except (OSError, sqlite3.Error) as error:
        raise SiteError(
            f"The site's state folder must be one that can be written, got '{folder}' ({error}). "
            "Name another; nothing was sent.",
            public="The site's state folder cannot be written.",
        ) from None


def _claim(book: sqlite3.Connection, keys: Sequence[str], content: str) -> bool:
    book.execute("BEGIN IMMEDIATE")
    for key in keys:
        book.execute("INSERT OR IGNORE INTO claims VALUES (?, ?)", (key, content))
    held = [
        book.execute("SELECT content FROM claims WHERE key = ?", (key,)).fetchone()[0]
        for key in keys
    ]
    alike = all(one == content for one in held)
    book.execute("COMMIT" if alike else "ROLLBACK")
    return alike
