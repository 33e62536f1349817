"""Gradients of single patients, and what one patient can do to a step, for every model."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from scipy.stats import kstest
from torch import nn

import privacy.engine
from fusion.objectives.cox import cox_loss
from privacy.engine import ENGINES, NoisyGradient, clipped_sum, draw_patients
from privacy.errors import PrivacyError
from privacy.factors import Product
from privacy.plan import PrivacyPlan
from privacy.randomness import SystemRandomness

KINDS = pytest.mark.parametrize(
    ("objective", "pooling"), [("discrete-time", "mean"), ("piecewise-exponential", "attention")]
)
HOOKS = pytest.mark.filterwarnings("ignore:Full backward hook is firing:UserWarning")
PLAN = PrivacyPlan(noise_multiplier=2.0, max_grad_norm=0.5, steps=10, delta=1e-3, public_size=50)
ROUNDING = 1 + 1e-5
"""Gradients leave the engine in float32."""


class Silence:
    """No noise, and nobody is left out: what a step is without its randomness."""

    def uniform(self, number):
        return np.zeros(number)

    def normal(self, number):
        return np.zeros(number)


def written_out(value):
    return value.each() if isinstance(value, Product) else value


def summed(losses, patients, engine="factored"):
    """The clipped sum of a step as one vector, taken from what the optimiser would see."""
    NoisyGradient(losses, PLAN, engine=engine, randomness=Silence()).step(
        [patients] if len(patients["target:time"]) else []
    )
    vector = torch.cat([p.grad.flatten() for p in losses.parameters()]).double()
    losses.zero_grad()
    return vector * PLAN.expected_batch


def largest_change(losses, patients, pick, engine="factored"):
    """How far the sum moves, in units of the clip, when any one of the patients is left out."""
    whole = summed(losses, patients, engine)
    places = range(len(patients["target:time"]))
    without = [pick(patients, [p for p in places if p != left_out]) for left_out in places]
    moved = [(whole - summed(losses, rest, engine)).norm() for rest in without]
    return float(max(moved)) / PLAN.max_grad_norm


def adversarial(patients):
    """The second patient's data are as large as they can be, the last one's gradient infinite."""
    changed = {name: value.clone() for name, value in patients.items()}
    changed["input:omics"][1] = 1e6
    changed["target:time"][1], changed["target:event"][1] = 1e5, True
    changed["input:omics"][5] = 3e38
    changed["input:slides"][5, 0] = -3e38
    return changed


@HOOKS
@KINDS
def test_all_engines_give_each_patient_the_gradient_of_a_loop(
    losses_of, patients_for, pick_patients, model_name, objective, pooling
):
    losses = losses_of(model_name, objective, pooling=pooling)
    patients = patients_for(losses)
    expected = {name: [] for name, _ in losses.named_parameters()}
    for place in range(6):
        losses.zero_grad()
        losses(pick_patients(patients, [place])).sum().backward()
        for name, parameter in losses.named_parameters():
            expected[name].append(parameter.grad.clone())
    for engine in ENGINES:
        gradients, each = ENGINES[engine](losses, patients)
        assert gradients.keys() == expected.keys()
        for name, value in expected.items():
            found = written_out(gradients[name])
            torch.testing.assert_close(found, torch.stack(value), rtol=1e-3, atol=1e-4)
        torch.testing.assert_close(each, losses(patients).detach(), rtol=1e-4, atol=1e-5)


@KINDS
def test_no_patient_moves_the_clipped_sum_by_more_than_the_clip(
    losses_of, patients_for, pick_patients, model_name, objective, pooling
):
    losses = losses_of(model_name, objective, pooling=pooling)
    patients = adversarial(patients_for(losses))
    with_all = summed(losses, patients)
    assert torch.isfinite(with_all).all()
    for left_out in (0, 1, 5):
        rest = pick_patients(patients, [p for p in range(6) if p != left_out])
        assert (with_all - summed(losses, rest)).norm() <= PLAN.max_grad_norm * ROUNDING


@given(seed=st.integers(0, 2**16), scale=st.floats(1e-3, 1e4), place=st.integers(0, 5))
@hypothesis_settings(max_examples=6)
def test_whoever_the_patients_are_one_moves_the_sum_by_at_most_the_clip(
    seed, scale, place, gated, patients_for, pick_patients
):
    patients = patients_for(gated, seed)
    for name in ("input:omics", "input:slides", "target:time"):
        patients[name][place] *= scale
    assert largest_change(gated, patients, pick_patients) <= ROUNDING


@pytest.fixture(scope="module")
def cox():
    """Cox's loss, spread evenly over the patients so that it looks like a loss of each."""

    class Cox(nn.Module):
        def __init__(self):
            super().__init__()
            self.risk = nn.Linear(9, 1)
            nn.init.constant_(self.risk.weight, 0.3)

        def forward(self, patients):
            risk = self.risk(patients["input:omics"])[:, 0]
            loss = cox_loss(risk, time=patients["target:time"], event=patients["target:event"])
            return loss.expand(len(risk))

    return Cox()


@HOOKS
def test_the_test_of_neighbours_fails_for_cox(cox, gated, patients_for, pick_patients):
    patients = patients_for(gated)
    patients["target:time"] = torch.tensor([50.0, 250.0, 320.0, 800.0, 3000.0, 900.0]).double()
    patients["input:omics"] = 3 * torch.randn(6, 9, generator=torch.Generator().manual_seed(5))
    assert largest_change(cox, patients, pick_patients, "hooks") > 1.2


