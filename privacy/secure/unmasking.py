"""The coordinator's half of a secure sum: masked words and revealed shares into the total."""

import hashlib
from collections.abc import Mapping, Sequence

import numpy as np

from privacy.errors import PrivacyError
from privacy.secure.derivation import public_half
from privacy.secure.fixed_point import Words
from privacy.secure.masks import add_mask
from privacy.secure.part import pair_key, sign_of
from privacy.secure.roster import Roster
from privacy.secure.shares import LENGTH, recover


def unmask(
    masked: Mapping[str, Words], roster: Roster, revealed: Mapping[str, Sequence[bytes]]
) -> Words:
    """Return the sum of the words of all sites that added.

    Own masks are taken away with their recovered seeds. Pair masks between two sites that added
    have cancelled; those with a site that did not are made anew from its recovered key.

    Args:
        masked: Words of each site that added.
        roster: Who began the sum.
        revealed: Shares from sites that finished it, each in the roster's order.

    Raises:
        PrivacyError: Fewer sites than the threshold finished, or a share is wrong.

    Source: Bonawitz et al. 2017, CCS.
    """
    secrets = _secrets(masked, roster, revealed)
    total = np.zeros_like(next(iter(masked.values())))
    for words in masked.values():
        total += words
    for site, secret in secrets.items():
        if site in masked:
            add_mask(total, secret, sign=-1)
            continue
        for other in masked:
            key = pair_key(secret, roster, site, other)
            add_mask(total, key, sign=-sign_of(other, site))
    return total


def _secrets(
    masked: Mapping[str, Words], roster: Roster, revealed: Mapping[str, Sequence[bytes]]
) -> dict[str, bytes]:
    """Return each site's seed, or the key of its pair masks if it added nothing."""
    if len(revealed) < roster.threshold:
        raise PrivacyError(
            f"A secure sum of {len(roster.sites)} sites must be finished by at least "
            f"{roster.threshold}, got {len(revealed)}. Nothing of it can be read."
        )
    holders = {roster.sites.index(site) + 1: told for site, told in revealed.items()}
    found = recover(holders, threshold=roster.threshold)
    secrets = dict[str, bytes]()
    for site, secret in zip(roster.sites, found, strict=True):
        if secret is None or not _is_of(site, secret, roster, added=site in masked):
            raise PrivacyError(
                f"Shares of a secure sum must give the secret of '{site}', got another: a site "
                "sent wrong shares. The sum cannot be read."
            )
        secrets[site] = secret
    return secrets


def _is_of(site: str, secret: bytes, roster: Roster, *, added: bool) -> bool:
    """Return whether a recovered secret is the one that a site announced."""
    advert = roster.advert(site)
    if added:
        return hashlib.sha256(secret).digest() == advert.seed
    return public_half(secret) == advert.mask


def check_shares(told: Sequence[bytes], roster: Roster) -> None:
    """Raise unless a site revealed one share of each site on the roster.

    Raises:
        ValueError: It did not.

    Source: own.
    """
    if len(told) != len(roster.sites) or {len(share) for share in told} != {LENGTH}:
        raise ValueError(f"{len(roster.sites)} shares of {LENGTH} bytes are needed")
