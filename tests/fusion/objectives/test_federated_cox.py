import functools
import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from fusion.objectives.cox import CoxObjective, cox_loss
from fusion.objectives.federated_cox import FederatedCoxObjective, federated_cox_loss
from fusion.survival.bins import TimeGrid
from fusion.survival.risk_sets import risk_sums

TIES = ("efron", "breslow")
DAYS = TimeGrid(1.0, 1200)
QUARTERS = TimeGrid(91.3125, 60)


def draw(patients=60, *, seed=0):
    """No two patients leave on one day."""
    rng = np.random.default_rng(seed)
    time = rng.permutation(np.arange(1, 1000))[:patients] + rng.random(patients)
    event = torch.tensor(rng.random(patients) < 0.5)
    return torch.tensor(rng.normal(size=patients)), torch.tensor(time), event


def sums(eta, *, time, event, grid=DAYS):
    return risk_sums(
        eta.detach().double().numpy(), time=time.numpy(), event=event.numpy(), time_grid=grid
    )


def slope(loss, eta):
    eta = eta.clone().requires_grad_()
    value = loss(eta)
    value.backward()
    return value.item(), eta.grad


def pooled(eta, *, time, event, ties="efron"):
    return slope(lambda e: cox_loss(e, time=time, event=event, ties=ties), eta)


def federated(eta, *, time, event, site, grid=DAYS, merged=False):
    """Every site's loss and gradient, weighted by patients; others' sums are those of now."""
    names = np.unique(site)
    mine = {s: torch.tensor(site == s) for s in names}
    parts = {
        s: sums(eta[own], time=time[own], event=event[own], grid=grid) for s, own in mine.items()
    }
    parts = {s: p.without_small_bins() for s, p in parts.items()} if merged else parts
    total, gradient = 0.0, torch.zeros_like(eta)
    for s, own in mine.items():
        others = functools.reduce(lambda a, b: a + b, [p for n, p in parts.items() if n != s])
        told = {"time": time[own], "event": event[own], "others": others}
        loss, found = slope(lambda e, told=told: federated_cox_loss(e, **told), eta[own])
        share = int(own.sum()) / len(eta)
        total, gradient[own] = total + share * loss, share * found
    return total, gradient


def of(eta, *, day, event, others, ties="efron"):
    log_hazard, time = torch.tensor(eta, requires_grad=True), torch.tensor(day)
    return log_hazard, federated_cox_loss(
        log_hazard, time=time, event=torch.tensor(event), others=others, ties=ties
    )


def elsewhere(eta, *, day, event):
    return sums(torch.tensor(eta), time=torch.tensor(day), event=torch.tensor(event))


@pytest.mark.parametrize("seed", range(4))
def test_with_fresh_sums_and_fine_bins_the_sites_parts_add_up_to_the_pooled_loss(seed):
    eta, time, event = draw(seed=seed)
    site = np.random.default_rng(seed).integers(0, 3, len(eta))
    loss, gradient = pooled(eta, time=time, event=event)
    found, slopes = federated(eta, time=time, event=event, site=site)
    assert found == pytest.approx(loss, rel=1e-12)
    torch.testing.assert_close(slopes, gradient, rtol=1e-9, atol=1e-14)


def test_a_site_without_events_has_its_part_of_the_pooled_gradient_too():
    eta, time, event = draw()
    site = np.arange(60) % 3
    event[torch.tensor(site == 1)] = False
    _, gradient = pooled(eta, time=time, event=event)
    _, slopes = federated(eta, time=time, event=event, site=site)
    assert slopes[1::3].abs().max() > 1e-3
    torch.testing.assert_close(slopes, gradient, rtol=1e-9, atol=1e-14)


def test_an_own_event_is_compared_with_those_at_risk_elsewhere_by_hand():
    # hazard 1 here, 3 there: log(1 + 3); two patients share one event, so half an event is ours
    there = elsewhere([np.log(3.0)], day=[90.0], event=[False])
    eta, loss = of([0.0], day=[50.0], event=[True], others=there)
    loss.backward()
    assert loss.item() == pytest.approx(np.log(4) / 0.5)
    assert eta.grad.item() == pytest.approx((1 / 4 - 1) / 0.5)


def test_who_left_elsewhere_before_the_event_is_not_compared():
    there = elsewhere([np.log(3.0)], day=[20.0], event=[False])
    assert of([0.0], day=[50.0], event=[True], others=there)[1].item() == 0


