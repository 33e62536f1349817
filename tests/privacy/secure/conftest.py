"""A secure sum without a federation: sites that hand each other's messages on by themselves."""

from dataclasses import dataclass, field

import numpy as np
import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from privacy.secure.part import Part, begin, mask, reveal, share
from privacy.secure.roster import Roster
from privacy.secure.unmasking import unmask

RUN = 7


@dataclass
class Sum:
    """Some sites, each with its own words, up to the point that a test wants to look at."""

    words: dict[str, np.ndarray]
    identities: dict[str, ec.EllipticCurvePrivateKey] = field(default_factory=dict)
    parts: dict[str, Part] = field(default_factory=dict)
    masked: dict[str, np.ndarray] = field(default_factory=dict)
    sealed: dict[str, list[bytes]] = field(default_factory=dict)

    @property
    def peers(self):
        return {site: key.public_key() for site, key in self.identities.items()}

    @property
    def roster(self):
        names = tuple(sorted(self.words))
        return Roster(1, names, tuple(self.parts[name].advert for name in names))

    def begin(self, number=1):
        for site in sorted(self.words):
            key = self.identities.setdefault(site, ec.generate_private_key(ec.SECP384R1()))
            self.parts[site] = begin(site, identity=key, run=RUN, number=number)
        return self

    def share(self):
        roster = self.roster
        for site in roster.sites:
            found = share(self.parts[site], roster, peers=self.peers, run=RUN)
            self.parts[site], self.sealed[site] = found
        return self

    def sealed_for(self, site):
        place = self.roster.sites.index(site)
        return [self.sealed[sender][place] for sender in self.roster.sites]

    def mask(self, absent=()):
        for site in self.roster.sites:
            if site not in absent:
                sealed = self.sealed_for(site)
                found = mask(self.parts[site], self.words[site], sealed=sealed, label="x")
                self.parts[site], self.masked[site] = found
        return self

    def reveal(self, silent=()):
        survivors = list(self.masked)
        return {
            site: reveal(self.parts[site], survivors) for site in survivors if site not in silent
        }

    def total(self, silent=()):
        return unmask(self.masked, self.roster, self.reveal(silent))


@pytest.fixture
def added():
    """A sum over sites with random words."""

    def make(sites=3, length=5, seed=1):
        drawn = np.random.default_rng(seed)
        return Sum({f"s{n:02d}": drawn.integers(0, 2**64, length, np.uint64) for n in range(sites)})

    return make
