"""Keys that two sites have in common, for one sum and one purpose."""

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from privacy.errors import PrivacyError

NONCE = bytes(12)
"""Every key seals one message only."""


def public_half(private: bytes) -> bytes:
    """Return the public half of an X25519 key.

    Source: RFC 7748.
    """
    return X25519PrivateKey.from_private_bytes(private).public_key().public_bytes_raw()


def common_key(private: bytes, public: bytes, *, purpose: str, digest: bytes) -> bytes:
    """Return 32 bytes that only the owners of the two halves can derive.

    Args:
        private: One site's half.
        public: The other's.
        purpose: What it is for; another purpose gives another key.
        digest: Of the sum's roster.

    Raises:
        PrivacyError: The public half is one that gives every partner the same key.

    Source: X25519 (RFC 7748), HKDF-SHA-256 (RFC 5869).
    """
    own = X25519PrivateKey.from_private_bytes(private)
    try:
        agreed = own.exchange(X25519PublicKey.from_public_bytes(public))
    except ValueError:
        raise PrivacyError("A key in a secure sum must be sound, got one that is not.") from None
    info = f"concord {purpose}".encode()
    return HKDF(algorithm=SHA256(), length=32, salt=digest, info=info).derive(agreed)


def seal(key: bytes, content: bytes, *, digest: bytes) -> bytes:
    """Return content that only who has the key can read, and nobody else can change.

    Source: ChaCha20-Poly1305 (RFC 8439).
    """
    return ChaCha20Poly1305(key).encrypt(NONCE, content, digest)


def unseal(key: bytes, sealed: bytes, *, digest: bytes) -> bytes:
    """Return what `seal` was given.

    Raises:
        cryptography.exceptions.InvalidTag: It is of another key or another sum, or was changed.

    Source: RFC 8439.
    """
    return ChaCha20Poly1305(key).decrypt(NONCE, sealed, digest)
