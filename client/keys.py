"""A hospital's key: its private half proves to the coordinator who is calling."""

import base64
import hashlib
import re
from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

from fusion.errors import ConfigError
from fusion.new_files import write_new

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


@dataclass(frozen=True)
class KeyPair:
    """The two files of a key.

    Attributes:
        private: Stays at the hospital, mode 0600.
        public: Goes to the coordinator.
        fingerprint: Of the public half, as `ssh-keygen -lf` prints it.

    Source: own.
    """

    private: Path
    public: Path
    fingerprint: str


def make_keys(out: Path, *, name: str) -> KeyPair:
    """Write a new key pair for the hospital's SuperNode.

    Args:
        out: Folder; made if it does not exist.
        name: Of the two files, and the comment in the public one.

    Returns:
        Where the files lie, and the fingerprint to read out to the coordinator.

    Raises:
        ConfigError: The name is no file name, or one of the files exists.

    Privacy: the private key is not encrypted; its file is readable by its owner alone.

    Source: own; ECDSA on P-384 in OpenSSH's format is what Flower's SuperNode reads.
    """
    if not _NAME.fullmatch(name):
        raise ConfigError(
            f"--name must be letters, digits, '.', '_' and '-', got '{name}'. "
            "Use the site's short name."
        )
    key = ec.generate_private_key(ec.SECP384R1())
    private = key.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption())
    public = key.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH)
    pair = KeyPair(out / f"{name}.key", out / f"{name}.pub", _fingerprint(public))
    write_new(
        {pair.private: private, pair.public: public + f" {name}\n".encode()},
        secret=[pair.private],
    )
    return pair


def _fingerprint(public: bytes) -> str:
    """Return SHA-256 of the key's bytes, in base64 without padding."""
    digest = hashlib.sha256(base64.b64decode(public.split()[1])).digest()
    return "SHA256:" + base64.b64encode(digest).decode().rstrip("=")
