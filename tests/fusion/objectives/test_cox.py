import math

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from lifelines import CoxPHFitter

from fusion.errors import ConfigError
from fusion.objectives.cox import CoxObjective, cox_loss
from fusion.survival.baseline import Baseline

TIES = ("efron", "breslow")


def draw(patients=40, *, seed=0, days=12):
    """Whole days, so that many events are tied."""
    rng = np.random.default_rng(seed)
    eta = torch.tensor(rng.normal(size=patients))
    time = torch.tensor(np.ceil(rng.exponential(days / 2, patients)).clip(1, days))
    return eta, time, torch.tensor(rng.random(patients) < 0.6)


def slow_cox(eta, *, time, event, ties):
    """Risk-set sums written out, one event after the other."""
    total = 0.0
    for moment in sorted(set(time[event].tolist())):
        dead = [i for i in range(len(eta)) if event[i] and time[i] == moment]
        at_risk = sum(math.exp(eta[j]) for j in range(len(eta)) if time[j] >= moment)
        tied = sum(math.exp(eta[i]) for i in dead)
        for place, i in enumerate(dead):
            left_out = place / len(dead) * tied if ties == "efron" else 0.0
            total += math.log(at_risk - left_out) - float(eta[i])
    return total / int(event.sum())


def fitted_by_lifelines(x, *, time, event, site=None):
    """Return lifelines' coefficient of x and its log partial likelihood (Efron) there."""
    table = pd.DataFrame({"x": x.numpy(), "time": time.numpy(), "event": event.numpy()})
    strata = None if site is None else ["site"]
    table = table if site is None else table.assign(site=site)
    fitter = CoxPHFitter().fit(table, "time", "event", strata=strata)
    return float(fitter.params_["x"]), fitter.log_likelihood_


THREE = {"time": torch.tensor([3.0, 2.0, 1.0]), "event": torch.ones(3, dtype=torch.bool)}


@pytest.mark.parametrize("ties", TIES)
def test_three_events_of_equal_risk(ties):
    # risk sets of 1, 2 and 3 patients: (log 1 + log 2 + log 3) / 3 = 1.7918 / 3
    expected = (math.log(1) + math.log(2) + math.log(3)) / 3
    assert cox_loss(torch.zeros(3), **THREE, ties=ties).item() == pytest.approx(expected)


def test_three_events_with_one_added_to_the_denominator():
    # a quarter of 1.7918
    found = cox_loss(torch.zeros(3), **THREE, added_events=1).item()
    assert found == pytest.approx(0.4479, abs=1e-4)


def test_two_tied_events_by_hand():
    # both at risk: efron log 2 + log(2 - 1/2 * 2), breslow log 2 + log 2
    tied = {"time": torch.ones(2), "event": torch.ones(2, dtype=torch.bool)}
    assert cox_loss(torch.zeros(2), **tied).item() == pytest.approx(math.log(2) / 2)
    assert cox_loss(torch.zeros(2), **tied, ties="breslow").item() == pytest.approx(math.log(2))


@pytest.mark.parametrize("ties", TIES)
@pytest.mark.parametrize("seed", range(5))
def test_the_loss_is_the_sum_over_risk_sets(ties, seed):
    eta, time, event = draw(seed=seed)
    found = cox_loss(eta, time=time, event=event, ties=ties).item()
    assert found == pytest.approx(slow_cox(eta, time=time, event=event, ties=ties), rel=1e-12)


@pytest.mark.parametrize("seed", range(3))
def test_efron_is_the_partial_likelihood_of_lifelines(seed):
    x, time, event = draw(60, seed=seed)
    slope, likelihood = fitted_by_lifelines(x, time=time, event=event)
    total = cox_loss(slope * x, time=time, event=event).item() * int(event.sum())
    assert -total == pytest.approx(likelihood, rel=1e-8)


@pytest.mark.parametrize("seed", range(3))
def test_the_sum_of_site_losses_is_the_stratified_likelihood_of_lifelines(seed):
    x, time, event = draw(60, seed=seed)
    site = np.arange(60) % 3
    slope, likelihood = fitted_by_lifelines(x, time=time, event=event, site=site)
    total = 0.0
    for one in (torch.tensor(site == name) for name in range(3)):
        loss = cox_loss(slope * x[one], time=time[one], event=event[one])
        total += loss.item() * int(event[one].sum())
    assert -total == pytest.approx(likelihood, rel=1e-8)
    pooled = cox_loss(slope * x, time=time, event=event).item() * int(event.sum())
    assert total < pooled  # fewer patients are compared with each other


def test_a_constant_shift_changes_nothing_but_rounding():
    eta, time, event = draw()
    moved = cox_loss(eta + 37.5, time=time, event=event).item()
    assert moved == pytest.approx(cox_loss(eta, time=time, event=event).item(), rel=1e-12)


