"""Files that are written once: nothing that exists is replaced, secrets are for their owner."""

import os
from collections.abc import Container, Iterable, Mapping
from pathlib import Path

from fusion.errors import ConfigError

SECRET_MODE = 0o600
PUBLIC_MODE = 0o644


def require_new(paths: Iterable[Path], what: str) -> None:
    """Raise if there is anything at one of the paths.

    Args:
        paths: Where files are to be written.
        what: What they are to hold, for the message.

    Raises:
        ConfigError: One of them exists.

    Source: own.
    """
    for path in paths:
        if path.exists():
            raise ConfigError(
                f"{what} must go to new files, got '{path}', which exists. Name another place."
            )


def write_new(
    files: Mapping[Path, bytes],
    *,
    secret: Container[Path],
    what: str = "Keys and certificates",
) -> None:
    """Write files, none of which may exist yet.

    Args:
        files: Content by path; folders are made.
        secret: Those that only their owner may read and write.
        what: What they hold, for the message.

    Raises:
        ConfigError: One of them exists; none is written.
        OSError: One cannot be written; what there is of it is removed.

    Source: own.
    """
    require_new(files, what)
    for path, content in files.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        mode = SECRET_MODE if path in secret else PUBLIC_MODE
        # The file is born with its mode: it is never, not even shortly, readable by others.
        number = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
        try:
            with os.fdopen(number, "wb") as file:
                file.write(content)
        except OSError:
            path.unlink()
            raise
