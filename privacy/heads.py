"""How far a ledger has come, written in a second place: an older copy of the ledger shows."""

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path
from threading import get_ident

from privacy.errors import LedgerError

GENESIS = "0" * 64
"""Hash before the first entry."""


@dataclass(frozen=True)
class Head:
    """Number of entries of a ledger, and the hash of the last one.

    Source: own.
    """

    entries: int = 0
    hash: str = GENESIS

    @staticmethod
    def read(path: Path) -> "Head | None":
        """Return the head in a file; None if there is no file.

        Raises:
            LedgerError: The file cannot be read, or is not a head.
        """
        try:
            found = json.loads(path.read_text(encoding="ascii"))
            return Head(int(found["entries"]), str(found["hash"]))
        except FileNotFoundError:
            return None
        except (OSError, ValueError, TypeError, KeyError) as error:
            raise LedgerError(
                f"The ledger's head must be a file of its own making, got {error} at '{path}'. "
                "Restore it from a backup."
            ) from None

    def write(self, path: Path) -> None:
        """Put the head into a file, whole or not at all, through to the disk.

        Raises:
            LedgerError: The place cannot be written.
        """
        partial = path.with_name(f".{path.name}.{os.getpid()}.{get_ident()}")
        try:
            with partial.open("w", encoding="ascii") as file:
                json.dump(asdict(self), file)
                file.flush()
                os.fsync(file.fileno())
            partial.replace(path)
            _sync_folder(path.parent)
        except OSError as error:
            raise LedgerError(
                f"The ledger's head must be writable, got {error.strerror} at '{path}'. "
                "Mend the disk or its rights; nothing was trained."
            ) from None


def _sync_folder(folder: Path) -> None:
    """Make a rename survive a power cut."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
