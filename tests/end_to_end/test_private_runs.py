"""Runs under record-level privacy, from the policies to the result; neighbours on the wire."""

import re
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from flwr.app import Context, RecordDict

from client.app import app as client_app
from client.site import forget_sites
from fusion.config import flatten
from fusion.errors import ConfigError, FederationError
from privacy.accountant import epsilon_of
from privacy.attacks import step
from privacy.errors import PrivacyError
from privacy.ledger import Ledger
from privacy.randomness import SystemRandomness
from server.inbox import to_record
from server.phases import conduct
from server.report.page import render
from server.schema import validate
from server.summary import summarise
from simulations.federation import InlineGrid

EXACT = ("counts", "train-loss", "validation", "reference", "test", "audit")


def entries_of(state, site):
    return Ledger(state / site / "ledger.sqlite").entries()


def lead_at(config, state, watch):
    """Lead a run whose sites keep their ledgers in one place, run after run."""
    sites = sorted(path for path in Path(config.sites).iterdir())
    nodes = [{"site": str(site), "state": str(state / site.name)} for site in sites]
    try:
        return conduct(InlineGrid(watch, nodes, flatten(config)), config)
    finally:
        forget_sites()


@pytest.fixture(scope="module")
def twice(hospitals, tiny, private, watching, write_policy, tmp_path_factory):
    """Two runs: bergen lets figures out, porto has budget for one run alone, lyon samples."""
    folder = tmp_path_factory.mktemp("private")
    sites, state = Path(shutil.copytree(hospitals, folder / "sites")), folder / "state"
    write_policy(sites / "bergen", exact=EXACT)
    write_policy(sites / "lyon", rate=0.5)
    write_policy(sites / "porto", limit=4.0)
    config, found = tiny(private, sites=sites), []
    for _ in range(2):
        watch = watching()
        found.append((lead_at(config, state, watch), watch.exchanges))
    return config, state, found


def site_of(result, name):
    return next(one for one in result["privacy"]["sites"] if one["name"] == name)


def test_a_run_spends_what_the_policies_planned_and_the_ledgers_say_so(twice):
    _, state, [(result, _), _] = twice
    validate(result)
    for name in ("bergen", "lyon", "porto"):
        told, charges = site_of(result, name), entries_of(state, name)[:2]
        assert [charge.events[0].count for charge in charges] == [2, 2]
        assert [charge.body["round"] for charge in charges] == [1, 2]
        events = [event for charge in charges for event in charge.events]
        assert told["run_epsilon"] == pytest.approx(epsilon_of(events, delta=1e-2), rel=1e-9)
        # the noise of a whole run was found at its start, to 0.1 %
        assert 3.98 < told["run_epsilon"] <= 4.0
        assert (told["steps"], told["planned_steps"], told["left"]) == (4, 4, None)
        assert told["run_epsilon_rdp"] >= told["run_epsilon"]
    assert (site_of(result, "lyon")["sampling_rate"], result["rounds"][1]["steps"]) == (0.5, 2)


def test_a_second_run_composes_and_a_site_over_its_budget_leaves(twice):
    _, state, [_, (result, _)] = twice
    events = [event for entry in entries_of(state, "bergen") for event in entry.events]
    assert sum(event.count for event in events) == 8
    told = site_of(result, "bergen")
    assert told["epsilon"] == pytest.approx(epsilon_of(events, delta=1e-2), rel=1e-9)
    assert told["epsilon"] > told["run_epsilon"] + 1
    gone = site_of(result, "porto")["left"]
    assert gone["round"] == 1
    assert re.match(r"Budget exhausted: round 1 would bring epsilon to \d", gone["reason"])
    assert [record["answered"] for record in result["rounds"][1:]] == [["bergen", "lyon"]] * 2
    assert "Site porto left in round 1: Budget exhausted" in result["privacy"]["statement"]
    assert [entry.kind for entry in entries_of(state, "porto")] == ["charge"] * 2 + ["refusal"] * 2


