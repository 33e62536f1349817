import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from fusion.errors import FederationError
from fusion.interaction.background import (
    EmbeddingSums,
    draw_donors,
    embedding_sums,
    zero_background,
)
from fusion.seeding import generator

SHAPES = {"slides": (2, 3), "omics": (1, 2)}


def cohort(patients=6, seed=0):
    generator = torch.Generator().manual_seed(seed)
    embeddings = {n: torch.randn(patients, *s, generator=generator) for n, s in SHAPES.items()}
    present = {name: torch.arange(patients) % 3 > 0 for name in SHAPES}
    return embeddings, present | {"omics": torch.ones(patients, dtype=torch.bool)}


def test_the_mean_is_over_patients_who_have_the_modality():
    # two of three patients have slides: (1 + 5) / 2 = 3; all have omics: (1 + 2 + 6) / 3 = 3
    slides = torch.tensor([1.0, 100.0, 5.0]).reshape(3, 1, 1)
    omics = torch.tensor([1.0, 2.0, 6.0]).reshape(3, 1, 1)
    present = {
        "slides": torch.tensor([True, False, True]),
        "omics": torch.ones(3, dtype=torch.bool),
    }
    mean = embedding_sums({"slides": slides, "omics": omics}, present).mean()
    assert {name: value.item() for name, value in mean.items()} == {"slides": 3.0, "omics": 3.0}


@given(st.integers(1, 5))
def test_sums_of_parts_are_the_sum_of_all(cut):
    embeddings, present = cohort()
    first, second = (
        embedding_sums(
            {n: e[part] for n, e in embeddings.items()}, {n: p[part] for n, p in present.items()}
        )
        for part in (slice(0, cut), slice(cut, None))
    )
    whole = embedding_sums(embeddings, present)
    np.testing.assert_allclose((first + second).to_array(), whole.to_array(), atol=1e-12)


def test_the_wire_keeps_every_number():
    sums = embedding_sums(*cohort())
    back = EmbeddingSums.from_array(sums.to_array(), SHAPES)
    np.testing.assert_array_equal(back.to_array(), sums.to_array())
    assert back.shapes == SHAPES
    assert back.counts == sums.counts


@pytest.mark.parametrize("spoil", [lambda a: a[:-1], lambda a: a * np.nan])
def test_a_vector_that_does_not_fit_is_refused(spoil):
    with pytest.raises(FederationError, match="must be 10 finite numbers"):
        EmbeddingSums.from_array(spoil(embedding_sums(*cohort()).to_array()), SHAPES)


def test_sums_of_other_sizes_do_not_add():
    other = EmbeddingSums({"slides": 1.0}, {"slides": np.zeros((2, 3))})
    with pytest.raises(FederationError, match="must agree in modalities and sizes"):
        embedding_sums(*cohort()) + other


def test_a_modality_that_nobody_has_is_named():
    embeddings, present = cohort()
    nobody = present | {"slides": torch.zeros(6, dtype=torch.bool)}
    with pytest.raises(FederationError, match=r"'slides' must come from .* got 0"):
        embedding_sums(embeddings, nobody).mean()


def test_the_zero_background_has_the_embeddings_shapes():
    background = zero_background(SHAPES)
    assert {name: tuple(value.shape) for name, value in background.items()} == SHAPES
    assert all(value.dtype == torch.float64 and not value.any() for value in background.values())


def test_donors_are_drawn_without_replacement_and_again_alike():
    first, again = (draw_donors(range(50, 90), 12, generator(1, "lyon")) for _ in range(2))
    assert first == again
    assert len(set(first)) == 12
    assert set(first) <= set(range(50, 90))
    assert first != draw_donors(range(50, 90), 12, generator(2, "lyon"))


def test_the_draw_does_not_depend_on_the_order_of_the_patients():
    assert draw_donors([7, 3, 9, 5], 2, generator(1)) == draw_donors([3, 5, 7, 9], 2, generator(1))


def test_a_site_with_fewer_gives_all_it_has():
    assert draw_donors([9, 4, 6], 100, generator(1)) == (4, 6, 9)


@pytest.mark.parametrize("complete", [[], [4]])
def test_a_lone_patient_is_no_donor(complete):
    assert draw_donors(complete, 100, generator(1)) == ()
