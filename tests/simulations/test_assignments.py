from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fusion.errors import ConfigError
from fusion.seeding import generator
from simulations.assignments import ASSIGNMENTS, Deal, Followed, assign

EVEN = ("iid", "dirichlet-time", "censoring", "time")
KINDS = st.sampled_from(sorted(ASSIGNMENTS))


def cohort(number, seed=0):
    """Patients of whom about a third have an event; follow-up to 3,000 days, ties included."""
    rng = np.random.default_rng(seed)
    event = rng.random(number) < 0.35
    event[0] = True
    names = tuple(f"p{place:04d}" for place in range(number))
    return Followed(names, np.ceil(rng.uniform(0, 3000, number)), event)


def deal(sites=4, alpha=0.5, least=2, seed=1):
    return Deal(sites, alpha, least, seed)


def sizes(sites):
    return sites.value_counts().sort_index().tolist()


def unevenness(classes, sites):
    """Mean total variation distance between a site's shares of the classes and everybody's."""
    kinds = np.unique(classes)
    everybody = np.array([(classes == kind).mean() for kind in kinds])
    distances = [
        np.abs([(classes[sites == name] == kind).mean() for kind in kinds] - everybody).sum() / 2
        for name in np.unique(sites)
    ]
    return float(np.mean(distances))


def quarter(followed):
    edges = np.quantile(followed.time[followed.event], [0.25, 0.5, 0.75])
    return np.searchsorted(edges, followed.time)


@given(KINDS, st.integers(1, 9), st.integers(40, 90), st.floats(1e-6, 1e6), st.integers(0, 2**32))
def test_every_patient_gets_exactly_one_site_and_no_site_is_small(kind, sites, number, alpha, seed):
    followed = cohort(number)
    found = assign(kind, followed, deal(sites, alpha, least=4, seed=seed))
    assert tuple(found.index) == followed.patients
    assert set(found) == {f"site-{place + 1:02d}" for place in range(sites)}
    assert min(sizes(found)) >= 4


@pytest.mark.parametrize("kind", EVEN)
def test_sizes_differ_by_one_where_only_the_mixture_is_uneven(kind):
    # 43 patients over 4 sites: 43 = 3 * 11 + 10
    assert sizes(assign(kind, cohort(43), deal(4, alpha=0.1))) == [11, 11, 11, 10]


@pytest.mark.parametrize("kind", sorted(ASSIGNMENTS))
def test_the_seed_alone_decides(kind):
    one, again = (assign(kind, cohort(60), deal(seed=5)) for _ in range(2))
    assert one.equals(again)
    other = assign(kind, cohort(60), deal(seed=6))
    assert one.equals(other) == (kind == "time")


def test_by_time_the_first_site_has_the_shortest_follow_up():
    followed = cohort(60)
    found = assign("time", followed, deal(4)).to_numpy()
    spans = [followed.time[found == name] for name in np.unique(found)]
    assert [len(span) for span in spans] == [15] * 4
    for earlier, later in pairwise(spans):
        assert earlier.max() <= later.min()


def test_quantity_gives_the_least_and_shares_the_rest_by_dirichlet():
    drawn = 80 * generator(1, "partition", "quantity").dirichlet(np.full(4, 0.3))
    found = np.array(sizes(assign("quantity", cohort(100), deal(4, alpha=0.3, least=5))))
    assert found.sum() == 100
    # 100 patients, 4 x 5 given first: the 80 others as drawn, each rounded up or down
    assert (np.abs(found - 5 - drawn) < 1).all()


@given(st.integers(0, 2**32))
def test_quantity_is_even_with_a_large_alpha_and_one_sided_with_a_small_one(seed):
    even = sizes(assign("quantity", cohort(80), deal(4, alpha=1e6, least=5, seed=seed)))
    uneven = sizes(assign("quantity", cohort(80), deal(4, alpha=1e-3, least=5, seed=seed)))
    assert max(even) - min(even) <= 2
    assert max(uneven) > 40