def test_a_missing_clip_is_caught(monkeypatch, gated, patients_for, pick_patients):
    def unclipped(gradients, **_):
        return {name: written_out(value).double().sum(0) for name, value in gradients.items()}

    monkeypatch.setattr(privacy.engine, "clipped_sum", unclipped)
    assert largest_change(gated, patients_for(gated), pick_patients) > 1.2


def test_clipping_patch_by_patch_is_caught(monkeypatch, gated, patients_for, pick_patients):
    def by_patch(gradients, *, patients, max_grad_norm):
        """Seven patches a patient, each clipped on its own."""
        alone = clipped_sum(gradients, patients=patients, max_grad_norm=max_grad_norm)
        return {name: 7 * value for name, value in alone.items()}

    monkeypatch.setattr(privacy.engine, "clipped_sum", by_patch)
    assert largest_change(gated, patients_for(gated), pick_patients) > 1.2


def test_patches_taken_for_patients_are_refused(gated, patients_for):
    class Flattened(nn.Module):
        def __init__(self):
            super().__init__()
            self.patch = nn.Linear(6, 1)

        def forward(self, patients):
            return self.patch(patients["input:slides"].flatten(0, 1))[:, 0]

    module, patients = Flattened(), patients_for(gated)
    for engine in ENGINES:
        with pytest.raises(PrivacyError, match=r"one of losses for each of \d patients, got \d+"):
            ENGINES[engine](module, patients)
    with pytest.raises(PrivacyError, match="gradients of 'w' for each of 6 patients, got 42"):
        clipped_sum({"w": torch.ones(42, 3)}, patients=6, max_grad_norm=1.0)


def test_the_sum_is_clipped_over_all_parameters_together():
    # norms: |(3, 4)| = 5 over both parameters, so 1/5 of it; |(0.3, 0.4)| = 0.5 stays; 0 stays
    gradients = {"a": torch.tensor([[3.0], [0.3], [0.0]]), "b": torch.tensor([[4.0], [0.4], [0.0]])}
    found = clipped_sum(gradients, patients=3, max_grad_norm=1.0)
    torch.testing.assert_close(found["a"], torch.tensor([0.9]).double())
    torch.testing.assert_close(found["b"], torch.tensor([1.2]).double())


def test_the_divisor_is_public_and_ignores_how_many_patients_there_are():
    module = nn.Linear(2, 1, bias=False)

    def step(patients):
        NoisyGradient(_Rows(module), PLAN, randomness=Silence()).step([{"x": patients}])
        return module.weight.grad[0]

    # each gradient is (3, 4), clipped to 0.5 * (0.6, 0.8); 50 is the public size
    torch.testing.assert_close(step(torch.tensor([[3.0, 4.0]])), torch.tensor([0.006, 0.008]))
    torch.testing.assert_close(step(torch.tensor([[3.0, 4.0]] * 3)), torch.tensor([0.018, 0.024]))


class _Rows(nn.Module):
    def __init__(self, inner):
        super().__init__()
        self.inner = inner

    def forward(self, patients):
        return self.inner(patients["x"])[:, 0]


def noise_of_a_step(plan=PLAN):
    """The noise of a step that drew nobody, in units of the clip: its standard deviation."""
    module = nn.Linear(20_000, 1, bias=False)
    NoisyGradient(module, plan).step([])
    return float((module.weight.grad.double() * plan.expected_batch / plan.max_grad_norm).std())


def test_a_step_that_draws_nobody_is_noise_as_strong_as_planned():
    # 20,000 values: the standard error of a deviation is 1 / sqrt(40,000) = 0.5 %
    assert noise_of_a_step() == pytest.approx(PLAN.noise_multiplier, rel=0.03)


def test_half_the_noise_is_caught(monkeypatch):
    whole = NoisyGradient._noise
    monkeypatch.setattr(NoisyGradient, "_noise", lambda self, like: whole(self, like) / 2)
    assert noise_of_a_step() != pytest.approx(PLAN.noise_multiplier, rel=0.03)


POISSON = PrivacyPlan(2.0, max_grad_norm=0.5, steps=10, delta=1e-3, sampling_rate=0.2)


def share_drawn():
    return len(draw_patients(range(20_000), POISSON)) / 20_000


def test_each_patient_is_drawn_with_the_planned_probability():
    # standard error sqrt(.2 * .8 / 20,000) = 0.28 %
    assert share_drawn() == pytest.approx(0.2, abs=0.02)
    assert draw_patients(range(100), POISSON) != draw_patients(range(100), POISSON)
    assert draw_patients([4, 2], PLAN) == [4, 2]


def test_a_wrong_sampling_rate_is_caught(monkeypatch):
    uniform = SystemRandomness.uniform
    monkeypatch.setattr(SystemRandomness, "uniform", lambda self, n: uniform(self, n) / 2)
    assert share_drawn() != pytest.approx(0.2, abs=0.02)


def test_noise_is_normal_and_of_the_system_alone():
    torch.manual_seed(1)
    np.random.seed(1)
    first = SystemRandomness().normal(20_001)
    torch.manual_seed(1)
    np.random.seed(1)
    assert not np.isin(SystemRandomness().normal(20_001), first).any()
    assert len(first) == 20_001
    assert kstest(first, "norm").pvalue > 1e-6
    assert kstest(SystemRandomness().uniform(20_000), "uniform").pvalue > 1e-6
