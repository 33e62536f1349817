import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import chisquare

from privacy.errors import PrivacyError
from privacy.secure.part import mask, reveal
from privacy.secure.roster import threshold
from privacy.secure.unmasking import unmask
from tests.privacy.secure.conftest import Sum


def plain(one, sites=None):
    total = np.zeros_like(next(iter(one.words.values())))
    for site in sites or one.words:
        total += one.words[site]
    return total


def test_masks_cancel_exactly(added):
    one = added(sites=5).begin().share().mask()
    assert np.array_equal(one.total(), plain(one))


def test_whoever_added_counts_and_whoever_dropped_does_not(added):
    one = added(sites=5).begin().share().mask(absent=["s02"])
    assert np.array_equal(one.total(), plain(one, ["s00", "s01", "s03", "s04"]))


def test_a_site_that_added_and_then_fell_silent_still_counts(added):
    one = added(sites=5).begin().share().mask()
    assert np.array_equal(one.total(silent=["s01"]), plain(one))


@pytest.mark.parametrize(("sites", "least"), [(3, 3), (4, 3), (5, 4), (6, 5), (10, 7), (50, 34)])
def test_more_than_two_thirds_have_to_finish(sites, least):
    assert threshold(sites) == least


def test_masked_words_alone_are_uniform(added):
    one = added(sites=3, length=20_000)
    one.words["s00"][:] = 0  # nothing but masks is left to see
    one.begin().share().mask()
    counts = np.bincount(one.masked["s00"].view(np.uint8), minlength=256)
    # 160,000 bytes in 256 cells, 625 each: a fair die is beyond 1e-6 once in a million runs
    assert chisquare(counts).pvalue > 1e-6


def test_words_without_masks_fail_that_same_test(added):
    words = added(sites=3, length=20_000).words["s00"]
    words[:] = np.arange(20_000)
    assert chisquare(np.bincount(words.view(np.uint8), minlength=256)).pvalue < 1e-6


def test_pair_masks_alone_do_not_hide_a_site_that_is_claimed_to_have_dropped(added):
    """Why there is a second mask: the key of the pair masks is revealed for such a site."""
    one = added(sites=4).begin().share().mask()
    late, others = "s01", ["s00", "s02", "s03"]
    revealed = {site: reveal(one.parts[site], others) for site in others}
    heard = {site: one.masked[site] for site in others}
    assert np.array_equal(unmask(heard, one.roster, revealed), plain(one, others))
    # it has the late site's masked words, and the shares of its pair masks' key; not of its seed
    with pytest.raises(PrivacyError, match="wrong shares"):
        unmask(one.masked, one.roster, revealed)
    assert not np.array_equal(one.masked[late], one.words[late])


def test_no_two_honest_answers_hold_both_secrets_of_a_site(added):
    """Told by some sites that s01 is there and by others that it is gone: too few on one side."""
    one = added(sites=7).begin().share().mask()
    gone = [site for site in one.words if site != "s01"]
    there = list(one.words)
    for many in range(1, 6):
        told_gone = {site: reveal(one.parts[site], gone) for site in gone[:many]}
        told_there = {site: reveal(one.parts[site], there) for site in gone[many:]}
        assert min(len(told_gone), len(told_there)) < one.roster.threshold == 5


@pytest.mark.parametrize(("sites", "colluding"), [(3, 2), (4, 1), (5, 2), (10, 3), (50, 17)])
def test_no_lie_gathers_both_secrets_of_a_site(sites, colluding):
    """An honest site gives one share of each site, whatever it was told; a colluding one both."""
    honest, enough = sites - colluding, threshold(sites)
    splits = [(told + colluding, honest - told + colluding) for told in range(honest + 1)]
    assert all(min(gone, there) < enough for gone, there in splits)
    one_more = [(n + colluding + 1, honest - 1 - n + colluding + 1) for n in range(honest)]
    assert sites == 3 or any(min(gone, there) >= enough for gone, there in one_more)


def test_below_the_threshold_nothing_is_revealed(added):
    one = added(sites=4).begin().share().mask(absent=["s02", "s03"])
    for site in one.masked:
        with pytest.raises(PrivacyError, match="over 3 to 1024 sites, got 2"):
            reveal(one.parts[site], ["s00", "s01"])
    five = added(sites=5).begin().share().mask(absent=["s03", "s04"])
    with pytest.raises(PrivacyError, match="at least 4, got 3"):
        five.reveal()


def test_the_server_cannot_read_a_sum_that_too_few_finished(added):
    one = added(sites=4).begin().share().mask()
    with pytest.raises(PrivacyError, match="finished by at least 3, got 2"):
        one.total(silent=["s00", "s01"])


def test_a_wrong_share_is_noticed(added):
    one = added(sites=3).begin().share().mask()
    revealed = one.reveal()
    revealed["s01"][0] = bytes(66)
    with pytest.raises(PrivacyError, match="must give the secret of 's00'"):
        unmask(one.masked, one.roster, revealed)


def test_a_site_adds_once(added):
    one = added().begin().share().mask()
    with pytest.raises(PrivacyError, match="must add once"):
        mask(one.parts["s00"], one.words["s00"], sealed=one.sealed_for("s00"), label="y")


def test_a_site_reveals_nothing_that_it_did_not_add(added):
    one = added().begin().share()
    with pytest.raises(PrivacyError, match="asked for after the sum"):
        reveal(one.parts["s00"], list(one.words))


@pytest.mark.parametrize("survivors", [["s01", "s02", "s03"], ["s00", "s01", "s02", "who"]])
def test_a_site_reveals_only_for_a_sum_that_it_is_part_of(added, survivors):
    one = added(sites=4).begin().share().mask()
    with pytest.raises(PrivacyError, match="must be on the roster, this site with them"):
        reveal(one.parts["s00"], survivors)


def test_shares_of_another_sum_are_refused(added):
    one, old = added().begin().share(), added().begin().share()
    with pytest.raises(PrivacyError, match="Shares must be sealed by their site"):
        mask(one.parts["s00"], one.words["s00"], sealed=old.sealed_for("s00"), label="x")
    with pytest.raises(PrivacyError, match="from every site on the roster"):
        mask(one.parts["s00"], one.words["s00"], sealed=one.sealed_for("s00")[:2], label="x")


@settings(max_examples=15)
@given(st.integers(3, 7), st.integers(0, 2**32), st.data())
def test_any_sites_may_drop_as_long_as_enough_are_left(sites, seed, data):
    drawn = np.random.default_rng(seed)
    one = Sum({f"s{n}": drawn.integers(0, 2**64, 4, np.uint64) for n in range(sites)})
    most = sites - threshold(sites)
    absent = data.draw(st.sets(st.sampled_from(sorted(one.words)), max_size=most))
    one.begin().share().mask(absent=absent)
    assert np.array_equal(one.total(), plain(one, set(one.words) - absent))
