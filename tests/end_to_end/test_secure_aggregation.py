"""Runs whose coordinator learns sums only: as plain ones, nothing in clear, sites dropping."""

import copy
import json

import numpy as np
import pytest
from flwr.app import ConfigRecord, Error, Message, RecordDict

from client.app import app as client_app
from fusion.config import flatten
from fusion.errors import ConfigError, FederationError
from fusion.npy import read_npy
from privacy.mods import REFUSED
from privacy.releases import leaves
from server.report.page import render
from simulations.federation import InlineGrid, site_nodes
from simulations.synthetic import make_hospitals

SECURE = {"privacy.secure-aggregation": True}


@pytest.fixture(scope="module")
def quartet(tmp_path_factory):
    folder = tmp_path_factory.mktemp("quartet") / "sites"
    make_hospitals(folder, sites=4, patients=20, seed=2)
    return folder


@pytest.fixture(scope="module")
def both(tiny, lead, quartet):
    """The same run in clear and added up."""
    changes = {"rounds": 1}
    return [lead(tiny({**changes, **more}, sites=quartet)) for more in ({}, SECURE)]


def numpy_of(record):
    return {n: read_npy(v.data, dtype=v.dtype, shape=tuple(v.shape)) for n, v in record.items()}


def updates_of(run, number, without=()):
    """Each site's weight and weights in one round, as a plain run shows them."""
    said = [e for e in run.exchanges if e.round == number and e.site not in without]
    return [
        (e.reply.content["figures"]["num-examples"], numpy_of(e.reply.content["model"]))
        for e in said
    ]


def sent_in(run, number):
    """The model that the sites were sent in one round, or after the last one."""
    kind = "train" if number <= run.config.rounds else "evaluate"
    sent = [e for e in run.exchanges if e.kind == kind and e.round in (number, 0)]
    return numpy_of(sent[0].request.content["model"])


def is_mean_of(model, updates):
    """Whether a model is the exact average but for float32 and the steps of the ring."""
    total = sum(weight for weight, _ in updates)
    for name, value in model.items():
        mean = sum(w * np.asarray(one[name], np.float64) for w, one in updates) / total
        # each site is off by 2^-33 at most, their mean by that over the mean weight (2 or more)
        room = 2.0**-34 + np.spacing(np.abs(mean).astype(np.float32))
        assert (np.abs(value - mean) <= room).all()


def test_the_averaged_model_is_the_plain_one(both):
    plain, secure = both
    is_mean_of(sent_in(secure, 2), updates_of(plain, 1))


@pytest.mark.parametrize("figure", ["concordance", "uno", "integrated_brier", "within_sites"])
def test_the_test_figures_are_those_of_the_plain_run(both, figure):
    plain, secure = (run.result["evaluation"]["pooled"][figure] for run in both)
    for key in ("value", "low", "high", "comparable_pairs"):
        # models that differ in the last digit may put a patient into the next risk bin
        assert secure.get(key) == pytest.approx(plain.get(key), abs=0.01)


def test_figures_of_the_same_model_are_exactly_those_of_the_plain_run(both):
    plain, secure = (run.result["rounds"][0] for run in both)
    assert secure["concordance"] == pytest.approx(plain["concordance"], abs=1e-12)
    assert secure["loss"]["validation"] == pytest.approx(plain["loss"]["validation"], abs=1e-12)
    assert secure["concordance"]["value"] is not None


def test_the_audit_is_that_of_the_plain_run(both):
    plain, secure = (run.result["audit"]["shares"]["local"] for run in both)
    assert secure["value"] == pytest.approx(plain["value"], abs=1e-5)
    assert secure["standard_error"] == pytest.approx(plain["standard_error"], abs=1e-5)


def test_nothing_about_patients_is_on_the_wire_in_clear(both):
    for exchange in both[1].exchanges:
        content = exchange.reply.content
        assert "model" not in content
        assert "control" not in content
        assert not content["sums"]
        names = [*content["facts"], *content["figures"]]
        assert {leaves(name) for name in names} <= {"clear"}, names


def test_a_sum_costs_two_exchanges_once_it_runs(both):
    """Describing, then keys and shares once, then two exchanges for each of six sums."""
    first = both[1].exchanges[0].site
    asked = [e.kind for e in both[1].exchanges if e.site == first]
    sums = ["query.counts", "query.scaling", "train", "evaluate", "query.reference"]
    expected = ["query.describe", "query.keys", "query.shares"]
    for kind in [*sums, "evaluate"]:
        expected += [kind, "query.unmask"]
    assert asked == expected


