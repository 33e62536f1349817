from itertools import chain, combinations, permutations
from math import factorial

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fusion.errors import FederationError
from fusion.interaction.shares import (
    dividends,
    interaction_matrix,
    local_shares,
    moebius_shares,
    published_shares,
    shapley,
)

LN2 = np.log(2.0)

# name: v over bitmasks, Shapley values, local, published, moebius interaction share
GAMES = {
    "x1 + 2 x2": ([0, 1, 2, 3], [1, 2], 0, 0, 0),
    "x1 x2": ([0, 0, 0, 1], [0.5, 0.5], 1, 1 / 3, 1),
    "x1 + x2 + x1 x2": ([0, 1, 1, 3], [1.5, 1.5], 1 / 3, 1 / 7, 1 / 3),
    "or": ([0, 1, 1, 1], [0.5, 0.5], 1 / 3, 1 / 3, 1 / 3),
    "xor": ([0, 1, 1, 0], [0, 0], 1 / 2, 1, 1 / 2),
    "xor, probability": ([0.5, 0.5, 0.5, 1], [0.25, 0.25], 1, 1 / 3, 1),
    "exp(ln2 (x1 + x2))": ([1, 2, 2, 4], [1.5, 1.5], 1 / 3, 1 / 7, 1 / 3),
    "the same as a log": ([0, LN2, LN2, 2 * LN2], [LN2, LN2], 0, 0, 0),
    "x1 x2 x3": ([0] * 7 + [1], [1 / 3] * 3, 3 / 4, 3 / 7, 1),
    "x1 x2 x3 x4": ([0] * 15 + [1], [1 / 4] * 4, 2 / 3, 1 / 2, 1),
    "x1 ... x5": ([0] * 31 + [1], [1 / 5] * 5, 5 / 8, 5 / 9, 1),
    "x1 + x2 + x3 + x1 x2": ([0, 1, 1, 3, 1, 2, 2, 4], [1.5, 1.5, 1], 1 / 4, 1 / 9, 1 / 4),
    "x1 - 2 x2 + 3 x3": ([0, 1, -2, -1, 3, 4, 1, 2], [1, -2, 3], 0, 0, 0),
    "exactly one of three": ([0, 1, 1, 0, 1, 0, 0, 0], [0, 0, 0], 1 / 2, 1, 3 / 4),
}


@pytest.fixture(params=GAMES.values(), ids=GAMES.keys())
def game(request):
    values, *expected = request.param
    return np.array([values], dtype=np.float64), *expected


@st.composite
def tables(draw):
    number, seed = draw(st.integers(2, 5)), draw(st.integers(0, 2**32 - 1))
    return np.random.default_rng(seed).normal(size=(3, 1 << number))


def marginal_contributions(v, number):
    """Shapley values and pair entries by their definitions, one coalition at a time."""
    phi, matrix = np.zeros(number), np.zeros((number, number))
    f = factorial
    for i in range(number):
        for s in subsets(set(range(number)) - {i}):
            gain = v[mask({*s, i})] - v[mask(s)]
            phi[i] += f(len(s)) * f(number - len(s) - 1) / f(number) * gain
    for i, j in permutations(range(number), 2):
        for s in subsets(set(range(number)) - {i, j}):
            second = v[mask({*s, i, j})] - v[mask({*s, i})] - v[mask({*s, j})] + v[mask(s)]
            weight = f(len(s)) * f(number - len(s) - 2) / (2 * f(number - 1))
            matrix[i, j] += weight * second
    np.fill_diagonal(matrix, phi - matrix.sum(axis=1))
    return phi, matrix


def subsets(items):
    return chain.from_iterable(combinations(sorted(items), size) for size in range(len(items) + 1))


def mask(coalition):
    return sum(1 << player for player in coalition)


def test_exact_games_give_their_shapley_values(game):
    values, phi, *_ = game
    np.testing.assert_allclose(shapley(values)[0], phi, atol=1e-12)


def test_exact_games_give_their_interaction_shares(game):
    values, _, local, published, moebius = game
    got = [f(values)[0, 0] for f in (local_shares, published_shares, moebius_shares)]
    np.testing.assert_allclose(got, [local, published, moebius], atol=1e-12)


@pytest.mark.parametrize(
    ("number", "pair", "own"), [(3, 1 / 4, -1 / 6), (4, 1 / 6, -1 / 4), (5, 1 / 8, -3 / 10)]
)
def test_a_pure_product_gives_its_matrix(number, pair, own):
    values = np.eye(1, 1 << number, (1 << number) - 1)
    expected = np.full((number, number), pair) + np.eye(number) * (own - pair)
    np.testing.assert_allclose(interaction_matrix(values)[0], expected, atol=1e-12)


def test_exactly_one_of_three_gives_its_matrix():
    matrix = interaction_matrix(np.array([[0.0, 1, 1, 0, 1, 0, 0, 0]]))[0]
    np.testing.assert_allclose(matrix, np.full((3, 3), -0.25) + 0.75 * np.eye(3), atol=1e-12)


def test_two_modalities_follow_the_closed_form():
    # v = 2, 3, 5, 7: m1 = 1, m2 = 3, m12 = 7 - 3 - 5 + 2 = 1; phi_12 = 1/2
    values = np.array([[2.0, 3, 5, 7]])
    np.testing.assert_allclose(dividends(values)[0], [2, 1, 3, 1], atol=1e-12)
    np.testing.assert_allclose(interaction_matrix(values)[0], [[1, 0.5], [0.5, 3]], atol=1e-12)
    np.testing.assert_allclose(local_shares(values)[0], [1 / 5, 1 / 5, 3 / 5], atol=1e-12)
    # phi = 1.5, 3.5, pair .5: over 5.5
    np.testing.assert_allclose(published_shares(values)[0], [1 / 11, 3 / 11, 7 / 11], atol=1e-12)