def test_the_report_shows_each_sites_budget_and_who_was_refused(twice):
    _, _, [(first, _), (second, _)] = twice
    assert site_of(first, "lyon")["planned_epsilon"] == 4.0
    page = re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", render(second)))
    assert re.search(r"bergen 4\.000 of 4 \d\.\d{3} of 8 \d\.\d{3} 0\.01 [\d.]+ 1 1 4 of 4 0", page)
    assert re.search(r"porto – – – – – – – – 2 ", page)
    assert "porto took no part from round 1 on: Budget exhausted" in page


def test_the_statement_names_what_left_outside_of_the_promise(twice):
    _, _, [(result, _), _] = twice
    told = result["privacy"]["statement"]
    assert "This run cost each patient at most epsilon 4.000 at delta 0.01" in told
    assert f"bergen: {', '.join(sorted(EXACT))} (" in told
    assert "lyon:" not in told
    assert [site["name"] for site in result["evaluation"]["sites"]] == ["bergen"]
    assert summarise(result).endswith("whether a folder could be read.")
    assert {s["name"]: s["patients"]["total"] for s in result["sites"]}["lyon"] == 12


def answers(config, exchanges, folder, state, *, number=1):
    """What a site in `folder` answers to the requests of a run, in their order."""
    context = Context(
        number, 1, {"site": str(folder), "state": str(state)}, RecordDict(), flatten(config)
    )
    try:
        return [client_app(one.request, context) for one in exchanges if one.site == "lyon"]
    finally:
        forget_sites()


def plain(reply):
    """All that a reply carries but the model and the keyed hash, as bytes."""
    facts = dict(reply.content["facts"])
    facts.pop("data-hash", None)
    sums = {name: array.data for name, array in reply.content["sums"].items()}
    return facts, dict(reply.content["figures"]), sums


def test_nothing_but_the_model_depends_on_a_patient(twice, tmp_path):
    config, _, [(_, exchanges), _] = twice
    own = Path(config.sites) / "lyon"
    other = Path(shutil.copytree(own, tmp_path / "lyon"))
    clinical = pd.read_csv(other / "clinical.csv")
    clinical.iloc[:-1].to_csv(other / "clinical.csv", index=False)
    first = answers(config, exchanges, own, tmp_path / "first")
    second = answers(config, exchanges, other, tmp_path / "second")
    assert len(first) == len(second) == 6
    for one, two in zip(first, second, strict=True):
        assert not one.has_error(), one.error
        assert plain(one) == plain(two)
    hashes = {one[0].content["facts"]["data-hash"] for one in (first, second)}
    assert len(hashes) == 2


def test_a_repeated_request_gets_the_stored_reply_and_costs_nothing(twice, tmp_path):
    config, _, [(_, exchanges), _] = twice
    folder = Path(config.sites) / "lyon"
    rounds = [one for one in exchanges if one.kind == "train"]
    first = answers(config, rounds, folder, tmp_path)
    charged = len(Ledger(tmp_path / "ledger.sqlite").entries())
    again = answers(config, rounds, folder, tmp_path)
    assert charged == len(Ledger(tmp_path / "ledger.sqlite").entries()) == 2
    for one, two in zip(first, again, strict=True):
        assert plain(one) == plain(two)
        for name, array in one.content["model"].items():
            assert array.data == two.content["model"][name].data
    fresh = answers(config, rounds, folder, tmp_path / "other")
    name = "model.fusion.head.layers.1.weight"
    assert fresh[0].content["model"][name].data != first[0].content["model"][name].data