def test_an_event_elsewhere_pulls_down_who_is_at_risk_here_by_hand():
    # an event of hazard 3 on day 20 sees hazard 1 of ours too: slope 1 / (1 + 3)
    there = elsewhere([np.log(3.0)], day=[20.0], event=[True])
    eta, loss = of([0.0], day=[50.0], event=[False], others=there)
    loss.backward()
    assert loss.item() == 0
    assert eta.grad.item() == pytest.approx((1 / 4) / 0.5)


def test_an_event_elsewhere_says_nothing_of_who_had_left():
    there = elsewhere([0.0], day=[80.0], event=[True])
    eta, loss = of([0.0], day=[50.0], event=[False], others=there)
    loss.backward()
    assert eta.grad.item() == 0


def test_who_leaves_in_the_open_bin_was_there_for_half_of_its_events_by_hand():
    # hazard 1 of ours for one half, the event's own hazard 3: slope .5 / (.5 + 3)
    there = elsewhere([np.log(3.0)], day=[5000.0], event=[True])
    eta, loss = of([0.0], day=[9000.0], event=[False], others=there)
    loss.backward()
    assert eta.grad.item() == pytest.approx((0.5 / 3.5) / 0.5)


def test_efron_leaves_the_others_whole():
    # two tied events of hazard 1, hazard 2 elsewhere: log 4 + log(4 - 1/2 * 2); 3 of 3 patients
    # share 2 events, 2/3 of them are ours: 4/3
    there = elsewhere([np.log(2.0)], day=[90.0], event=[False])
    tied = {"day": [50.0, 50.0], "event": [True, True], "others": there}
    assert of([0.0, 0.0], **tied)[1].item() == pytest.approx(np.log(4 * 3) * 3 / 4)
    breslow = of([0.0, 0.0], **tied, ties="breslow")[1].item()
    assert breslow == pytest.approx(np.log(4 * 4) * 3 / 4)


@pytest.mark.parametrize("ties", TIES)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_without_other_sites_it_is_cox_bit_for_bit(ties, dtype):
    eta, time, event = draw()
    eta, time = eta.to(dtype), torch.ceil(time / 50)  # many ties
    found = slope(lambda e: FederatedCoxObjective(ties).loss(e, time=time, event=event), eta)
    cox = slope(lambda e: CoxObjective(ties).loss(e, time=time, event=event), eta)
    assert found[0] == cox[0]
    assert torch.equal(found[1], cox[1])


def test_a_common_shift_of_all_sites_changes_nothing_but_rounding():
    eta, time, event = draw()
    site = np.arange(60) % 4
    one = federated(eta, time=time, event=event, site=site, grid=QUARTERS, merged=True)
    other = federated(eta + 37.5, time=time, event=event, site=site, grid=QUARTERS, merged=True)
    assert other[0] == pytest.approx(one[0], rel=1e-10)
    torch.testing.assert_close(other[1], one[1], rtol=1e-8, atol=1e-12)


def test_a_site_cannot_lower_its_loss_by_raising_all_its_risks():
    """Its events gain, but so do its patients' shares in the risk sets of events elsewhere."""
    eta, time, event = draw()
    site = np.arange(60) % 4
    _, gradient = federated(eta, time=time, event=event, site=site)
    assert gradient.sum().item() == pytest.approx(0, abs=1e-14)


