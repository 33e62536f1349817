"""A folder that is written whole or not at all."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from fusion.errors import ConfigError, OutputError


@contextmanager
def whole_folder(out: Path) -> Iterator[Path]:
    """Yield a folder beside `out` that takes its place when the block ends without an error.

    Args:
        out: Folder to write; must be absent or empty.

    Yields:
        An empty folder; whatever goes wrong, it is removed and `out` stays as it was.

    Raises:
        ConfigError: `out` is not empty, or no folder.
        OutputError: The disk is full, or the place cannot be written.

    Source: own.
    """
    if os.path.lexists(out) and (not out.is_dir() or any(out.iterdir())):
        raise ConfigError(f"--out must be an absent or empty folder, got '{out}'. Choose another.")
    partial = out.absolute().with_name(f".{out.name}.partial-{os.getpid()}")
    try:
        partial.mkdir(parents=True)
        yield partial
        partial.replace(out)
    except (OSError, RuntimeError) as error:  # h5py closes a file on a full disk with the latter
        reason = getattr(error, "strerror", None) or str(error).partition("\n")[0][:200]
        raise OutputError(
            f"--out must be a folder that can be written, got '{out}' ({reason}). "
            "Make room there, or choose another."
        ) from None
    finally:
        shutil.rmtree(partial, ignore_errors=True)
