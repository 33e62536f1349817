"""What donors make of exact exclusive or: their chance imbalance looks like main effects."""

import numpy as np
import pytest
import torch

from fusion.interaction.coalitions import coalition_values
from fusion.interaction.shares import local_shares

DONORS = 1000
CELLS = torch.tensor([[0, 0], [0, 1], [1, 0], [1, 1]]).double()


def tokens(bits):
    return {name: bits[:, place, None, None] for place, name in enumerate(("slides", "rna"))}


def exclusive_or(embeddings):
    a, b = (part[:, 0, 0] for part in embeddings.values())
    return (a - b).abs()


def probability(values):
    """Probability of the class that the full model predicts, in place of that of class 1."""
    return np.where(values[:, -1:] > 0.5, values, 1 - values)


def of_counts(counts):
    """Values of patients of the four cells when so many donors are of each cell."""
    a, b = CELLS.long().numpy().T
    part = counts / counts.sum()
    share = part.reshape(2, 2)
    same = np.where(a == b, part[[0, 3]].sum(), part[[1, 2]].sum())
    return np.column_stack([same, share[:, b].sum(axis=0), share[a].sum(axis=1), np.ones(4)])


def test_two_thousand_patients_and_a_thousand_donors_follow_the_counts_of_the_donors():
    bits = CELLS[torch.arange(2000) % 4]
    random = np.random.default_rng(0)
    drawn = CELLS[torch.tensor(random.integers(0, 4, DONORS))]
    counts = np.array([(drawn == cell).all(dim=1).sum() for cell in CELLS])
    values = coalition_values(exclusive_or, tokens(bits), tokens(drawn))
    np.testing.assert_allclose(probability(values)[:4], of_counts(counts), atol=1e-12)
    np.testing.assert_allclose(values[:4], values[-4:], atol=1e-12)


@pytest.mark.parametrize(
    ("draw", "expected"),
    [
        # Donors who are other patients. With e the shares of donors less 1/2, each of variance
        # .25 / 1000, uncorrelated: m1 = e1 - e0, m2 = e2 - e0, sd .02236, mean size .01784;
        # m12 = 1/2 - e1 - e2 + e0. Share near .5 / (.5 + 2 * .01784) = .9334, exactly .9345.
        (lambda random: random.multinomial(DONORS, [0.25] * 4), 0.9345),
        # Donors drawn without replacement from the 2,000 balanced patients themselves: the
        # variance halves, mean size .01262: near .5 / .52523 = .9520, exactly .9526.
        (lambda random: random.multivariate_hypergeometric([500] * 4, DONORS), 0.9526),
    ],
)
def test_exclusive_or_scores_a_little_less_than_one_by_the_chance_of_the_donors(draw, expected):
    # One draw of donors has a standard deviation of .028 and .020, so a figure of one run, such
    # as .947, is no more than one draw: here 4,000 draws, standard error below .0005.
    random = np.random.default_rng(1)
    values = np.concatenate([of_counts(draw(random)) for _ in range(4000)])
    share = local_shares(values)[:, 0].reshape(4000, 4).mean(axis=1)
    assert share.mean() == pytest.approx(expected, abs=0.002)
    assert 0.018 < share.std() < 0.031
