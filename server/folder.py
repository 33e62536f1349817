"""The run's folder: empty before a run, whole after it."""

import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any

from fusion.errors import ConfigError
from fusion.training.checkpoint import partial_files, write_atomically
from server.report.audit_page import render_audit
from server.report.page import render
from server.schema import validate, validate_audit

RESULT = "result.json"
AUDIT = "audit.json"
ATTACK = "attack.json"
REPORT = "report.html"


def prepare(folder: Path, *, resume: bool) -> Path:
    """Return the folder, which must be new or empty unless a run is resumed in it.

    What a killed process left half-written is removed.

    Raises:
        ConfigError: It holds something, is a file, or cannot be written.

    Source: own.
    """
    there = next(p for p in (folder, *folder.absolute().parents) if os.path.lexists(p))
    try:
        partial = partial_files(folder)
        if there == folder and (not folder.is_dir() or not (resume or _empty(folder, partial))):
            raise ConfigError(
                f"Output folder must be new or empty, got '{folder}'. Choose another, or resume "
                "the run in it."
            )
        for path in partial:
            path.unlink()
        with TemporaryFile(dir=there):
            return folder
    except OSError as error:
        raise ConfigError(
            f"Output folder must be one that can be written, got '{folder}' ({error.strerror}). "
            "Choose another."
        ) from None


def _empty(folder: Path, but_for: list[Path]) -> bool:
    return set(folder.iterdir()) <= set(but_for)


@contextmanager
def held(folder: Path) -> Iterator[None]:
    """Keep a run's folder to one run: two would write the same checkpoint.

    It is let go of when this process ends, however it ends. A folder left empty is removed.

    Raises:
        ConfigError: Another run is at work in it.

    Source: own.
    """
    folder.mkdir(parents=True, exist_ok=True)
    handle = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    except BlockingIOError:
        raise ConfigError(
            f"Output folder must have one run at work in it, got a second one in '{folder}'. Wait "
            "until the first has ended, or stop it."
        ) from None
    finally:
        os.close(handle)
        with suppress(OSError):
            folder.rmdir()


def write_result(folder: Path, result: dict[str, Any]) -> None:
    """Write the report, which checks the result against its schema, then the result.

    Source: own.
    """
    write_report(folder, result)
    text = json.dumps(result, indent=2, allow_nan=False, ensure_ascii=False)
    write_atomically(folder / RESULT, text.encode())


def write_report(folder: Path, result: dict[str, Any]) -> Path:
    """Write the report of a result and return its path.

    Source: own.
    """
    write_atomically(folder / REPORT, render(result).encode())
    return folder / REPORT


def write_audit(folder: Path, audit: dict[str, Any]) -> None:
    """Write the page of a re-audit, which checks it against its schema, then the re-audit.

    Source: own.
    """
    write_atomically(folder / REPORT, render_audit(audit).encode())
    text = json.dumps(audit, indent=2, allow_nan=False, ensure_ascii=False)
    write_atomically(folder / AUDIT, text.encode())


def write_attack(folder: Path, result: dict[str, Any], attack: dict[str, Any]) -> None:
    """Write a run's report anew with attacks on its model, which checks both, then the attacks.

    Source: own.
    """
    write_atomically(folder / REPORT, render(result, attack).encode())
    text = json.dumps(attack, indent=2, allow_nan=False, ensure_ascii=False)
    write_atomically(folder / ATTACK, text.encode())


def read_result(folder: Path) -> dict[str, Any]:
    """Return the result of a finished run.

    Raises:
        ConfigError: The folder holds no readable result.

    Source: own.
    """
    result = _read(folder, RESULT, "run")
    validate(result)
    return result


def read_audit(folder: Path) -> dict[str, Any]:
    """Return a finished re-audit.

    Raises:
        ConfigError: The folder holds none that can be read.

    Source: own.
    """
    audit = _read(folder, AUDIT, "re-audit")
    validate_audit(audit)
    return audit


def _read(folder: Path, name: str, what: str) -> Any:
    try:
        return json.loads((folder / name).read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise ConfigError(
            f"A finished {what} must hold {name}, got none that can be read in '{folder}' "
            f"({type(error).__name__}). Check the path."
        ) from None
