"""Arrays and a JSON document in one safetensors file, written whole or not at all."""

import hashlib
import json
import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from fusion.errors import ModelFileError, OutputError


def write_atomically(path: Path, content: bytes) -> None:
    """Replace `path` by `content`; a crash leaves the old file or the new one.

    Raises:
        OutputError: The disk is full, or the folder cannot be written.

    Source: own (temporary sibling, fsync, rename).
    """
    temporary = path.with_name(f".{path.name}{_PARTIAL}{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with temporary.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except OSError as error:
        raise OutputError(
            f"File must be written whole, got {error.strerror} at '{path}'. Make room there, or "
            "mend its rights; a run then goes on with --resume."
        ) from None
    finally:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)


def partial_files(folder: Path) -> list[Path]:
    """Return what a killed process left half-written in a folder.

    Source: own.
    """
    return sorted(folder.glob(f".*{_PARTIAL}*"))


_PARTIAL = ".partial-"


def save_arrays(path: Path, arrays: Mapping[str, np.ndarray], document: Mapping[str, Any]) -> str:
    """Write arrays and a document to `path` and return the file's SHA-256.

    Args:
        path: Where to write.
        arrays: Named arrays.
        document: Anything JSON holds.

    Returns:
        The hash as hexadecimal text.

    Source: own.
    """
    packed = {name: np.asarray(value, order="C") for name, value in arrays.items()}
    text = json.dumps(document, allow_nan=False, sort_keys=True)
    content = save(packed, metadata={"concord": text})
    write_atomically(path, content)
    return hashlib.sha256(content).hexdigest()


def digest_arrays(arrays: Mapping[str, np.ndarray]) -> str:
    """Return the SHA-256 of arrays with their names, types and shapes, whatever their order.

    Source: own.
    """
    total = hashlib.sha256()
    for name in sorted(arrays):
        value = np.asarray(arrays[name], order="C")
        total.update(f"{name} {value.dtype} {value.shape}\n".encode())
        total.update(value.tobytes())
    return total.hexdigest()


def load_arrays(path: Path) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """Return the arrays and the document of a file that `save_arrays` wrote.

    Args:
        path: The file.

    Returns:
        Arrays by name, and the document.

    Raises:
        ModelFileError: The file is missing, damaged, or not one of ours.

    Source: own.
    """
    if not path.is_file():
        raise ModelFileError(f"Model file must exist, got '{path}'. Check the path.")
    try:
        with safe_open(path, framework="numpy") as file:
            text = (file.metadata() or {}).get("concord", "")
            arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 -- no mapping
        return arrays, json.loads(text)
    except (SafetensorError, ValueError, OSError, RecursionError) as error:
        raise ModelFileError(
            f"Model file must be one that Concord wrote, got '{path}': {error}. "
            "Use the file as a run wrote it."
        ) from None