@given(tables())
def test_matrix_and_shapley_agree_with_the_definitions_in_a_loop(values):
    number = values.shape[1].bit_length() - 1
    phi, matrix = marginal_contributions(values[0], number)
    np.testing.assert_allclose(shapley(values)[0], phi, atol=1e-12)
    np.testing.assert_allclose(interaction_matrix(values)[0], matrix, atol=1e-12)


@given(tables())
def test_contributions_sum_to_what_all_modalities_add(values):
    whole = values[:, -1] - values[:, 0]
    np.testing.assert_allclose(shapley(values).sum(axis=1), whole, atol=1e-12)
    np.testing.assert_allclose(interaction_matrix(values).sum(axis=(1, 2)), whole, atol=1e-12)
    np.testing.assert_allclose(dividends(values)[:, 1:].sum(axis=1), whole, atol=1e-12)


@given(tables())
def test_the_matrix_is_symmetric(values):
    matrix = interaction_matrix(values)
    np.testing.assert_array_equal(matrix, matrix.transpose(0, 2, 1))


@given(tables(), st.integers(0, 4))
def test_a_dummy_modality_has_a_zero_row(values, place):
    dummy = place % (values.shape[1].bit_length() - 1)
    without = values[:, np.arange(values.shape[1]) & ~(1 << dummy)]
    np.testing.assert_allclose(interaction_matrix(without)[:, dummy], 0, atol=1e-12)
    for shares in (local_shares, published_shares, moebius_shares):
        np.testing.assert_allclose(shares(without)[:, 1 + dummy], 0, atol=1e-12)


@given(tables())
def test_modalities_that_do_the_same_get_the_same(values):
    # the mean over both numberings of the first two modalities treats them alike
    swapped = [s & ~3 | (s & 1) << 1 | (s & 2) >> 1 for s in range(values.shape[1])]
    alike = (values + values[:, swapped]) / 2
    matrix = interaction_matrix(alike)
    np.testing.assert_allclose(shapley(alike)[:, 0], shapley(alike)[:, 1], atol=1e-12)
    np.testing.assert_allclose(matrix[:, 0, 0], matrix[:, 1, 1], atol=1e-12)
    np.testing.assert_allclose(matrix[:, 0, 2:], matrix[:, 1, 2:], atol=1e-12)


@given(tables(), st.randoms(use_true_random=False))
def test_renumbering_the_modalities_renumbers_the_matrix(values, random):
    number = values.shape[1].bit_length() - 1
    order = random.sample(range(number), number)
    # modality k of the new numbering is modality order[k] of the old
    old = [sum(1 << order[k] for k in range(number) if s >> k & 1) for s in range(1 << number)]
    expected = interaction_matrix(values)[:, order][:, :, order]
    np.testing.assert_allclose(interaction_matrix(values[:, old]), expected, atol=1e-12)
    for shares in (local_shares, published_shares, moebius_shares):
        renumbered = shares(values)[:, [0, *(1 + place for place in order)]]
        np.testing.assert_allclose(shares(values[:, old]), renumbered, atol=1e-12)


@given(tables(), st.floats(0.1, 10), st.sampled_from([-1, 1]), st.floats(-5, 5))
def test_shares_ignore_the_scale_and_offset_of_the_output(values, scale, sign, offset):
    for shares in (local_shares, published_shares, moebius_shares):
        changed = shares(values * scale * sign + offset)
        np.testing.assert_allclose(changed, shares(values), atol=1e-9)


@given(tables())
def test_exp_of_the_output_changes_the_shares(values):
    for shares in (local_shares, published_shares, moebius_shares):
        assert np.abs(shares(np.exp(values)) - shares(values)).max() > 1e-6


@given(tables())
def test_shares_of_a_patient_sum_to_one(values):
    for shares in (local_shares, published_shares, moebius_shares):
        np.testing.assert_allclose(shares(values).sum(axis=1), 1, atol=1e-12)


@given(st.integers(0, 2**32 - 1))
def test_moebius_equals_local_for_two_modalities(seed):
    values = np.random.default_rng(seed).normal(size=(5, 4))
    np.testing.assert_allclose(moebius_shares(values), local_shares(values), atol=1e-12)


def test_a_patient_whom_no_modality_moves_has_share_zero():
    values = np.array([[0.3, 0.3, 0.3 + 1e-13, 0.3]])
    for shares in (local_shares, published_shares, moebius_shares):
        np.testing.assert_array_equal(shares(values), np.zeros((1, 3)))


@pytest.mark.parametrize("number", [2, 3, 4, 5])
def test_pair_entries_are_half_of_the_shapiq_interaction_index(number):
    shapiq = pytest.importorskip("shapiq")
    v = np.random.default_rng(number).normal(size=1 << number)
    bits = 1 << np.arange(number)
    computer = shapiq.ExactComputer(game=lambda x: v[(x * bits).sum(axis=1)], n_players=number)
    index, matrix = computer("SII", order=2), interaction_matrix(v[None])[0]
    for i, j in combinations(range(number), 2):
        assert 2 * matrix[i, j] == pytest.approx(index[(i, j)], abs=1e-12)


@pytest.mark.parametrize("columns", [1, 2, 3, 6])
def test_a_table_that_is_no_power_of_two_is_refused(columns):
    with pytest.raises(FederationError, match=rf"must have 2\^M columns .* got {columns}\."):
        dividends(np.zeros((2, columns)))
