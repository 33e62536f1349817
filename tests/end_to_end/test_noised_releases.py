"""Private runs whose figures come from noised sums, from the policies to the result."""

import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from flwr.app import Context, RecordDict

from client import noised_opening, noised_sums
from client.app import app as client_app
from client.site import forget_sites
from fusion.config import flatten
from privacy.accountant import epsilon_of
from privacy.events import PrivacyEvent
from privacy.ledger import Ledger
from privacy.mechanisms import Noise, noisy_sums
from privacy.releases import NOISED
from server.report.page import render
from server.schema import validate
from server.summary import summarise

NOISE = dict.fromkeys(NOISED, "gaussian:4") | {"counts": "laplace:4"}
NOISE |= {"audit": "gaussian:1.5", "background": "gaussian:1.5"}  # two dozen patients, after all
EXACT = ("counts", "scaling", "validation", "reference", "test", "audit")
ASKED = {
    "audit.every": 2, "data.scaling": "federated", "audit.background": "embedding-mean",
}  # fmt: skip


def entries_of(finished, site):
    return Ledger(finished.folder / "state" / site / "ledger.sqlite").entries()


def site_of(result, name):
    return next(one for one in result["privacy"]["sites"] if one["name"] == name)


@pytest.fixture(scope="module")
def run(hospitals, tiny, private, lead, write_policy, tmp_path_factory):
    """Lead a run of two rounds whose sites have these policies."""

    def run(changes=None, **policies):
        folder = tmp_path_factory.mktemp("noised") / "sites"
        sites = Path(shutil.copytree(hospitals, folder))
        for site in sites.iterdir():
            write_policy(site, **policies[site.name])
        return lead(tiny({**private, **ASKED, **(changes or {})}, sites=sites))

    return run


@pytest.fixture(scope="module")
def noised(run):
    """All of bergen and lyon leaves with noise; porto lets its figures out exactly."""
    policy = {"epsilon": 6.0, "limit": 6.0, "noised": NOISE}
    exact = {"epsilon": 6.0, "limit": 6.0, "exact": EXACT}
    return run(bergen=policy, lyon=policy, porto=exact)


def test_a_run_with_noised_releases_has_figures_that_say_so(noised):
    result = noised.result
    validate(result)
    pooled, audit = result["evaluation"]["pooled"], result["audit"]
    assert (pooled["noised"], audit["noised"]) == (True, True)
    marked = {site["name"]: site["noised"] for site in result["evaluation"]["sites"]}
    assert marked == {name: name != "porto" for name in marked}
    assert marked["porto"] is False
    assert {one["name"]: one["noised"] for one in audit["sites"]}["porto"] is False
    for site in ("bergen", "lyon"):
        assert site_of(result, site)["noised_releases"] == sorted(NOISED)
        assert site_of(result, site)["exact_releases"] == []
    assert site_of(result, "porto")["noised_releases"] == []
    assert site_of(result, "porto")["exact_releases"] == sorted(EXACT)


def test_each_noised_release_is_in_the_ledger_and_composed_within_the_policy(noised):
    entries = entries_of(noised, "bergen")
    told = [entry.body["release"] for entry in entries]
    # two rounds, each validated before; the last model too; audited there and at the end
    assert sorted(name for name in told if name) == sorted(
        ["counts", "scaling", "reference", "background", "test"]
        + ["validation"] * 3
        + ["audit"] * 2
    )
    assert told.count("") == 2
    events = [event for entry in entries for event in entry.events]
    account = site_of(noised.result, "bergen")
    assert account["run_epsilon"] == pytest.approx(epsilon_of(events, delta=1e-2), rel=1e-6)
    # the noise of training was found with the releases in: the run spends its epsilon, not more
    assert 5.9 < account["run_epsilon"] <= 6.0 * (1 + 1e-9)
    assert (account["steps"], account["planned_steps"]) == (4, 4)
    exact = site_of(noised.result, "porto")
    assert account["noise_multiplier"] > exact["noise_multiplier"]


def test_what_leaves_with_noise_is_named_inside_the_promise(noised):
    told = noised.result["privacy"]["statement"]
    listed = ", ".join(sorted(NOISED))
    assert f"left by the sites' own policies: bergen: {listed} | lyon: {listed} (" in told
    assert f"no epsilon bounds what they tell: porto: {', '.join(sorted(EXACT))} (" in told
    assert "with noise" in summarise(noised.result)
    assert render(noised.result).count('<span class="tag">with noise</span>') >= 3


def test_no_exact_sum_of_a_noised_site_is_on_the_wire(noised):
    for exchange in noised.exchanges:
        if exchange.site != "bergen":
            continue
        figures = exchange.reply.content["figures"]
        for name, array in exchange.reply.content["sums"].items():
            values, noise = array.numpy(), figures.get(f"noise:{name}")
            # noise on it, nobody in it, or (counts) rounded after the noise
            assert noise or not np.nan_to_num(values).any(), name


def answered(finished, exchange, state, folder=None):
    """What bergen answers to a request of a run, with its ledger in another place."""
    folder = folder or Path(finished.config.sites) / "bergen"
    node = {"site": str(folder), "state": str(state), "simulated": True}
    context = Context(1, 1, node, RecordDict(), flatten(finished.config))
    try:
        return client_app(exchange.request, context)
    finally:
        forget_sites()


def histogram(reply):
    return reply.content["sums"]["outcome-histogram"].numpy()