@pytest.mark.parametrize("ties", TIES)
def test_the_second_part_of_the_gradient_is_that_of_finite_differences(ties):
    eta, time, event = draw(16)
    own, there = slice(None, 8), slice(8, None)
    others = sums(eta[there], time=time[there], event=event[there], grid=QUARTERS)
    told = {"time": time[own], "event": event[own]}

    def whole(e):
        """The pooled likelihood as a function of one site's log hazards, others' held fixed."""
        rows = [torch.clamp((told["time"] - 91.3125 * k) / 91.3125, 0, 1) for k in range(59)]
        seen = torch.tensor(np.exp(others.at_risk_at_events()))
        pairs = [(others.events[k], (rows[k] * e.exp()).sum() + seen[k]) for k in range(59)]
        here = torch.tensor(others.at_risk(told["time"].numpy()))
        mine = cox_loss(e, **told, ties=ties, elsewhere=here) * told["event"].sum()
        return mine + sum(float(d) * torch.log(r) for d, r in pairs if d)

    known = int(event.sum()) / 2  # half of the patients stand for half of the events
    found = slope(lambda e: federated_cox_loss(e, **told, others=others, ties=ties), eta[own])[1]
    step = 1e-6 * torch.eye(8, dtype=torch.float64)
    numeric = [(whole(eta[own] + s) - whole(eta[own] - s)).item() / 2e-6 / known for s in step]
    torch.testing.assert_close(found, torch.tensor(numeric, dtype=eta.dtype), rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize("ties", TIES)
@pytest.mark.parametrize("ours", [-500.0, 0.0, 500.0])
@pytest.mark.parametrize("theirs", [-500.0, 500.0])
def test_extreme_risks_stay_finite_in_float32(ties, ours, theirs):
    eta, time, event = draw()
    there = sums(eta[:30] + theirs, time=time[:30], event=event[:30], grid=QUARTERS)
    told = {"time": time[30:], "event": event[30:], "others": there, "ties": ties}
    loss, gradient = slope(lambda e: federated_cox_loss(e, **told), (eta[30:] * 5 + ours).float())
    assert np.isfinite(loss)
    assert torch.isfinite(gradient).all()
    assert gradient.dtype == torch.float32


def test_no_event_anywhere_gives_zero_with_a_graph():
    there = elsewhere([0.0], day=[80.0], event=[False])
    eta, loss = of([0.0, 1.0], day=[50.0, 60.0], event=[False, False], others=there)
    loss.backward()
    assert (loss.item(), eta.grad.tolist()) == (0, [0, 0])


def test_nobody_here_gives_zero_beside_others():
    there = elsewhere([0.0], day=[80.0], event=[True])
    none = torch.zeros(0)
    found = federated_cox_loss(none, time=none, event=none.bool(), others=there)
    assert found.item() == 0


def test_the_objective_couples_patients_and_has_no_parameters():
    assert FederatedCoxObjective().couples_patients
    assert not list(FederatedCoxObjective().parameters())


def test_an_objective_beside_others_keeps_its_ties_and_leaves_the_first_alone():
    alone = FederatedCoxObjective("breslow")
    there = elsewhere([0.0], day=[80.0], event=[True])
    both = alone.beside(there)
    assert (both.within.ties, both.others, alone.others) == ("breslow", there, None)


@pytest.fixture
def glioma():
    """Real follow-up at the sites that submitted it, small ones together; log hazards by age."""
    if "CONCORD_DATA" not in os.environ:
        pytest.skip("CONCORD_DATA does not name the real cohorts")
    table = pd.read_csv(Path(os.environ["CONCORD_DATA"]) / "tcga_gbmlgg" / "clinical.csv")
    table = table.drop_duplicates("case_id").dropna(subset=["age"])
    small = table["site"].map(table["site"].value_counts()) < 20
    age = table["age"].to_numpy(float)
    return torch.tensor((age - age.mean()) / age.std()), {
        "time": torch.tensor(table["survival_months"].to_numpy() * 30.4375),
        "event": torch.tensor(table["censorship"].to_numpy() == 0),
        "site": table["site"].where(~small, "small").to_numpy(str),
    }


@pytest.mark.data
@pytest.mark.parametrize(
    ("merged", "loss_bias", "slope_bias"), [(False, 0.001, 0.02), (True, 0.005, 0.06)]
)
def test_quarters_and_merged_bins_hardly_move_loss_and_gradient_of_real_follow_up(
    glioma, merged, loss_bias, slope_bias
):
    eta, told = glioma
    loss, gradient = pooled(eta, time=told["time"], event=told["event"])
    found, slopes = federated(eta, **told, grid=QUARTERS, merged=merged)
    assert found == pytest.approx(loss, abs=loss_bias)
    assert (slopes - gradient).norm() < slope_bias * gradient.norm()


@pytest.mark.data
def test_own_risk_sets_alone_miss_most_of_the_gradient_of_real_follow_up(glioma):
    eta, told = glioma
    _, gradient = pooled(eta, time=told["time"], event=told["event"])
    slopes = torch.zeros_like(eta)
    for name in np.unique(told["site"]):
        own = torch.tensor(told["site"] == name)
        time, event = told["time"][own], told["event"][own]
        share = int(event.sum()) / int(told["event"].sum())
        slopes[own] = share * pooled(eta[own], time=time, event=event)[1]
    assert (slopes - gradient).norm() > 0.4 * gradient.norm()
