import math

import numpy as np
import pytest

from fusion.errors import FederationError
from fusion.interaction.quantities import RATIOS, blocks, products, quantities
from fusion.interaction.sensitivity import SCALED, clipped, declared
from fusion.interaction.shares import dividends
from fusion.interaction.tallies import audit_tally

CLIP = 1.5
NAMES = ("slides", "rna", "cnv", "mutation", "clinical")


def adversaries(modalities):
    """Patients made to move a sum as far as they can; v(empty) = 0 for all, as a background does.

    Huge and tiny values, one coalition alone, one dividend alone, and chance.
    """
    size, rng = 1 << modalities, np.random.default_rng(modalities)
    single = np.eye(size)
    one_dividend = np.linalg.inv(dividends(np.eye(size)).T) @ single
    rows = [single, -single, one_dividend.T, -one_dividend.T, rng.normal(size=(10, size))]
    table = np.concatenate(rows)
    table = np.concatenate([table * scale for scale in (1.0, 1e6, 1e-11, CLIP, CLIP / 2)])
    table[:, 0] = 0.0
    return np.concatenate([table, np.zeros((1, size))])


def tally_of(values, clip=CLIP):
    modalities = NAMES[: values.shape[1].bit_length() - 1]
    time, event = np.arange(1.0, len(values) + 1), np.ones(len(values), dtype=bool)
    return audit_tally(values, modalities=modalities, time=time, event=event, clip=clip)


def moves(values, removed, clip=CLIP):
    """How far each block of the sums, and of their products, moves without one patient."""
    number = values.shape[1].bit_length() - 1
    a, b = tally_of(values, clip), tally_of(np.delete(values, removed, axis=0), clip)
    rows, _ = products(number)
    found = {}
    for name, place in blocks(number).items():
        mine = (rows >= place.start) & (rows < place.stop)
        found[name] = np.linalg.norm(a.sums[place] - b.sums[place])
        found[f"{name} products"] = np.linalg.norm(a.cross[mine] - b.cross[mine])
    return found | {"clipped": abs(a.clipped - b.clipped), "count": abs(a.count - b.count)}


def bounds(scale=1.0, clip=CLIP):
    known = {name: scale * bound for name, bound in declared(clip).items()}
    return known | {f"{name} products": bound**2 for name, bound in known.items()}


def worst(modalities, clip=CLIP):
    """The farthest that any one adversary moves each part, among three other patients."""
    everyone = adversaries(modalities)
    others = np.random.default_rng(9).normal(size=(3, 1 << modalities))
    others[:, 0] = 0.0
    found = {}
    for patient in everyone:
        for name, move in moves(np.vstack([others, patient]), 3, clip).items():
            found[name] = max(found.get(name, 0.0), move)
    return found


@pytest.fixture(scope="module", params=[2, 3])
def moved(request):
    return worst(request.param)


def test_no_patient_moves_a_sum_by_more_than_is_declared(moved):
    for name, move in moved.items():
        assert move <= bounds()[name] * (1 + 1e-9), name


@pytest.mark.parametrize("name", [
    "local", "published", "moebius", "pairs", "ratio", "global", "dividends", "sizes", "variance",
    "clipped", "count", "local products", "ratio products", "variance products",
])  # fmt: skip
def test_no_smaller_bound_would_hold(moved, name):
    """Nine tenths of what is declared is passed by somebody: a wrong bound would be caught."""
    assert moved[name] > bounds(0.9)[name] * (1 + 1e-9)


def test_the_signs_of_a_patient_are_at_most_two_flags_or_fractions_and_one(moved):
    # synergy alone: fraction 1, flag above 0: length sqrt(2)
    assert moved["signs"] == pytest.approx(math.sqrt(2)) == declared(CLIP)["signs"]


def test_an_uninformative_patient_can_have_an_interaction_and_still_two_flags():
    # M = 3: m(ij) = 3a, m(123) = -6a: every pair entry 3a/2 - 6a/4 = 0; m(i) = -a, so that
    # phi_ii = m(i) + 2 * 3a/2 - 6a/3 = 0. Nothing is above 0, yet 3 * 3a - 6a = 3a is left
    game = np.zeros((1, 8))
    game[0, [1, 2, 4]], game[0, [3, 5, 6]], game[0, 7] = -1.0, 3.0, -6.0
    values = np.linalg.solve(dividends(np.eye(8)).T, game.T).T
    signs = quantities(values, 0.0)[0, blocks(3)["signs"]]
    assert signs.tolist() == [0, 0, 1, 0, 1]
    assert np.linalg.norm(signs) <= declared(CLIP)["signs"]


def test_without_clipping_nothing_bounds_the_scaled_blocks():
    free = declared(0.0)
    assert all(free[name] == math.inf for name in (*SCALED, "variance", "pairs of patients"))
    values = np.random.default_rng(1).normal(size=(4, 4)) * [[1], [1], [1], [1e6]]
    assert moves(values, 3, clip=0.0)["ratio"] > 1e5


def test_pair_counts_move_with_the_number_of_patients():
    values = np.random.default_rng(2).normal(size=(30, 4))
    without = tally_of(values[1:]).comparable
    assert tally_of(values).comparable - without == 29


def test_clipping_leaves_the_shares_and_the_relation_of_a_to_i():
    values = np.random.default_rng(3).normal(size=(20, 4)) * 5
    table = quantities(values, 0.0)
    cut, number = clipped(table, modalities=2, clip=CLIP)
    places = blocks(2)
    for name in ("local", "published", "moebius", "signs", "pairs"):
        assert (cut[:, places[name]] == table[:, places[name]]).all()
    a, i, aa, ai, ii = cut[:, places["variance"]].T
    np.testing.assert_allclose([aa, ai, ii], [a * a, a * i, i * i])
    assert number == 20


def test_who_is_within_the_bound_is_left_alone():
    # |dividends| of (0, 1, 1, 2): 1, 1, 0: length 1.414; A = 2, I = 0: length 2
    table = quantities(np.array([[0.0, 1, 1, 2]]), 0.0)
    for clip, expected in ((2.0, 0), (1.9, 1), (0.0, 0)):
        cut, number = clipped(table, modalities=2, clip=clip)
        assert number == expected
        assert (cut == table).all() == (number == 0)


def test_a_negative_clip_is_refused():
    with pytest.raises(FederationError, match=r"Clip must be >= 0, got -1\.0\. Use 0"):
        clipped(np.zeros((1, 33)), modalities=2, clip=-1.0)


def test_every_block_and_head_of_a_tally_is_declared():
    assert set(blocks(2)) | {"count", "excluded", "clipped"} <= set(declared(1.0))
    assert set(RATIOS) <= set(declared(1.0))
