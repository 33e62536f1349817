import numpy as np
import pytest
import torch

from fusion.errors import FederationError
from fusion.interaction.coalitions import coalition_values
from fusion.interaction.shares import interaction_matrix, local_shares

SIZES = {"slides": (2, 3), "rna": (1, 4), "clinical": (3, 1)}


def embeddings_of(names, patients=5, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return {n: torch.randn(patients, *SIZES[n], generator=generator).double() for n in names}


def zeros(names):
    return {name: torch.zeros(SIZES[name]).double() for name in names}


def late(embeddings):
    return sum(torch.tanh(tokens.sum(dim=(1, 2))) for tokens in embeddings.values())


def test_column_s_shows_the_modalities_whose_bits_are_set():
    given = {"slides": torch.full((1, 2, 3), 1.0), "rna": torch.full((1, 1, 4), 10.0)}
    hidden = {"rna": torch.full((1, 4), -10.0), "slides": torch.full((2, 3), -1.0)}
    values = coalition_values(lambda e: e["slides"][:, 0, 0] + e["rna"][:, 0, 0], given, hidden)
    # nothing, slides (bit 0), rna (bit 1), both
    np.testing.assert_array_equal(values, [[-11, -9, 9, 11]])


@pytest.mark.parametrize("number", [2, 3])
def test_fuses_once_a_coalition(number):
    names, calls = list(SIZES)[:number], []
    values = coalition_values(
        lambda e: calls.append(1) or late(e), embeddings_of(names), zeros(names)
    )
    assert values.shape == (5, 2**number)
    assert len(calls) == 2**number


@pytest.mark.parametrize(
    "background", [zeros(SIZES), {n: e[0] for n, e in embeddings_of(SIZES).items()}]
)
def test_late_fusion_audits_to_zero_under_every_background(background):
    values = coalition_values(late, embeddings_of(SIZES, seed=1), background)
    np.testing.assert_allclose(local_shares(values)[:, 0], 0, atol=1e-12)


def test_a_planted_product_is_the_only_interaction():
    names = ["slides", "rna"]
    given = embeddings_of(names)
    a, b = given["slides"].sum(dim=(1, 2)), given["rna"].sum(dim=(1, 2))
    values = coalition_values(
        lambda e: e["slides"].sum(dim=(1, 2)) * e["rna"].sum(dim=(1, 2)), given, zeros(names)
    )
    np.testing.assert_allclose(interaction_matrix(values)[:, 0, 1], a * b / 2, atol=1e-12)


def test_no_gradient_is_kept():
    weight = torch.ones((), dtype=torch.float64, requires_grad=True)
    names = ["slides", "rna"]
    given = {name: tokens.requires_grad_() for name, tokens in embeddings_of(names).items()}
    assert isinstance(coalition_values(lambda e: weight * late(e), given, zeros(names)), np.ndarray)


def test_float32_embeddings_are_fused_in_float64():
    names, seen = ["slides", "rna"], set()
    given = {name: tokens.float() for name, tokens in embeddings_of(names).items()}
    coalition_values(
        lambda e: seen.update(t.dtype for t in e.values()) or late(e), given, zeros(names)
    )
    assert seen == {torch.float64}


def test_one_modality_cannot_be_audited():
    with pytest.raises(FederationError, match=r"two or more modalities, got \['rna'\]"):
        coalition_values(late, embeddings_of(["rna"]), zeros(["rna"]))


def test_a_modality_without_background_is_named():
    with pytest.raises(FederationError, match="got none for 'rna'"):
        coalition_values(late, embeddings_of(["slides", "rna"]), zeros(["slides"]))


def test_a_background_of_another_shape_is_named():
    wrong = zeros(["slides"]) | {"rna": torch.zeros(1, 5).double()}
    with pytest.raises(FederationError, match=r"'rna' must have shape \(1, 4\), got \(1, 5\)"):
        coalition_values(late, embeddings_of(["slides", "rna"]), wrong)


def test_an_output_that_is_not_finite_is_counted():
    names = ["slides", "rna"]
    with pytest.raises(FederationError, match="got NaN or inf for 5 of 5 patients"):
        coalition_values(lambda e: late(e) * torch.inf, embeddings_of(names), zeros(names))