@given(st.integers(0, 2**32))
def test_dirichlet_time_is_like_iid_with_a_large_alpha_and_skewed_with_a_small_one(seed):
    followed = cohort(240)
    classes = quarter(followed)
    # over draws: once in 64 all four sites of a small alpha prefer one class, and end up alike
    like, skewed = (
        [
            unevenness(classes, assign("dirichlet-time", followed, deal(4, alpha, seed=seed + n)))
            for n in range(5)
        ]
        for alpha in (1e6, 1e-2)
    )
    assert max(like) < 0.25
    assert np.mean(skewed) > np.mean(like)


@given(st.integers(0, 2**32))
def test_censoring_is_even_with_a_large_alpha_and_skewed_with_a_small_one(seed):
    followed = cohort(240)
    like, skewed = (
        unevenness(followed.event, assign("censoring", followed, deal(4, alpha, seed=seed)))
        for alpha in (1e6, 1e-2)
    )
    assert like < 0.25
    assert skewed > like


@given(st.integers(0, 2**32))
def test_censoring_falls_from_the_first_site_to_the_last(seed):
    # half have the event; Beta(.5, .5) at 1/8, 3/8, 5/8, 7/8 is sin^2(pi / 2 * quantile) =
    # .038, .309, .691, .962: of 60 patients a site 2, 19, 41 and 58 events, give or take the draws
    event = np.arange(240) % 2 == 0
    followed = Followed(tuple(f"p{n:03d}" for n in range(240)), np.arange(1.0, 241.0), event)
    found = assign("censoring", followed, deal(4, alpha=1.0, seed=seed)).to_numpy()
    events = np.array([event[found == name].sum() for name in np.unique(found)])
    assert np.abs(events - [2, 19, 41, 58]).max() <= 16
    assert (np.diff(events) > 0).all()


def test_a_small_alpha_fills_a_site_with_one_class():
    # 20 events, 20 censored, two sites: one gets all who were censored, the other all the events
    event = np.arange(40) % 2 == 0
    followed = Followed(tuple(f"p{n:02d}" for n in range(40)), np.arange(1.0, 41.0), event)
    found = assign("censoring", followed, deal(2, alpha=1e-9)).to_numpy()
    assert (found == np.where(event, "site-02", "site-01")).all()


def test_names_of_a_hundred_sites_sort_as_their_numbers():
    found = assign("iid", cohort(200), deal(100))
    assert sorted(set(found))[:2] == ["site-001", "site-002"]


@pytest.mark.parametrize(
    ("kind", "wanted", "match"),
    [
        ("iid", deal(0), "--sites must be at least 1, got 0"),
        ("quantity", deal(alpha=0.0), "--alpha must be a finite number > 0, got 0"),
        ("quantity", deal(alpha=float("nan")), "--alpha must be a finite number > 0, got nan"),
        ("quantity", deal(alpha=float("inf")), "--alpha must be a finite number > 0, got inf"),
        ("time", deal(5, least=9), "must leave each site 9 patients, got 5 sites for 44 patients"),
        ("irchlet", deal(), "--by must be registered, got 'irchlet'. Did you mean 'dirichlet-time"),
    ],
)
def test_a_deal_that_cannot_be_made_is_an_error(kind, wanted, match):
    with pytest.raises(ConfigError, match=match):
        assign(kind, cohort(44), wanted)


@pytest.mark.parametrize(
    ("kind", "event", "match"),
    [
        ("dirichlet-time", False, "must find an event to go by, got none"),
        ("censoring", False, "must find events and censorings, got only one of them"),
        ("censoring", True, "must find events and censorings, got only one of them"),
    ],
)
def test_outcomes_that_a_kind_cannot_go_by_are_an_error(kind, event, match):
    followed = Followed(("a", "b", "c"), np.array([1.0, 2.0, 3.0]), np.full(3, event))
    with pytest.raises(ConfigError, match=match):
        assign(kind, followed, deal(1))
