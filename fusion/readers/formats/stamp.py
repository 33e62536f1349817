"""What a file was when its folder was read, so that another one in its place is noticed."""

import hashlib
from dataclasses import dataclass
from pathlib import Path

from fusion.errors import SiteError

_PIECES, _PIECE = 5, 4096


@dataclass(frozen=True)
class Stamp:
    """Size and time of the last change of a file.

    Attributes:
        size: Bytes.
        changed: Nanoseconds since 1970.

    Source: own.
    """

    size: int
    changed: int

    @classmethod
    def of(cls, path: Path) -> "Stamp":
        """Return the stamp of a file as it is now.

        Raises:
            OSError: There is none.

        Source: own.
        """
        told = path.stat()
        return cls(told.st_size, told.st_mtime_ns)

    def check(self, path: Path) -> None:
        """Raise if the file was changed since; one that is gone is left to who opens it.

        Raises:
            SiteError: It has another size or time.

        Source: own.
        """
        if path.is_file() and Stamp.of(path) != self:
            raise SiteError(
                f"Files of a site must stay as they are while they are used, got '{path.name}' "
                "changed since the folder was read. Let it be, and start a new run.",
                public="A file of the site changed while it was used.",
            )


def sampled(path: Path) -> str:
    """Return a SHA-256 of a file's size and of five pieces of 4,096 bytes, evenly spread.

    Features that were extracted again differ in every piece; a file is not read as a whole, as a
    site may have hundreds of gigabytes. A change that spares all pieces is not seen.

    Args:
        path: The file.

    Privacy: a hash; it leaves the site as part of the hash of its folder.

    Source: own.
    """
    size = path.stat().st_size
    total = hashlib.sha256(str(size).encode())
    with path.open("rb") as file:
        for piece in range(_PIECES):
            file.seek(max(size - _PIECE, 0) * piece // (_PIECES - 1))
            total.update(file.read(_PIECE))
    return total.hexdigest()
