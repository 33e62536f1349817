"""Who adds in one sum: the sites' keys for it, each signed by its site."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ec import (
    ECDSA,
    EllipticCurvePrivateKey,
    EllipticCurvePublicKey,
)
from cryptography.hazmat.primitives.hashes import SHA384

from privacy.errors import PrivacyError
from privacy.secure.fixed_point import MOST_SITES

FEWEST = 3
"""Sites that a sum is over at least."""

PURPOSE = b"concord secure sum 1\0"
"""Before what is signed, so that no signature made for something else passes for one of ours."""


def threshold(sites: int) -> int:
    """Return how many of the sites that began a sum have to finish it.

    More than two thirds: a coordinator that tells some sites that one of them is gone and others
    that it is there then finds too few on one side, see `privacy/README.md`.

    Source: Bonawitz et al. 2017, CCS, section 6.2.
    """
    return max(FEWEST, 2 * sites // 3 + 1)


@dataclass(frozen=True)
class Advert:
    """A site's public keys for one sum.

    Attributes:
        mask: X25519; two sites' pair mask follows from theirs.
        channel: X25519; what two sites send each other is sealed with theirs.
        seed: SHA-256 of the seed of the site's own mask, by which a wrong share is noticed.
        signature: Of the three, the run, the sum's number and the site's name.

    Source: own.
    """

    mask: bytes
    channel: bytes
    seed: bytes
    signature: bytes = b""

    def to_bytes(self) -> bytes:
        """Return the advert as it travels."""
        return self.mask + self.channel + self.seed + self.signature

    @classmethod
    def from_bytes(cls, told: bytes) -> "Advert":
        """Return the advert that `to_bytes` wrote."""
        return cls(told[:32], told[32:64], told[64:96], told[96:])

    def signed(
        self, identity: EllipticCurvePrivateKey, *, run: int, number: int, site: str
    ) -> "Advert":
        """Return the advert with the signature of its site's own key."""
        made = identity.sign(self._claim(run, number, site), ECDSA(SHA384()))
        return Advert(self.mask, self.channel, self.seed, made)

    def is_of(self, key: EllipticCurvePublicKey, *, run: int, number: int, site: str) -> bool:
        """Return whether the owner of a key signed this advert for this very sum."""
        try:
            key.verify(self.signature, self._claim(run, number, site), ECDSA(SHA384()))
        except InvalidSignature:
            return False
        return True

    def _claim(self, run: int, number: int, site: str) -> bytes:
        keys = self.mask + self.channel + self.seed
        return PURPOSE + keys + b"\0".join([b"%d" % run, b"%d" % number, site.encode()])


@dataclass(frozen=True)
class Roster:
    """Who adds in one sum.

    Attributes:
        number: Of the sum in its run.
        sites: Names, in order.
        adverts: Their keys, in the same order.

    Source: own.
    """

    number: int
    sites: tuple[str, ...]
    adverts: tuple[bytes, ...]

    @property
    def threshold(self) -> int:
        """How many have to finish."""
        return threshold(len(self.sites))

    @property
    def digest(self) -> bytes:
        """SHA-256 of all of it; whatever a site derives for this sum hangs on it."""
        parts = [b"%d" % self.number]
        for site, advert in zip(self.sites, self.adverts, strict=True):
            parts += [site.encode(), advert]
        framed = b"".join(len(part).to_bytes(4, "big") + part for part in parts)
        return hashlib.sha256(framed).digest()

    def advert(self, site: str) -> Advert:
        """Return one site's keys."""
        return Advert.from_bytes(self.adverts[self.sites.index(site)])

    def check(self, peers: Mapping[str, EllipticCurvePublicKey], *, run: int) -> None:
        """Raise unless every site on the roster is known and signed its keys for this sum.

        Args:
            peers: The key of each site that this one knows, by name.
            run: Flower's number of the run.

        Raises:
            PrivacyError: There are fewer than 3 sites, one is named twice or not known, or a
                signature is missing, of another key, or of another sum.
        """
        check_size(self.sites)
        for site in self.sites:
            if site not in peers:
                raise PrivacyError(
                    f"A site in a secure sum must be known here by its public key, got '{site}'. "
                    "Put its .pub file among the peers, after comparing the fingerprint."
                )
            if not self.advert(site).is_of(peers[site], run=run, number=self.number, site=site):
                raise PrivacyError(
                    f"Keys in a secure sum must be signed by their site for this very sum, got "
                    f"others in the name of '{site}'. Nothing was sent. Ask the coordinator who "
                    "changed them, and the site whether its key is a new one."
                )


def check_size(sites: Sequence[str]) -> None:
    """Raise unless a secure sum can be over these sites.

    Raises:
        PrivacyError: They are fewer than 3, too many, or one is named twice.

    Source: own.
    """
    if not FEWEST <= len(sites) <= MOST_SITES:
        raise PrivacyError(
            f"A secure sum must be over {FEWEST} to {MOST_SITES} sites, got {len(sites)}. "
            "Nothing was sent."
        )
    if len(set(sites)) < len(sites):
        raise PrivacyError("A site must be named once in a secure sum, got one twice.")
