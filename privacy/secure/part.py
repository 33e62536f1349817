"""A site's part in one sum: its keys, its shares for the others, its masked words, what it reveals.

Nothing here outlives the sum: every key is new for it, and the site forgets them once it has
revealed its shares.
"""

import hashlib
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.ec import (
    EllipticCurvePrivateKey,
    EllipticCurvePublicKey,
)
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from privacy.errors import PrivacyError
from privacy.secure.derivation import common_key, public_half, seal, unseal
from privacy.secure.fixed_point import Words
from privacy.secure.masks import add_mask
from privacy.secure.roster import Advert, Roster, check_size
from privacy.secure.shares import LENGTH, split

LATE = "Nothing was sent; the coordinator has to begin the sum anew."


@dataclass(frozen=True)
class Part:
    """What a site keeps between the messages of one sum; `repr` shows no secret.

    Attributes:
        site: Its name.
        number: Of the sum in its run.
        mask: Private half of the key that pair masks follow from.
        channel: Private half of the key that shares are sealed with.
        seed: Of its own mask.
        advert: Its public keys, signed.
        sites: On the roster, once it is known.
        adverts: Theirs.
        sealed: Shares from each site on the roster, once they came.
        label: What the masked words say, once they were sent.

    Source: Bonawitz et al. 2017, CCS: double masking.
    """

    site: str
    number: int
    mask: bytes = field(repr=False)
    channel: bytes = field(repr=False)
    seed: bytes = field(repr=False)
    advert: bytes
    sites: tuple[str, ...] = ()
    adverts: tuple[bytes, ...] = ()
    sealed: tuple[bytes, ...] = ()
    label: str = ""

    @property
    def roster(self) -> Roster:
        """Who adds."""
        return Roster(self.number, self.sites, self.adverts)

    def to_plain(self) -> dict[str, Any]:
        """Return values that Flower's context can keep."""
        kept = {name.name: getattr(self, name.name) for name in fields(self)}
        return {key: list(v) if isinstance(v, tuple) else v for key, v in kept.items()}

    @classmethod
    def from_plain(cls, kept: Mapping[str, Any]) -> "Part":
        """Return the part that `to_plain` wrote."""
        found: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in kept.items()}
        return cls(**found)


def begin(site: str, *, identity: EllipticCurvePrivateKey, run: int, number: int) -> Part:
    """Return a site's part in a new sum: keys and a seed that nobody else knows.

    Args:
        site: Its name.
        identity: Its registered key, which signs.
        run: Flower's number of the run.
        number: Of the sum.

    Source: own.
    """
    mask, channel = (X25519PrivateKey.generate().private_bytes_raw() for _ in range(2))
    seed = os.urandom(32)
    plain = Advert(public_half(mask), public_half(channel), hashlib.sha256(seed).digest())
    advert = plain.signed(identity, run=run, number=number, site=site)
    return Part(site, number, mask, channel, seed, advert.to_bytes())


def share(
    part: Part, roster: Roster, *, peers: Mapping[str, EllipticCurvePublicKey], run: int
) -> tuple[Part, list[bytes]]:
    """Return the part with its roster, and what each site on it is to keep of this one.

    Args:
        part: As it began.
        roster: Who adds, as the coordinator says.
        peers: The key of each site that this one knows.
        run: Flower's number of the run.

    Returns:
        The part, and a sealed pair of shares for each site, in the roster's order.

    Raises:
        PrivacyError: The roster is not one of this sum, or does not hold this site's own keys.

    Source: Bonawitz et al. 2017.
    """
    if part.sites:
        raise PrivacyError(f"Shares must be asked for once a sum, got a second request. {LATE}")
    if roster.number != part.number:
        raise PrivacyError(f"Shares must be of the sum in progress, got another. {LATE}")
    roster.check(peers, run=run)
    if part.site not in roster.sites or roster.advert(part.site).to_bytes() != part.advert:
        raise PrivacyError(f"A roster must hold the site's own keys, got others. {LATE}")
    whole = {"number": len(roster.sites), "threshold": roster.threshold}
    pairs = zip(split(part.seed, **whole), split(part.mask, **whole), strict=True)
    sealed = [
        seal(_channel(part, roster, part.site, to), seed + mask, digest=roster.digest)
        for to, (seed, mask) in zip(roster.sites, pairs, strict=True)
    ]
    return replace(part, sites=roster.sites, adverts=roster.adverts), sealed


