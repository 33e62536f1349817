"""Which code may run at this site: bundles that a person here has read and approved."""

import json
import time
from dataclasses import dataclass
from pathlib import Path

import client
from client.bundles import Bundle, changes, hash_of, installed_files, read_bundle
from fusion.errors import ConfigError
from privacy.errors import PrivacyError

APPROVED = "approved"
"""Folder in the site's own: a bundle and a note of its approval for each that may run."""


@dataclass(frozen=True)
class Reading:
    """A bundle beside what was approved before, for a person to read.

    Attributes:
        bundle: What the coordinator wants to run.
        baseline: What it is compared with, in words.
        lines: Unified diff to it.
        approved: Whether it may run already.

    Source: own.
    """

    bundle: Bundle
    baseline: str
    lines: tuple[str, ...]
    approved: bool

    @property
    def changed(self) -> int:
        """Number of files that differ."""
        return sum(line.startswith("+++ ") for line in self.lines)


def compare(path: Path, site: Path) -> Reading:
    """Return how a bundle differs from the last approved one, or from what is installed here.

    Raises:
        ConfigError: The file is no bundle.

    Source: own.
    """
    bundle, last = read_bundle(path), _last(site)
    if last is None:
        before, baseline = installed_files(Path(client.__file__).parents[1]), "the installed files"
        after = {name: text for name, text in bundle.files.items() if name != "pyproject.toml"}
    else:
        before, after = dict(read_bundle(last).files), dict(bundle.files)
        baseline = f"the bundle approved last, {last.stem[:12]}"
    approved = _place(site, bundle.sha256).is_file()
    return Reading(bundle, baseline, tuple(changes(before, after)), approved)


def approve(path: Path, site: Path) -> Path:
    """Let a bundle run at this site, and keep it, to compare the next one with.

    Args:
        path: The bundle.
        site: The site's folder.

    Returns:
        The copy that is kept.

    Raises:
        ConfigError: The file is no bundle.

    Privacy: code in a bundle can do whatever the user can who starts it; read it first.

    Source: own.
    """
    bundle = read_bundle(path)
    kept = _place(site, bundle.sha256)
    kept.parent.mkdir(exist_ok=True)
    kept.write_bytes(path.read_bytes())
    note = {"sha256": bundle.sha256, "time": time.time()}
    kept.with_suffix(".json").write_text(json.dumps(note), encoding="ascii")
    return kept


def revoke(sha256: str, site: Path) -> None:
    """Let a bundle run here no more.

    Args:
        sha256: Its hash, or the beginning of it.
        site: The site's folder.

    Raises:
        ConfigError: No approved bundle, or more than one, begins like that.

    Source: own.
    """
    found = [path for path in _kept(site) if sha256 and path.stem.startswith(sha256)]
    if len(found) != 1:
        raise ConfigError(
            f"--revoke must be the hash of one approved bundle, got '{sha256}', which fits "
            f"{len(found)}. Name one of those in '{site / APPROVED}'."
        )
    found[0].unlink()
    found[0].with_suffix(".json").unlink(missing_ok=True)


def check_approved(content: bytes, site: Path) -> None:
    """Raise unless a person at this site has approved exactly these bytes.

    Args:
        content: A bundle as Flower delivers it.
        site: The site's folder.

    Raises:
        PrivacyError: It was not approved; nothing of it may run.

    Source: own.
    """
    sha256 = hash_of(content)
    kept = _place(site, sha256)
    if not kept.is_file() or hash_of(kept.read_bytes()) != sha256:
        raise PrivacyError(
            f"A bundle must be approved by the site before it runs, got {sha256[:12]}. Send the "
            "bundle to the site, where a person runs `concord-site approve`."
        )


def _place(site: Path, sha256: str) -> Path:
    return site / APPROVED / f"{sha256}.fab"


def _kept(site: Path) -> list[Path]:
    """Return the approved bundles, the one approved last at the end."""
    return sorted((site / APPROVED).glob("*.fab"), key=_approved_at)


def _approved_at(path: Path) -> float:
    note = path.with_suffix(".json")
    return float(json.loads(note.read_text("ascii"))["time"]) if note.is_file() else 0.0


def _last(site: Path) -> Path | None:
    return next(iter(reversed(_kept(site))), None)
