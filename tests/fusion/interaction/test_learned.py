"""What the audit finds in networks that learned uniqueness, redundancy and synergy.

Two bits are drawn as Gaussian vectors of mean +-.35, and the label is their exclusive or. With
`uniqueness` one modality holds both bits, with `redundancy` both do, with `synergy` each one.
"""

import numpy as np
import pytest
import torch

from fusion.interaction.coalitions import coalition_values
from fusion.interaction.figures import audit_figures
from fusion.interaction.tallies import audit_tally

SAMPLES, TRAINED, LATENT, WIDTHS = 20_000, 16_000, 50, {"first": 110, "second": 90}
EPOCHS, DONORS, AUDITED = 5, 100, 1000


def samples(kind):
    rng = np.random.default_rng(0)
    bits = rng.integers(0, 2, (SAMPLES, 2))
    vectors = [rng.normal(size=(SAMPLES, LATENT)) + 0.35 * (2 * bits[:, [k]] - 1) for k in (0, 1)]
    both = np.hstack(vectors)
    held = {
        "uniqueness": (both, rng.normal(size=both.shape)),
        "redundancy": (both, both),
        "synergy": tuple(vectors),
    }[kind]
    mixed = {
        name: latent @ rng.normal(size=(latent.shape[1], width)) / latent.shape[1] ** 0.5
        for latent, (name, width) in zip(held, WIDTHS.items(), strict=True)
    }
    return {n: torch.tensor(x)[:, None] for n, x in mixed.items()}, bits[:, 0] ^ bits[:, 1]


def network(width):
    layers = [torch.nn.Linear(width, 64), torch.nn.ReLU(), torch.nn.Linear(64, 64)]
    return torch.nn.Sequential(*layers, torch.nn.ReLU(), torch.nn.Linear(64, 1))


class Early(torch.nn.Module):
    """Probability of label 1 from both modalities side by side."""

    def __init__(self):
        super().__init__()
        self.joint = network(sum(WIDTHS.values()))

    def forward(self, tokens):
        return self.joint(torch.cat([x[:, 0] for x in tokens.values()], -1))[:, 0].sigmoid()


class Late(torch.nn.Module):
    """Mean of each modality's own probability."""

    def __init__(self):
        super().__init__()
        self.own = torch.nn.ModuleDict({n: network(width) for n, width in WIDTHS.items()})

    def forward(self, tokens):
        said = [self.own[n](x[:, 0])[:, 0].sigmoid() for n, x in tokens.items()]
        return torch.stack(said).mean(0)


def learned(model, tokens, label):
    tokens = {n: x[:TRAINED].float() for n, x in tokens.items()}
    target, step = torch.tensor(label[:TRAINED]).float(), torch.Generator().manual_seed(1)
    adam = torch.optim.Adam(model.parameters(), 1e-3)
    for _ in range(EPOCHS):
        for rows in torch.randperm(TRAINED, generator=step).split(200):
            chance = model({n: x[rows] for n, x in tokens.items()})
            loss = torch.nn.functional.binary_cross_entropy(chance, target[rows])
            adam.zero_grad()
            loss.backward()
            adam.step()
    return model.double().eval()


def audited(kind, architecture):
    """Accuracy on samples not trained on, and the audit of the predicted class' probability."""
    torch.manual_seed(0)
    tokens, label = samples(kind)
    model = learned(architecture(), tokens, label)
    tested = {n: x[-AUDITED:] for n, x in tokens.items()}
    donors = {n: x[:DONORS] for n, x in tokens.items()}
    chance = coalition_values(model, tested, donors)
    predicted = chance[:, -1:] > 0.5
    values = np.where(predicted, chance, 1 - chance)
    tally = audit_tally(
        values, modalities=tuple(WIDTHS),
        time=np.arange(1.0, AUDITED + 1), event=np.zeros(AUDITED, dtype=bool),
    )  # fmt: skip
    accuracy = (predicted[:, 0] == label[-AUDITED:]).mean()
    return accuracy, audit_figures(tally, {})["shares"]["global"]["value"]


@pytest.mark.parametrize(
    ("kind", "low", "high"),
    [("uniqueness", 0.0, 0.03), ("redundancy", 0.25, 0.60), ("synergy", 0.90, 1.0)],
)
def test_what_early_fusion_learned_is_what_the_data_held(kind, low, high):
    accuracy, interaction = audited(kind, Early)
    assert accuracy > 0.95
    assert low <= interaction <= high


def test_late_fusion_cannot_learn_synergy_and_the_audit_sees_none():
    accuracy, interaction = audited("synergy", Late)
    assert accuracy < 0.6
    assert interaction < 0.03
