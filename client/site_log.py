"""A site's own log of what was asked of it: a line each, chained by hash, never changed."""

import fcntl
import hashlib
import json
import os
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fusion.errors import ConfigError, SiteError

FILE = "site.log"
"""In the state folder; for its owner alone."""

GENESIS = "0" * 64
"""What the first line is chained to."""

LONGEST = 500
"""Characters that are kept of a text that came from outside."""

TAIL = 65536
"""Bytes read from the end to find the last line; no line is longer."""


@dataclass(frozen=True)
class Line:
    """One line of the log.

    Attributes:
        number: From 1.
        body: `kind` (`asked`, `answered` or `refused`), `time` (seconds since 1970), `run`,
            `round`, `question`, `bytes`, and by kind `releases` (names) or `reason` (a sentence).

    Source: own.
    """

    number: int
    body: Mapping[str, Any]

    def cells(self) -> list[str]:
        """Return the line as a person reads it: what it is of, its bytes, releases or reason."""
        body = self.body
        when = time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(body["time"]))
        about = ["" if body.get(key) is None else str(body[key]) for key in ("run", "round")]
        told = str(body.get("reason", ", ".join(body.get("releases", ()))))
        size = f"{body['bytes']:,}"
        return [str(self.number), when, *about, body["question"], body["kind"], size, told]


class SiteLog:
    """A text file that only grows; each line holds the hash of the one before.

    A changed or missing line is noticed, lines cut off at the end are not: whoever must be sure
    of those copies the file elsewhere, day by day.

    Args:
        path: The file; made by the first line.

    Privacy: stays at the site, and holds nothing of a patient: questions, names of releases,
        numbers of bytes, and sentences that the coordinator was told.

    Source: own.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def append(self, kind: str, **fields: Any) -> None:
        """Write one line before going on.

        Args:
            kind: `asked`, `answered` or `refused`.
            fields: What it tells, as JSON holds it.

        Raises:
            SiteError: It cannot be written; then nothing may be answered.
        """
        told = {name: _short(value) for name, value in fields.items()}
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            number = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
            with os.fdopen(number, "r+b", buffering=0) as file:
                fcntl.flock(file, fcntl.LOCK_EX)
                before, hashed = _last(file)
                body = {"number": before + 1, "kind": kind, "time": time.time(), **told}
                _write(file, _chained(hashed, body))
        except OSError as error:
            raise SiteError(
                f"The site's log must be a file that can be written, got '{self.path}' ({error}). "
                "Make room there or mend its rights; nothing was answered.",
                public="The site's log cannot be written, so it answers nothing.",
            ) from None

    def lines(self) -> list[Line]:
        """Return every line, once the chain has been checked.

        Raises:
            ConfigError: There is no log, or a line was changed or is missing.
        """
        if not self.path.is_file():
            raise ConfigError(
                f"A site's log must be there to be read, got none at '{self.path}'. It is made by "
                "the first question; --state names another folder."
            )
        found, hashed = list[Line](), GENESIS
        for number, text in enumerate(self.path.read_bytes().splitlines(), start=1):
            body = _read(text)
            told = body.pop("hash", None)
            if body.get("number") != number or told != _hash(hashed, body):
                raise ConfigError(
                    f"The log's chain must be unbroken, got a changed or missing line {number} in "
                    f"'{self.path}'. Compare it with a backup."
                )
            hashed = told
            found.append(Line(number, body))
        return found


def _short(value: Any) -> Any:
    return value[:LONGEST] if isinstance(value, str) else value


def _last(file: Any) -> tuple[int, str]:
    """Return number and hash of the last whole line; what was half-written after it goes."""
    end = file.seek(0, os.SEEK_END)
    file.seek(max(0, end - TAIL))
    tail = file.read()
    whole = tail.rfind(b"\n") + 1
    if whole < len(tail):  # a full disk or a kill; the line was never acted on
        os.ftruncate(file.fileno(), end - len(tail) + whole)
    lines = tail[:whole].splitlines()
    body = _read(lines[-1]) if lines else {}
    return int(body.get("number", 0)), str(body.get("hash", GENESIS))


def _read(text: bytes) -> dict[str, Any]:
    try:
        body = json.loads(text)
    except ValueError:
        return {}
    return body if isinstance(body, dict) else {}


def _chained(before: str, body: Mapping[str, Any]) -> bytes:
    return (json.dumps({**body, "hash": _hash(before, body)}, sort_keys=True) + "\n").encode()


def _hash(before: str, body: Mapping[str, Any]) -> str:
    return hashlib.sha256((before + json.dumps(body, sort_keys=True)).encode()).hexdigest()


def _write(file: Any, line: bytes) -> None:
    if file.write(line) != len(line):
        raise OSError("only a part of the line was written")
    os.fsync(file.fileno())