@given(st.integers(0, 10_000), st.sampled_from(TIES))
def test_the_order_of_patients_is_irrelevant(seed, ties):
    eta, time, event = draw(12, seed=seed)
    mixed = torch.tensor(np.random.default_rng(seed).permutation(12))
    one = cox_loss(eta, time=time, event=event, ties=ties).item()
    other = cox_loss(eta[mixed], time=time[mixed], event=event[mixed], ties=ties).item()
    assert one == pytest.approx(other, rel=1e-9, abs=1e-12)


@given(st.integers(0, 10_000), st.sampled_from(TIES))
def test_the_gradient_sums_to_zero(seed, ties):
    eta, time, event = draw(12, seed=seed)
    eta.requires_grad_()
    cox_loss(eta, time=time, event=event, ties=ties).backward()
    assert eta.grad.sum().item() == pytest.approx(0, abs=1e-12)


@pytest.mark.parametrize("ties", TIES)
def test_the_gradient_is_that_of_finite_differences(ties):
    eta, time, event = draw(15, days=5)
    eta.requires_grad_()
    torch.autograd.gradcheck(lambda e: cox_loss(e, time=time, event=event, ties=ties), (eta,))


@pytest.mark.parametrize("ties", TIES)
@pytest.mark.parametrize("size", [90.0, 500.0])
def test_extreme_risks_stay_finite_in_float32(ties, size):
    _, time, event = draw()
    eta = (torch.randint(0, 2, (40,), generator=torch.Generator().manual_seed(1)) * 2 - 1) * size
    eta.requires_grad_()
    loss = cox_loss(eta, time=time, event=event, ties=ties)
    loss.backward()
    assert loss.dtype == torch.float32
    assert torch.isfinite(loss)
    assert torch.isfinite(eta.grad).all()


@pytest.mark.parametrize("ties", TIES)
def test_extreme_risks_have_the_loss_and_gradient_of_float64(ties):
    eta, time, event = draw()
    one = (eta * 150).float().requires_grad_()
    other = one.detach().double().requires_grad_()
    losses = [cox_loss(e, time=time, event=event, ties=ties) for e in (one, other)]
    [loss.backward() for loss in losses]
    assert losses[0].item() == pytest.approx(losses[1].item(), rel=1e-5)
    torch.testing.assert_close(one.grad.double(), other.grad, atol=1e-4, rtol=1e-3)


def test_no_events_give_zero_with_a_graph():
    eta = torch.randn(4, requires_grad=True)
    loss = cox_loss(eta, time=torch.ones(4), event=torch.zeros(4, dtype=torch.bool))
    loss.backward()
    assert (loss.item(), eta.grad.tolist()) == (0, [0, 0, 0, 0])


def test_nobody_gives_zero():
    none = torch.zeros(0)
    assert cox_loss(none, time=none, event=none.bool()).item() == 0


def test_a_patient_censored_before_every_event_says_nothing():
    eta, time, event = draw()
    fuller = [torch.cat([x, torch.tensor([y], dtype=x.dtype)]) for x, y in
              ((eta, 9.0), (time, 0.0), (event, False))]  # fmt: skip
    found = cox_loss(fuller[0], time=fuller[1], event=fuller[2]).item()
    assert found == pytest.approx(cox_loss(eta, time=time, event=event).item())


def test_a_patient_censored_at_an_event_is_at_risk():
    # risk set of both: log 2
    time, event = torch.ones(2), torch.tensor([True, False])
    assert cox_loss(torch.zeros(2), time=time, event=event).item() == pytest.approx(math.log(2))


def test_the_objective_couples_patients_and_has_no_parameters():
    objective = CoxObjective()
    assert objective.couples_patients
    assert not list(objective.parameters())


@pytest.mark.parametrize("ties", TIES)
def test_the_objective_uses_its_ties(ties):
    eta, time, event = draw()
    found = CoxObjective(ties).loss(eta, time=time, event=event)
    assert found == cox_loss(eta, time=time, event=event, ties=ties)


def test_survival_comes_from_the_baseline():
    # H0(365) = .5, eta = log 2: exp(-.5 * 2) = .3679
    baseline = Baseline(np.array([0.0, 365.0]), np.array([0.0, 0.5]))
    curves = CoxObjective().survival(np.log([1.0, 2.0]), times=np.array([365.0]), baseline=baseline)
    assert curves[:, 0] == pytest.approx([math.exp(-0.5), math.exp(-1)])


def test_survival_without_a_baseline_is_refused():
    with pytest.raises(ConfigError, match="survival must have a baseline, got none"):
        CoxObjective().survival(np.zeros(1), times=np.ones(1), baseline=None)
