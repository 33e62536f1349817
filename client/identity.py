"""A site's registered key and those of its peers, by which it knows with whom it adds."""

from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import (
    EllipticCurvePrivateKey,
    EllipticCurvePublicKey,
)
from cryptography.hazmat.primitives.serialization import (
    load_ssh_private_key,
    load_ssh_public_key,
)

from client.keys import make_keys
from client.settings import Settings
from fusion.errors import SiteError

SIMULATED_PEERS = ".peers"
"""Folder of public keys beside the state folders of simulated sites."""


def read_identity(settings: Settings, site: str) -> EllipticCurvePrivateKey:
    """Return the site's private key; a simulated site makes one and shows its peers the public one.

    Args:
        settings: Of this message; they name the key's file.
        site: The site's name.

    Raises:
        SiteError: A deployed site names no key, or the file holds none.

    Privacy: the key stays at the site.

    Source: own.
    """
    path = settings.key
    if path is None and settings.simulated:
        path = _simulated(settings, site)
    if path is None:
        raise SiteError(
            "A site must name its key and its peers' for secure sums, got none. Start it with "
            "concord-site start --peers FOLDER.",
            public="The site has not said which peers it knows, so it takes part in no secure sum.",
        )
    try:
        key = load_ssh_private_key(path.read_bytes(), password=None)
    except (OSError, ValueError, UnsupportedAlgorithm) as error:
        raise _unreadable(path, error) from None
    if not isinstance(key, EllipticCurvePrivateKey):
        raise _unreadable(path, "it is of another kind")
    return key


def read_peers(settings: Settings) -> dict[str, EllipticCurvePublicKey]:
    """Return the public key of each site that this one knows, by name: `lyon.pub` is of lyon.

    Raises:
        SiteError: There is no folder of peers, or a file in it holds no key.

    Source: own.
    """
    folder = settings.peers
    if folder is None and settings.simulated:
        folder = settings.kept.parent / SIMULATED_PEERS
    if folder is None or not folder.is_dir():
        raise SiteError(
            f"Peers must be a folder of public keys, one SITE.pub each, got '{folder}'. Collect "
            "them and name it: concord-site start --peers FOLDER.",
            public="The site has no folder of its peers' keys.",
        )
    return {path.stem: _public(path) for path in sorted(folder.glob("*.pub"))}


def _public(path: Path) -> EllipticCurvePublicKey:
    try:
        key = load_ssh_public_key(path.read_bytes())
    except (OSError, ValueError, UnsupportedAlgorithm) as error:
        raise _unreadable(path, error) from None
    if not isinstance(key, EllipticCurvePublicKey):
        raise _unreadable(path, "it is of another kind")
    return key


def _unreadable(path: Path, why: object) -> SiteError:
    return SiteError(
        f"A key must be one of `concord-site keys`, got '{path}' ({why}). Name another file.",
        public="A key at the site cannot be read.",
    )


def _simulated(settings: Settings, site: str) -> Path:
    """Return the key that a simulated site made; its public half lies where the others look."""
    folder = settings.kept / "keys"
    path = folder / "site.key"
    if not path.is_file():
        pair = make_keys(folder, name="site")
        shown = settings.kept.parent / SIMULATED_PEERS / f"{site}.pub"
        shown.parent.mkdir(parents=True, exist_ok=True)
        shown.write_bytes(pair.public.read_bytes())
    return path
