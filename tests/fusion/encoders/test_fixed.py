"""Vectors made short by directions that nobody's data chose."""

import torch

from fusion.encoders.fixed import FixedVector


def test_a_short_vector_stays_as_it_is_unless_it_is_an_outlier():
    encoder = FixedVector(4, width=8)
    values = torch.tensor([[1.0, 1.0, -1.0, 0.0], [30.0, 0.0, -40.0, 0.0]])
    # |(30, -40)| = 50 is cut to sqrt(4) = 2: (1.2, -1.6)
    expected = torch.tensor([[[1.0, 1.0, -1.0, 0.0]], [[1.2, 0.0, -1.6, 0.0]]])
    torch.testing.assert_close(encoder(values), expected)
    assert (encoder.tokens, encoder.width) == (1, 4)
    torch.testing.assert_close(encoder(torch.zeros(1, 4)), torch.zeros(1, 1, 4))


def test_the_directions_are_the_same_everywhere_and_no_part_of_the_model():
    torch.manual_seed(1)
    first = FixedVector(500, width=20)
    torch.manual_seed(2)
    torch.testing.assert_close(first.directions, FixedVector(500, width=20).directions)
    assert not first.state_dict()


def test_distances_between_patients_are_about_kept():
    normal = torch.randn(40, 600, generator=torch.Generator().manual_seed(1))
    values = 0.3 * normal  # short enough that nobody is cut
    tokens = FixedVector(600, width=300)(values)[:, 0] * (600 / 300) ** 0.5
    ratio = torch.pdist(tokens) / torch.pdist(values)
    # a squared distance over 300 directions has a relative deviation of sqrt(2 / 300) = 8 %
    assert float(ratio.min()) > 0.85
    assert float(ratio.max()) < 1.15