def test_noise_is_drawn_anew_and_a_repeated_request_gets_the_same_at_no_cost(noised, tmp_path):
    asked = next(e for e in noised.exchanges if e.site == "bergen" and "describe" in e.kind)
    first = histogram(answered(noised, asked, tmp_path / "first"))
    again = histogram(answered(noised, asked, tmp_path / "first"))
    other = histogram(answered(noised, asked, tmp_path / "other"))
    assert (first == again).all()
    assert len(Ledger(tmp_path / "first" / "ledger.sqlite").entries()) == 1
    # Laplace, four parts: deviation 4 * 4 * sqrt(2) = 22.6 on each of 21 x 2 x 2 cells
    spread = (first - other).std() / 2**0.5
    assert 0.5 * 22.6 < spread < 2.0 * 22.6


class Silence:
    """No noise at all: what is left is the sum that noise would hide."""

    def uniform(self, number):
        return np.zeros(number)

    def normal(self, number):
        return np.zeros(number)


def without(folder, row, place):
    """A copy of a site folder without one of its patients."""
    other = Path(shutil.copytree(folder, place / "bergen"))
    clinical = pd.read_csv(other / "clinical.csv", dtype=str)
    gone = clinical["patient"].unique()[row]
    clinical[clinical["patient"] != gone].to_csv(other / "clinical.csv", index=False)
    return other


def test_no_patient_moves_a_release_by_more_than_its_noise_is_for(noised, tmp_path, monkeypatch):
    found = []

    def silent(parts, noise):
        found.append((noise, noisy_sums(parts, noise, Silence())))
        return found[-1][1]

    for module in (noised_sums, noised_opening):
        monkeypatch.setattr(module, "noisy_sums", silent)
    asked = [e for e in noised.exchanges if e.site == "bergen" and e.kind != "train"]
    own = Path(noised.config.sites) / "bergen"
    folders = [own, *(without(own, row, tmp_path / str(row)) for row in (0, 7, 23))]
    for number, folder in enumerate(folders):
        for exchange in asked:
            assert not answered(noised, exchange, tmp_path / f"state{number}", folder).has_error()
    releases = len(found) // len(folders)
    # counts, scaling, validation, reference, background, test, and two audits
    assert releases == 8
    moved = []
    for place in range(releases, len(found)):
        noise, one = found[place % releases]
        gap = [
            (one[name].values - two.values) / two.deviation for name, two in found[place][1].items()
        ]
        moved.append(noise.length(np.concatenate(gap)[None])[0] * noise.deviation(1))
    # one sensitivity is one unit of noise, whatever the parts
    assert max(moved) <= 1 + 1e-9
    assert sum(one > 0.1 for one in moved) >= 10


def test_a_release_that_the_budget_has_no_room_for_is_withheld_and_the_run_goes_on(
    run, public_scaling
):
    plain = {"epsilon": 4.0, "limit": 8.0}
    costly = plain | {"noised": {"test": "gaussian:1"}, "epsilon": 6.0, "limit": 6.0}
    finished = run(
        {"audit.every": 0, "data.scaling": str(public_scaling)},
        bergen=costly,
        lyon=plain,
        porto=plain,
    )
    assert site_of(finished.result, "bergen")["noised_releases"] == ["test"]
    ledger = Ledger(finished.folder / "state" / "bergen" / "ledger.sqlite")
    asked = [e for e in finished.exchanges if e.site == "bergen" and e.kind == "evaluate"][-1]
    asked.request.content["request"]["risk-scale"] = 3.0  # another question: not the stored reply
    reply = answered(finished, asked, finished.folder / "state" / "bergen")
    told = list(reply.content["facts"]["withheld"])
    assert told[0].startswith("test: Budget exhausted: release 'test' would bring epsilon to ")
    assert not reply.content["sums"]["outcome-counts"].numpy().any()
    assert [entry.kind for entry in ledger.entries()][-1] == "refusal"


def test_with_almost_no_noise_the_figures_are_those_of_an_exact_run(run, monkeypatch):
    # noise of a millionth costs more epsilon than can be counted; its price is not the point here
    monkeypatch.setattr(
        Noise, "event", lambda _, count=1: PrivacyEvent("gaussian", 1e3, 1.0, count)
    )
    still = {"training.lr": 1e-12, "training.weight-decay": 0.0, "audit.every": 0}
    policy = {"epsilon": 4.0, "limit": 8.0}
    sites = ("bergen", "lyon", "porto")
    exact, found = (
        run(still, **dict.fromkeys(sites, policy | more)).result
        for more in ({"exact": EXACT}, {"noised": dict.fromkeys(NOISED, "gaussian:1e-6")})
    )
    alike(found["evaluation"]["pooled"], exact["evaluation"]["pooled"])
    for one, two in zip(found["audit"]["sites"], exact["audit"]["sites"], strict=True):
        for name in ("local", "published", "moebius"):
            alike_value(one["shares"][name], two["shares"][name])


def alike(found, exact):
    for name in ("patients", "events"):
        assert found[name] == exact[name]
    for name in ("concordance", "uno", "integrated_brier"):
        alike_value(found[name], exact[name])
        error = found[name]["standard_error"]
        assert error == pytest.approx(exact[name]["standard_error"], rel=1e-2), name


def alike_value(found, exact):
    assert found["value"] == pytest.approx(exact["value"], abs=1e-3)
