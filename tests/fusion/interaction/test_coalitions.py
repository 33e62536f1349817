import numpy as np
import pytest
import torch

import fusion.interaction.coalitions as coalitions
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


def mixed(embeddings):
    """Something that depends on every pair of modalities, row by row."""
    sums = [tokens.sum(dim=(1, 2)) for tokens in embeddings.values()]
    return torch.tanh(torch.stack(sums).prod(0)) + sums[0].exp().log1p() * sums[-1]


def brute_force(fuse, given, donors):
    """One patient, one coalition, one donor at a time."""
    names, patients = list(given), len(next(iter(given.values())))
    number = len(next(iter(donors.values())))
    values = np.zeros((patients, 2 ** len(names)))
    for patient in range(patients):
        for coalition in range(2 ** len(names)):
            for donor in range(number):
                shown = {
                    name: given[name][[patient]] if coalition & 2**bit else donors[name][[donor]]
                    for bit, name in enumerate(names)
                }
                values[patient, coalition] += fuse(shown).item() / number
    return values


@pytest.mark.parametrize("number", [2, 3])
def test_donors_equal_a_loop_over_patients_coalitions_and_donors(number):
    names = list(SIZES)[:number]
    given, donors = embeddings_of(names), embeddings_of(names, patients=4, seed=9)
    expected = brute_force(mixed, given, donors)
    np.testing.assert_allclose(coalition_values(mixed, given, donors), expected, atol=1e-13)


def test_the_mean_is_of_outputs_not_of_donors():
    # f = x1 x2; the donors' x2 is -1 or 3 (mean 1), their x1 2 or 4, the patient has (5, 7):
    # with nothing shown (-2 + 12) / 2 = 5, not 3 times 1; x1 gives 5 times 1, x2 7 times 3
    given = {"slides": torch.full((1, 1, 1), 5.0), "rna": torch.full((1, 1, 1), 7.0)}
    donors = {"slides": torch.tensor([[[2.0]], [[4.0]]]), "rna": torch.tensor([[[-1.0]], [[3.0]]])}
    values = coalition_values(lambda e: (e["slides"] * e["rna"])[:, 0, 0], given, donors)
    np.testing.assert_array_equal(values, [[5, 5, 21, 35]])


@pytest.mark.parametrize("block", [1, 7, 40, 10**9])
def test_blocks_bound_what_is_fused_at_once_and_change_nothing(monkeypatch, block):
    names, sizes = ["slides", "rna"], []
    given, donors = embeddings_of(names, patients=6), embeddings_of(names, patients=5, seed=2)
    whole = coalition_values(mixed, given, donors)
    monkeypatch.setattr(coalitions, "BLOCK", block)
    found = coalition_values(
        lambda e: sizes.append(sum(t.numel() for t in e.values())) or mixed(e), given, donors
    )
    np.testing.assert_allclose(found, whole, atol=1e-14)
    assert max(sizes) <= max(block, 2 * 3 + 4)  # at least one row of ten numbers


@pytest.mark.parametrize(("donors", "allowed"), [(1, 4), (100, 301)])
def test_a_patient_costs_at_most_three_fusions_a_donor_and_one(donors, allowed):
    names, rows = ["slides", "rna"], []
    background = embeddings_of(names, patients=donors, seed=3)
    coalition_values(
        lambda e: rows.append(len(e["rna"])) or late(e), embeddings_of(names, 50), background
    )
    # 2 R + 1 each, and R for the coalition of nobody, which all patients share
    assert sum(rows) == 50 * (2 * donors + 1) + donors <= 50 * allowed


def test_late_fusion_audits_to_zero_with_donors():
    donors = embeddings_of(SIZES, patients=7, seed=4)
    values = coalition_values(late, embeddings_of(SIZES, seed=1), donors)
    np.testing.assert_allclose(local_shares(values)[:, 0], 0, atol=1e-12)


def test_nobody_has_no_values_whatever_the_donors():
    given = embeddings_of(["slides", "rna"], patients=0)
    donors = embeddings_of(["slides", "rna"], patients=3)
    assert coalition_values(mixed, given, donors).shape == (0, 4)


@pytest.mark.parametrize("number", [2, 0])
def test_donors_that_are_not_the_same_patients_are_refused(number):
    donors = {
        "slides": torch.zeros(3 if number else 0, 2, 3).double(),
        "rna": torch.zeros(number, 1, 4).double(),
    }
    with pytest.raises(FederationError, match=r"as many donors for each modality, one or more"):
        coalition_values(late, embeddings_of(["slides", "rna"]), donors)