def test_the_result_tells_no_site_apart(both):
    result = both[1].result
    assert {site["patients"] for site in result["sites"]} == {None}
    assert result["totals"]["patients"]["total"] == 4 * 20
    assert result["evaluation"]["sites"] == []
    assert result["audit"]["sites"] == []
    assert any("sums over three sites or more only" in one for one in result["not_measured"])
    assert "their\nsums only" in render(result)


def losing(*lost):
    """A change that loses answers, named by site, question and round."""
    seen = {"round": 0}

    def change(exchange):
        seen["round"] = exchange.round or seen["round"]
        if (exchange.site, exchange.kind, seen["round"]) in lost:
            return Message(Error(code=7, reason="lost"), reply_to=exchange.request)
        return None

    return change


def test_sites_that_drop_in_the_middle(both, tiny, lead, quartet, watching):
    """Before its words came: it is left out. After: it counts, the others take its mask off."""
    first, second = sorted({e.site for e in both[0].exchanges})[:2]
    watch = watching(losing((first, "train", 1), (second, "query.unmask", 2)))
    run = lead(tiny({**SECURE, "rounds": 3}, sites=quartet), watch)
    rounds = run.result["rounds"]
    assert rounds[1]["failed"] == [{"site": first, "reason": "lost"}]
    assert len(rounds[1]["answered"]) == 3
    is_mean_of(sent_in(run, 2), updates_of(both[0], 1, without=[first]))
    assert len(rounds[2]["answered"]) == 4  # it is back with new keys
    assert len(rounds[3]["answered"]) == 4
    assert [e.kind for e in run.exchanges if e.site == first].count("query.keys") == 3


def test_a_round_of_too_few_is_given_up_and_asked_anew_with_new_keys(tiny, lead, watching):
    lost = iter([True])

    def change(exchange):
        if exchange.site == "lyon" and exchange.kind == "train" and any(lost):
            return Message(Error(code=7, reason="lost"), reply_to=exchange.request)
        return None

    run = lead(tiny({**SECURE, "rounds": 1}), watching(change))
    first = run.result["rounds"][1]
    assert (first["attempts"], len(first["answered"])) == (2, 3)
    kinds = [e.kind for e in run.exchanges if e.site == "porto"]
    given_up = kinds.index("train")
    again = ["query.keys", "query.shares", "train", "query.unmask"]
    assert kinds[given_up + 1 : given_up + 5] == again  # nothing revealed of the first attempt


def test_a_site_that_refuses_leaves_too_few_and_the_model_as_it_was(tiny, lead, watching):
    def change(exchange):
        if exchange.site == "lyon" and exchange.round == 1:
            return Message(Error(code=REFUSED, reason="no"), reply_to=exchange.request)
        return None

    run = lead(tiny({**SECURE, "rounds": 2}), watching(change))
    first = run.result["rounds"][1]
    assert (first["accepted"], first["answered"]) == (False, [])
    reasons = {one["site"]: one["reason"] for one in first["failed"]}
    assert reasons["porto"] == "a secure sum of 3 sites needs 3, got 2"
    assert reasons["lyon"] == "no"
    before, after = sent_in(run, 1), sent_in(run, 2)
    assert all(np.array_equal(before[name], after[name]) for name in before)


def test_two_sites_are_no_federation_with_secure_sums(tiny, lead, tmp_path):
    make_hospitals(tmp_path / "two", sites=2, patients=20, seed=1)
    with pytest.raises(FederationError, match="must be over 3 sites, got 2"):
        lead(tiny(SECURE, sites=tmp_path / "two"))


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"federation.strategy": "trimmed-mean"}, "must not be trimmed-mean with privacy.secure"),
        ({"federation.strategy": "fedmedian"}, "it reads each site's update"),
        ({"federation.strategy": "krum"}, "the coordinator sees their sum only"),
        ({"federation.strategy": "scaffold"}, "Use fedavg, fedprox"),
        ({"objective.name": "federated-cox"}, "each site is handed the risk sets of the others"),
        ({"audit.background": "marginal"}, "how many donors a site has"),
        ({"audit.bootstrap": 100}, "audit.bootstrap must be 0 with privacy.secure-aggregation"),
    ],
    ids=str,
)
def test_what_looks_at_single_sites_is_refused(tiny, changes, told):
    with pytest.raises(ConfigError, match=told):
        tiny({**SECURE, **changes})


def test_a_bound_on_updates_needs_secure_sums(tiny):
    with pytest.raises(ConfigError, match=r"privacy\.max-update-norm must be 0 without"):
        tiny({"privacy.max-update-norm": 1.0})


