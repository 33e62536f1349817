import numpy as np
import pytest

from fusion.interaction.quantities import (
    additive_part,
    blocks,
    coalition_names,
    pair_names,
    products,
    quantities,
)


def test_a_patient_becomes_the_numbers_by_hand():
    # v = 2, 3, 5, 7: m = 1, 3, 1; matrix 1, .5, .5, 3 sums to 5; additive 2 + 1 + 3 = 6
    row = quantities(np.array([[2.0, 3, 5, 7]]), 2.0)[0]
    got = {name: row[place] for name, place in blocks(2).items()}
    expected = {
        "local": [0.2, 0.2, 0.6], "published": [1 / 11, 3 / 11, 7 / 11], "moebius": [0.2, 0.2, 0.6],
        "signs": [0.2, 0, 1, 0, 0], "pairs": [0.2], "ratio": [1, 0, 1, 3], "global": [1, 0.5, 3],
        "dividends": [1, 3, 1], "sizes": [1, 3, 1], "variance": [4, 1, 16, 4, 1],
    }  # fmt: skip
    for name, numbers in expected.items():
        np.testing.assert_allclose(got[name], numbers, atol=1e-12)


@pytest.mark.parametrize(("v", "signs"), [
    ([0.0, 1, 1, 3], [1 / 3, 0, 1, 0, 0]),
    ([0.0, 1, 1, 1], [0, 1 / 3, 0, 1, 0]),
    ([0.0, 1, 1, 2], [0, 0, 0, 0, 0]),
    ([0.0, 0, 0, 0], [0, 0, 0, 0, 1]),
])  # fmt: skip
def test_the_sign_of_the_interaction_is_kept(v, signs):
    row = quantities(np.array([v]), 0.0)[0]
    np.testing.assert_allclose(row[blocks(2)["signs"]], signs, atol=1e-12)


@pytest.mark.parametrize("number", [2, 3, 4, 5])
def test_every_quantity_has_one_place(number):
    row = quantities(np.random.default_rng(1).normal(size=(4, 1 << number)), 0.0)
    places = blocks(number).values()
    assert [i for place in places for i in range(place.start, place.stop)] == [*range(row.shape[1])]


@pytest.mark.parametrize("number", [3, 4, 5])
def test_pairs_sum_to_the_local_interaction_share(number):
    row = quantities(np.random.default_rng(1).normal(size=(4, 1 << number)), 0.0)
    place = blocks(number)
    shares = row[:, place["local"]][:, 0]
    np.testing.assert_allclose(row[:, place["pairs"]].sum(axis=1), shares, atol=1e-12)
    np.testing.assert_allclose(row[:, place["signs"]][:, :2].sum(axis=1), shares, atol=1e-12)


def test_only_products_that_an_error_needs_are_summed():
    # M = 2 has 3+3+3+5+1+3+3 = 21 squares; ratio 4*5/2, global 3*4/2, variance 5*6/2 products
    rows, columns = products(2)
    assert len(rows) == 21 + 10 + 6 + 15
    assert (rows <= columns).all()


def test_names_follow_the_bits():
    names = ("slides", "rna", "cnv")
    assert coalition_names(names)[:5] == ("slides", "rna", "slides+rna", "cnv", "slides+cnv")
    assert pair_names(names) == ("slides+rna", "slides+cnv", "rna+cnv")


def test_the_additive_part_leaves_the_interaction_out():
    # v0 + m1 + m2 + m3 with v0 = 1 and single outputs 2, 3, 5: 1 + 1 + 2 + 4 = 8
    assert additive_part(np.array([[1.0, 2, 3, 9, 5, 9, 9, 9]])) == pytest.approx([8.0])