def mask(part: Part, words: Words, *, sealed: Sequence[bytes], label: str) -> tuple[Part, Words]:
    """Return the part with the others' shares, and the words under all masks.

    Args:
        part: With its roster.
        words: What the site adds; a copy is masked.
        sealed: What each site on the roster has for this one, in its order.
        label: What the words say.

    Returns:
        The part, and words that are uniform to whoever lacks a key of this site's.

    Raises:
        PrivacyError: There is no roster yet, words were sent before, or a share is not sound.

    Source: Bonawitz et al. 2017.
    """
    if not part.sites:
        raise PrivacyError(f"A secure sum must begin with keys and shares, got none. {LATE}")
    if part.label:
        raise PrivacyError(f"A site must add once to a secure sum, got a second request. {LATE}")
    ready = replace(part, sealed=tuple(sealed), label=label)
    _open_all(ready)
    masked, roster = words.copy(), part.roster
    add_mask(masked, part.seed, sign=1)
    for other in roster.sites:
        if other != part.site:
            key = pair_key(part.mask, roster, part.site, other)
            add_mask(masked, key, sign=sign_of(part.site, other))
    return ready, masked


def reveal(part: Part, survivors: Sequence[str]) -> list[bytes]:
    """Return this site's share of one secret of each site, never of both.

    Args:
        part: After its words were sent.
        survivors: Sites whose words the coordinator has.

    Returns:
        In the roster's order: of a survivor a share of its own mask's seed, of any other one a
        share of its pair masks' key.

    Raises:
        PrivacyError: Nothing was added, a survivor is not on the roster, this site is not among
            them, or they are fewer than the threshold.

    Source: Bonawitz et al. 2017.
    """
    if not part.label:
        raise PrivacyError(f"Shares must be asked for after the sum, got nothing added. {LATE}")
    check_size(survivors)
    if not set(survivors) <= set(part.sites) or part.site not in survivors:
        raise PrivacyError(f"Those who added must be on the roster, this site with them. {LATE}")
    if len(survivors) < part.roster.threshold:
        raise PrivacyError(
            f"A secure sum of {len(part.sites)} sites must be finished by at least "
            f"{part.roster.threshold}, got {len(survivors)}. Nothing was revealed."
        )
    pairs = zip(part.sites, _open_all(part), strict=True)
    return [both[:LENGTH] if site in survivors else both[LENGTH:] for site, both in pairs]


def pair_key(private: bytes, roster: Roster, own: str, other: str) -> bytes:
    """Return the key of the mask that two sites have in common.

    Source: Bonawitz et al. 2017.
    """
    first, second = sorted([own, other])
    purpose = f"mask {first}\0{second}"
    public = roster.advert(other).mask
    return common_key(private, public, purpose=purpose, digest=roster.digest)


def sign_of(site: str, other: str) -> int:
    """Return 1 or -1: one of two sites adds their mask, the other takes it away.

    Source: own.
    """
    return 1 if site < other else -1


def _channel(part: Part, roster: Roster, sender: str, receiver: str) -> bytes:
    """Return the key that seals what one site says to another, by either of them."""
    other = receiver if sender == part.site else sender
    public = roster.advert(other).channel
    purpose = f"shares {sender}\0{receiver}"
    return common_key(part.channel, public, purpose=purpose, digest=roster.digest)


def _open_all(part: Part) -> list[bytes]:
    """Return the pair of shares that each site on the roster sealed for this one."""
    roster = part.roster
    if len(part.sealed) != len(roster.sites):
        raise PrivacyError(f"Shares must come from every site on the roster. {LATE}")
    return [
        _open(part, roster, sender, content)
        for sender, content in zip(roster.sites, part.sealed, strict=True)
    ]


def _open(part: Part, roster: Roster, sender: str, content: bytes) -> bytes:
    try:
        key = _channel(part, roster, sender, part.site)
        both = unseal(key, content, digest=roster.digest)
    except InvalidTag:
        both = b""
    if len(both) != 2 * LENGTH:
        raise PrivacyError(
            f"Shares must be sealed by their site for this very sum, got others in the name of "
            f"'{sender}'. {LATE}"
        )
    return both
