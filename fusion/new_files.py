"""Files that are written once: nothing that exists is replaced, secrets are for their owner."""

import os
from collections.abc import Container, Mapping
from pathlib import Path

from fusion.errors import ConfigError

SECRET_MODE = 0o600
PUBLIC_MODE = 0o644


def write_new(files: Mapping[Path, bytes], *, secret: Container[Path]) -> None:
    """Write files, none of which may exist yet.

    Args:
        files: Content by path; folders are made.
        secret: Those that only their owner may read and write.

    Raises:
        ConfigError: One of them exists; none is written.

    Source: own.
    """
    for path in files:
        if path.exists():
            raise ConfigError(
                f"Keys and certificates must go to new files, got '{path}', which exists. "
                "Name another folder."
            )
    for path, content in files.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        mode = SECRET_MODE if path in secret else PUBLIC_MODE
        # The file is born with its mode: it is never, not even shortly, readable by others.
        number = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
        with os.fdopen(number, "wb") as file:
            file.write(content)