class Server:
    """A coordinator that asks as it likes, over the real ClientApp."""

    def __init__(self, config):
        self.grid = InlineGrid(client_app, site_nodes(config), flatten(config))
        self.nodes = list(self.grid.get_node_ids())
        self.names = [str(self.ask(node, "query.describe")["facts"]["site"]) for node in self.nodes]

    def ask(self, node, kind, **secure):
        words = {"secure": ConfigRecord(secure)} if secure else {}
        content = RecordDict({"request": ConfigRecord({}), **words})
        message = Message(content, dst_node_id=node, message_type=kind)
        reply = next(iter(self.grid.send_and_receive([message])))
        return str(reply.error.reason) if reply.has_error() else reply.content

    def roster(self, adverts):
        return {"sites": self.names, "adverts": adverts}

    def everyone(self, kind, **secure):
        return [self.ask(node, kind, **secure) for node in self.nodes]

    def summed(self, number=1):
        """Let a sum over counts run up to the masked words; return these and the next adverts."""
        adverts = [r["secure"]["advert"] for r in self.everyone("query.keys", number=number)]
        told = self.roster(adverts)
        shares = [
            r["secure"]["sealed"] for r in self.everyone("query.shares", number=number, **told)
        ]
        found = [
            self.ask(node, "query.counts", number=number, sealed=[one[place] for one in shares])
            for place, node in enumerate(self.nodes)
        ]
        following = [one["secure"]["advert"] for one in found]
        kept = {"next-sites": self.names, "next-adverts": following}
        return found, kept


@pytest.fixture
def server(tiny, quartet):
    return Server(tiny(SECURE, sites=quartet))


def test_a_second_call_for_the_same_sum_is_refused(server):
    _, following = server.summed()
    first = server.nodes[0]
    assert "secure" in server.ask(
        first, "query.unmask", number=1, survivors=server.names, **following
    )
    again = server.ask(first, "query.unmask", number=1, survivors=server.names[:3], **following)
    assert "must be of the sum in progress" in again


def test_a_copy_of_the_sites_state_does_not_help_to_ask_twice(server):
    """Two processes of one site start from the same state; its disk knows what was revealed."""
    _, following = server.summed()
    first = server.nodes[0]
    context = server.grid.contexts[first]
    kept = copy.deepcopy(dict(context.state.items()))
    server.ask(first, "query.unmask", number=1, survivors=server.names, **following)
    context.state.update(kept)
    again = server.ask(first, "query.unmask", number=1, survivors=server.names[:3], **following)
    assert again.startswith("A tally must be answered once a run, got another call with other")


def test_a_tally_is_not_added_again_with_other_sites(server):
    _, following = server.summed()
    for node in server.nodes:
        server.ask(node, "query.unmask", number=1, survivors=server.names, **following)
    _, following = server.summed(number=5)
    again = server.ask(
        server.nodes[0], "query.unmask", number=5, survivors=server.names[:3], **following
    )
    assert again.startswith("A tally must be answered once a run, got another call with other")


def test_a_number_is_not_used_twice(server):
    server.summed(number=4)
    assert "must have a new number, got 4 again" in server.ask(
        server.nodes[0], "query.keys", number=4
    )


def test_keys_that_the_coordinator_swapped_are_refused_by_the_app(server):
    adverts = [r["secure"]["advert"] for r in server.everyone("query.keys", number=1)]
    swapped = [adverts[0], bytes(96) + adverts[1][96:], *adverts[2:]]
    told = server.ask(server.nodes[0], "query.shares", number=1, **server.roster(swapped))
    assert "must be signed by their site for this very sum" in told


def test_a_plain_question_is_refused_in_a_run_of_sums(server):
    assert "must ask inside a secure sum" in server.ask(server.nodes[0], "query.counts")


def test_a_sum_without_a_beginning_is_refused(server):
    told = server.ask(server.nodes[0], "query.counts", number=1, sealed=[b"", b"", b"", b""])
    assert "must be in progress at the site, got none" in told


def test_secrets_of_a_finished_sum_are_forgotten(server):
    _, following = server.summed()
    first = server.nodes[0]
    state = server.grid.contexts[first].state
    old = state["secure-sum"]
    secrets = [bytes(old[name]) for name in ("mask", "channel", "seed")]
    server.ask(first, "query.unmask", number=1, survivors=server.names, **following)
    left = json.dumps({k: {n: str(v) for n, v in r.items()} for k, r in state.items()})
    assert all(str(secret) not in left for secret in secrets)
