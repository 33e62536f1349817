import numpy as np
import pytest

from fusion.config import flatten
from fusion.errors import FederationError
from fusion.interaction.bootstrap import poisson_weights, replicates
from fusion.interaction.tallies import audit_tally
from server.audits import AUDIT, collect, readable_audit
from server.bootstrap import REPLICATES
from server.inbox import Answer
from server.phases import conduct
from server.schema import validate
from simulations.federation import InlineGrid, site_nodes

BOTH = ("slides", "omics")


def answer(site, values, *, number=100, **facts):
    time, event = np.arange(1.0, len(values) + 1), np.ones(len(values), dtype=bool)
    tally = audit_tally(values, modalities=BOTH, time=time, event=event)
    names = [f"{site}{row}" for row in range(len(values))]
    weights = poisson_weights(names, number=number, secret=b"secret")
    drawn = replicates(values, modalities=BOTH, weights=weights)
    sums = {AUDIT: tally.to_array()}
    sums |= {} if facts else {REPLICATES: drawn.to_array()}
    return Answer(
        site, {name.replace("_", "-"): told for name, told in facts.items()}, {}, sums, {}
    )


@pytest.fixture
def values():
    table = np.random.default_rng(1).normal(size=(60, 4))
    table[:, 0] = 0.0
    return table


def test_the_bootstrap_of_all_sites_is_that_of_their_patients_together(values):
    audit = collect([answer("a", values[:20]), answer("b", values[20:])], BOTH, 100)
    told = audit.figures()["shares"]["ratio"]["bootstrap"]
    assert told["replicates"] == 100
    assert set(told) == {"replicates", "reason", "interaction", *BOTH}
    own = [site["shares"]["ratio"]["bootstrap"]["interaction"] for site in audit.sites()]
    errors = [entry["standard_error"] for entry in own]
    assert told["interaction"]["standard_error"] < min(errors)


def test_a_site_without_replicates_leaves_the_whole_without_and_says_why(values):
    sent = [answer("a", values[:20]), answer("b", values[20:], not_resampled="too few patients")]
    audit = collect(sent, BOTH, 100)
    told = audit.figures()["shares"]["local"]["bootstrap"]
    assert told == {"replicates": 0, "reason": "1 of 2 sites: too few patients"}
    alone = {site["name"]: site["shares"]["local"]["bootstrap"] for site in audit.sites()}
    assert (alone["a"]["reason"], alone["b"]["reason"]) == (None, "1 of 1 sites: too few patients")


def test_without_a_bootstrap_nothing_is_said_of_one(values):
    assert "bootstrap" not in collect([answer("a", values)], BOTH).figures()["shares"]["local"]


@pytest.mark.parametrize("number", [0, 99, 101])
def test_another_number_of_replicates_than_asked_for_is_refused(values, number):
    with pytest.raises(FederationError, match=f"{number} replicates must be"):
        readable_audit(answer("a", values), BOTH, number)


@pytest.fixture(scope="module")
def resampled(tiny, lead):
    return lead(tiny({"audit.bootstrap": 100, "audit.clip": 0.01, "rounds": 1}))


def test_a_run_tells_the_bootstrap_of_every_share_and_site(resampled):
    audit = resampled.result["audit"]
    validate(resampled.result)
    for told in (audit, *audit["sites"]):
        for entry in told["shares"].values():
            assert entry["bootstrap"]["replicates"] > 0
    interaction = audit["shares"]["local"]["bootstrap"]["interaction"]
    assert interaction["low"] <= audit["shares"]["local"]["value"] <= interaction["high"]


def test_a_run_tells_the_share_of_patients_that_were_clipped(resampled, finished):
    audit = resampled.result["audit"]
    tallied = sum(site["clipped_share"] * site["patients"] for site in audit["sites"])
    assert audit["clipped_share"] == pytest.approx(tallied / audit["patients"])
    assert 0 < audit["clipped_share"] <= 1
    assert finished.result["audit"]["clipped_share"] == 0


def test_two_simulations_of_one_seed_draw_the_same_weights(tiny, lead, resampled):
    again = lead(tiny({"audit.bootstrap": 100, "audit.clip": 0.01, "rounds": 1}))
    assert again.result["audit"] == resampled.result["audit"]


def test_a_hospital_of_few_patients_sends_no_replicates(tiny, watching):
    """The nodes of a deployment, which say nothing of a simulation."""
    config, watch = tiny({"audit.bootstrap": 100, "rounds": 1}), watching()
    nodes = [{"site": node["site"], "state": node["state"]} for node in site_nodes(config)]
    result = conduct(InlineGrid(watch, nodes, flatten(config)), config)
    told = result["audit"]["shares"]["local"]["bootstrap"]["reason"]
    assert told.startswith("3 of 3 sites: the bootstrap needs more audited patients")
    sums = [name for seen in watch.exchanges for name in seen.reply.content.get("sums", {})]
    assert REPLICATES not in sums
    validate(result)
