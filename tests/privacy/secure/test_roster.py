from dataclasses import replace

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from privacy.errors import PrivacyError
from privacy.secure.part import begin, share
from privacy.secure.roster import Advert, Roster

RUN = 7


def shared(one, roster, site="s00", run=RUN):
    return share(one.parts[site], roster, peers=one.peers, run=run)


def exchanged(roster, site, advert):
    """The roster as a coordinator that swapped one site's keys would send it."""
    told = dict(zip(roster.sites, roster.adverts, strict=True)) | {site: advert}
    return replace(roster, adverts=tuple(told[name] for name in roster.sites))


def test_keys_swapped_by_the_coordinator_are_noticed(added):
    one = added().begin()
    own = ec.generate_private_key(ec.SECP384R1())
    swapped = begin("s01", identity=own, run=RUN, number=1).advert
    with pytest.raises(PrivacyError, match="got others in the name of 's01'"):
        shared(one, exchanged(one.roster, "s01", swapped))


@pytest.mark.parametrize("signature", [b"", b"\x30\x06\x02\x01\x01\x02\x01\x01"])
def test_unsigned_keys_are_refused(added, signature):
    one = added().begin()
    advert = replace(one.roster.advert("s01"), signature=signature).to_bytes()
    with pytest.raises(PrivacyError, match="must be signed by their site for this very sum"):
        shared(one, exchanged(one.roster, "s01", advert))


@pytest.mark.parametrize(("run", "number"), [(RUN, 2), (RUN + 1, 1)])
def test_keys_of_another_sum_or_another_run_are_refused(added, run, number):
    one = added().begin()
    replayed = begin("s01", identity=one.identities["s01"], run=run, number=number).advert
    with pytest.raises(PrivacyError, match="must be signed by their site for this very sum"):
        shared(one, exchanged(one.roster, "s01", replayed))


def test_one_sites_keys_do_not_pass_for_anothers(added):
    one = added().begin()
    with pytest.raises(PrivacyError, match="in the name of 's02'"):
        shared(one, exchanged(one.roster, "s02", one.parts["s01"].advert))


def test_a_site_that_nobody_here_knows_is_refused(added):
    one = added().begin()
    peers = {site: key for site, key in one.peers.items() if site != "s02"}
    with pytest.raises(PrivacyError, match="known here by its public key, got 's02'"):
        share(one.parts["s00"], one.roster, peers=peers, run=RUN)


def test_two_sites_are_too_few(added):
    one = added().begin()
    two = Roster(1, one.roster.sites[:2], one.roster.adverts[:2])
    with pytest.raises(PrivacyError, match="over 3 to 1024 sites, got 2"):
        shared(one, two)


def test_a_site_named_twice_is_refused(added):
    one = added().begin()
    twice = Roster(1, ("s00", "s01", "s01"), one.roster.adverts)
    with pytest.raises(PrivacyError, match="named once"):
        shared(one, twice)


def test_a_roster_without_the_sites_own_keys_is_refused(added):
    one, again = added().begin(), added()
    again.identities = one.identities
    again.begin()
    with pytest.raises(PrivacyError, match="must hold the site's own keys"):
        shared(one, again.roster)


def test_a_roster_comes_once(added):
    one = added().begin().share()
    with pytest.raises(PrivacyError, match="asked for once a sum"):
        shared(one, one.roster)


def test_a_key_that_fits_every_partner_is_refused(added):
    one = added().begin()
    weak = Advert(bytes(32), bytes(32), bytes(32))
    signed = weak.signed(one.identities["s01"], run=RUN, number=1, site="s01").to_bytes()
    with pytest.raises(PrivacyError, match="must be sound"):
        shared(one, exchanged(one.roster, "s01", signed))


def test_a_part_shows_no_secret(added):
    part = added().begin().parts["s00"]
    told = repr(part)
    assert all(repr(secret) not in told for secret in (part.mask, part.channel, part.seed))