def test_more_rounds_than_the_run_said_are_refused(twice, tmp_path):
    config, _, [(_, exchanges), _] = twice
    folder = Path(config.sites) / "lyon"
    one = next(e for e in exchanges if e.kind == "train" and e.site == "lyon")
    answers(config, [e for e in exchanges if e.kind == "train"], folder, tmp_path)
    told = one.request.content["request"]
    told["round"] = 3
    try:
        late = answers(config, [one], folder, tmp_path)[0]
    finally:
        told["round"] = 1
    assert "Rounds must follow each other up to 2" in late.error.reason
    # the same run under another of Flower's numbers, and its first round once more
    model = {
        name: array.numpy() + np.float32(0.01)
        for name, array in one.request.content["model"].items()
    }
    before, one.request.content["model"] = one.request.content["model"], to_record(model)
    try:
        refused = answers(config, [one], folder, tmp_path, number=2)[0]
    finally:
        one.request.content["model"] = before
    assert "at most the 4 steps of the site's policy, got 4 taken" in refused.error.reason


def test_a_resumed_run_still_names_what_left_before(tiny, governed, write_policy, private, lead):
    for site in governed.iterdir():
        write_policy(site, exact=("scaling",))
    config = tiny({**private, "data.scaling": "federated"}, sites=governed)
    lead(config)
    result = lead(replace(config, resume=True)).result
    assert all(site["exact_releases"] == ["scaling"] for site in result["privacy"]["sites"])
    assert "bergen: scaling | lyon: scaling" in result["privacy"]["statement"]


def test_donors_who_are_training_patients_are_refused(tiny, private):
    with pytest.raises(ConfigError, match=r"^audit\.background must not be marginal with privacy"):
        tiny({**private, "audit.background": "marginal"})


def without(governed):
    for site in governed.iterdir():
        (site / "policy.toml").unlink()


def test_a_private_run_without_policies_trains_nothing(tiny, private, governed, lead):
    without(governed)
    with pytest.raises(FederationError, match=r"must find a policy\.toml with budget\.max-epsilon"):
        lead(tiny(private, sites=governed))


def test_a_plain_run_needs_the_policys_word(tiny, governed, lead):
    with pytest.raises(FederationError, match=r"got budget\.non-private-training = false"):
        lead(tiny(sites=governed))


def test_a_loss_that_couples_patients_is_refused_before_anyone_is_asked(
    tiny, private, governed, watching
):
    watch = watching()
    config = tiny({**private, "objective.name": "cox"}, sites=governed)
    with pytest.raises(PrivacyError, match="got 'cox', which couples patients"):
        conduct(InlineGrid(watch, [], flatten(config)), config)
    assert watch.exchanges == []


def test_scaling_over_patients_is_refused_by_the_sites(tiny, private, governed, lead):
    with pytest.raises(
        FederationError, match=r"for 'scaling' in allowed\.exact-releases\. Set data"
    ):
        lead(tiny({**private, "data.scaling": "federated"}, sites=governed))


def test_a_site_refuses_a_coupled_loss_whatever_the_coordinator_says(twice, tmp_path):
    config, _, [(_, exchanges), _] = twice
    cox = replace(config, objective=replace(config.objective, name="cox"))
    one = next(e for e in exchanges if e.kind == "train" and e.site == "lyon")
    model = one.request.content["model"]
    baseline = model.pop("objective.baseline")
    try:
        refused = answers(cox, [one], Path(config.sites) / "lyon", tmp_path)[0]
    finally:
        model["objective.baseline"] = baseline
    assert "got 'cox', which couples patients" in refused.error.reason
    assert (
        not (tmp_path / "ledger.sqlite").exists()
        or not Ledger(tmp_path / "ledger.sqlite").entries()
    )
    assert np.isfinite(model["objective.baseline"].numpy()).all()


def test_a_site_whose_noise_is_half_of_what_it_counts_trains_and_charges_nothing(
    twice, tmp_path, monkeypatch
):
    config, _, [(_, exchanges), _] = twice
    whole = SystemRandomness.normal
    monkeypatch.setattr(SystemRandomness, "normal", lambda self, n: whole(self, n) / 2)
    step._checked.cache_clear()
    one = next(e for e in exchanges if e.kind == "train" and e.site == "lyon")
    refused = answers(config, [one], Path(config.sites) / "lyon", tmp_path)[0]
    assert "noise in clips" in refused.error.reason
    assert not Ledger(tmp_path / "ledger.sqlite").entries()
