"""Secrets that a site makes for itself, once, and that never leave it."""

import os
from pathlib import Path

from fusion.errors import SiteError
from fusion.new_files import write_new

LENGTH = 32
"""Bytes of a secret, from the operating system's generator."""


def site_secret(state: Path, file: str, what: str) -> bytes:
    """Return a secret of the site; made when it is first needed.

    Args:
        state: The site's state folder.
        file: Its name in there.
        what: What it is for, for messages.

    Raises:
        SiteError: The state folder cannot be written, or the file is damaged.

    Privacy: stays at the site, readable by its owner alone.

    Source: own.
    """
    path = state / file
    try:
        if not path.exists():
            write_new({path: os.urandom(LENGTH)}, secret=[path])
        found = path.read_bytes()
    except OSError as error:
        raise SiteError(
            f"The site's state folder must be one that can be written, got '{state}' "
            f'({error}). Name another: --node-config \'site="..." state="..."\'.',
            public="The site's state folder cannot be written.",
        ) from None
    if len(found) != LENGTH:
        raise SiteError(
            f"The {what}'s secret must be {LENGTH} bytes, got {len(found)} in '{path}'. "
            "Remove the file: a new one is made.",
            public=f"The site's secret of the {what} is damaged.",
        )
    return found
