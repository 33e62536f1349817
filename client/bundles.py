"""A Flower app bundle as a hospital reads it: its hash, its files, and how they differ."""

import difflib
import hashlib
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path, PurePosixPath

from fusion.errors import ConfigError

LARGEST = 64 * 2**20
"""Bytes that the files of a bundle may hold together."""

ENCRYPTED = 1
"""Bit of a zip entry's flags."""

MANIFEST = ".info/"
"""Folder of Flower's own list of the files."""

OURS = ("client", "fusion", "privacy", "server")
"""Packages that a bundle of Concord brings along."""


@dataclass(frozen=True)
class Bundle:
    """Code that a coordinator wants to run at the sites.

    Attributes:
        sha256: Of the bundle's bytes, as Flower sends them.
        files: Content by path, Flower's own list of files left out.

    Source: own.
    """

    sha256: str
    files: Mapping[str, bytes]


def read_bundle(path: Path) -> Bundle:
    """Return a bundle that `flwr build` wrote; nothing of it is run or unpacked.

    Raises:
        ConfigError: The file is no bundle, or is larger than a bundle can be.

    Source: own.
    """
    try:
        content = path.read_bytes()
        with zipfile.ZipFile(BytesIO(content)) as archive:
            found = [one for one in archive.infolist() if not one.is_dir()]
            if sum(one.file_size for one in found) > LARGEST:
                raise _no_bundle(path, f"more than {LARGEST >> 20} MiB")
            if any(one.flag_bits & ENCRYPTED for one in found):
                raise _no_bundle(path, "encrypted files")
            files = {one.filename: archive.read(one) for one in found}
    # what zipfile raises of a broken archive, one packed in a way it cannot read, a broken stream
    except (zipfile.BadZipFile, NotImplementedError, EOFError, zlib.error) as error:
        raise _no_bundle(path, str(error)) from None
    for name in files:
        if PurePosixPath(name).is_absolute() or ".." in PurePosixPath(name).parts:
            raise _no_bundle(path, f"the file name '{name}'")
    if "pyproject.toml" not in files:
        raise _no_bundle(path, "no pyproject.toml")
    own = {name: text for name, text in files.items() if not name.startswith(MANIFEST)}
    return Bundle(hash_of(content), own)


def hash_of(content: bytes) -> str:
    """Return the SHA-256 of a bundle's bytes.

    Source: own.
    """
    return hashlib.sha256(content).hexdigest()


def installed_files(root: Path) -> dict[str, bytes]:
    """Return the files of Concord as they are installed here, by their path in a bundle.

    Args:
        root: Folder that holds the packages.

    Source: own.
    """
    return {
        path.relative_to(root).as_posix(): path.read_bytes()
        for package in OURS
        for path in sorted((root / package).rglob("*"))
        if path.suffix in (".py", ".json")
    }


def changes(before: Mapping[str, bytes], after: Mapping[str, bytes]) -> Iterator[str]:
    """Yield the lines of a unified diff of all files, in order of their paths.

    Args:
        before: Content by path.
        after: Likewise.

    Source: own.
    """
    for name in sorted({*before, *after}):
        old, new = before.get(name), after.get(name)
        if old != new:
            yield from difflib.unified_diff(
                _lines(old), _lines(new), f"before/{name}", f"after/{name}", lineterm=""
            )


def _lines(content: bytes | None) -> list[str]:
    return [] if content is None else content.decode("utf-8", errors="replace").splitlines()


def _no_bundle(path: Path, got: str) -> ConfigError:
    return ConfigError(
        f"A bundle must be a .fab file that `flwr build` wrote, got {got} in '{path}'. Ask the "
        "coordinator for it again."
    )
