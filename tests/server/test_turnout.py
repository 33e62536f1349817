import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from fusion.config import FederationConfig
from fusion.errors import FederationError
from server.aggregation import Aggregator
from server.inbox import Answer, Failure, Inbox, request
from server.turnout import Call, gather
from simulations.federation import InlineGrid

TRAINERS = ["bergen", "lyon", "porto"]


class Sites(Inbox):
    """Sites that answer from a certain attempt on; `words` are what they refuse with."""

    def __init__(self, answers_from, words=()):
        self.answers_from, self.words, self.asked, self.waited = answers_from, dict(words), [], []

    def wait_for(self, sites):
        self.waited.append(list(sites))

    def ask_each(self, kind, contents, check):  # noqa: ARG002 -- as an inbox is called
        self.asked.append((kind, sorted(contents)))
        here = [s for s in sorted(contents) if self.answers_from.get(s, 99) <= len(self.asked)]
        failed = [
            Failure(s, self.words.get(s, "no answer in 5 s"), silent=s not in self.words)
            for s in sorted(contents)
            if s not in here
        ]
        return [Answer(s, {}, {"num-examples": 10.0}, {}, {}) for s in here], failed


def turnout(sites, *, quorum=2, attempts=3, refuse=()):
    def sift(answers):
        good = [answer for answer in answers if answer.site not in refuse]
        return good, [Failure(a.site, "update refused: nan") for a in answers if a not in good]

    config = FederationConfig(quorum=quorum)
    call = Call(7, {site: request({}) for site in TRAINERS}, lambda _: None, sift)
    weights = dict.fromkeys(TRAINERS, 1.0)
    aggregator = Aggregator(config, parameters=[], weights=weights)
    return gather(sites, aggregator, call, attempts=attempts)


def test_a_quorum_ends_the_round_without_the_silent_site():
    sites = Sites({"bergen": 1, "porto": 1})
    found = turnout(sites)
    assert [answer.site for answer in found.usable] == ["bergen", "porto"]
    assert [(f.site, f.reason) for f in found.failures] == [("lyon", "no answer in 5 s")]
    assert (found.attempts, sites.asked) == (1, [("train", TRAINERS)])


def test_below_the_quorum_only_the_silent_sites_are_asked_again_and_waited_for():
    sites = Sites({"bergen": 1, "lyon": 2})
    found = turnout(sites)
    assert [asked for _, asked in sites.asked] == [TRAINERS, ["lyon", "porto"]]
    assert sites.waited == [["lyon", "porto"]]
    assert [answer.site for answer in found.answers] == ["bergen", "lyon"]
    assert [failure.site for failure in found.failures] == ["porto"]
    assert found.attempts == 2


def test_still_below_the_quorum_the_round_is_given_up_in_a_sentence():
    told = (
        r"Round 7 must have usable updates of at least 2 sites, got 1 when asked 3 times "
        r"\(lyon: no answer in 5 s; porto: no answer in 5 s\)\. .* resume the run"
    )
    with pytest.raises(FederationError, match=told):
        turnout(Sites({"bergen": 1}))


def test_a_site_that_refuses_in_words_is_not_asked_again():
    words = {"lyon": "Budget exhausted", "porto": "Budget exhausted"}
    sites = Sites({"bergen": 1}, words)
    found = turnout(sites)
    assert len(sites.asked) == 1
    assert [answer.site for answer in found.usable] == ["bergen"]


def test_a_refused_update_is_a_failure_and_its_answer_is_kept():
    found = turnout(Sites(dict.fromkeys(TRAINERS, 1)), refuse=["porto"])
    assert [answer.site for answer in found.answers] == TRAINERS
    assert [answer.site for answer in found.usable] == ["bergen", "lyon"]
    assert [failure.reason for failure in found.failures] == ["update refused: nan"]


class Quiet(InlineGrid):
    """Loses messages: `left` tells how many more, by site, kind and round."""

    left: dict

    def push_messages(self, messages):
        return [self._lose(message) or self._deliver(message) for message in messages]

    def _lose(self, message):
        told = message.metadata
        site = Path(str(self.contexts[told.dst_node_id].node_config["site"])).name
        number = int(message.content["request"].get("round", 0)) if message.content else 0
        key = (site, told.message_type, number)
        if self.left.get(key, 0) <= 0:
            return None
        self.left[key] -= 1
        return f"lost {key} {self.left[key]}"


@pytest.fixture
def losing(tiny, lead):
    """Lead a run in which messages to a site are lost."""

    def run(lost, **settings):
        grid = type("Lossy", (Quiet,), {"left": dict(lost)})
        quick = {"federation.deadline-seconds": 0.1, "rounds": 3, **settings}
        config = tiny({**quick, "model.name": "omics_only"})
        return config, lambda changed=config: lead(changed, grid_of=grid)

    return run


def test_a_silent_site_is_left_out_of_a_round_and_comes_back(losing, caplog):
    _, run = losing({("lyon", "train", 2): 1}, **{"federation.quorum": 2})
    result = run().result
    assert [record["answered"] for record in result["rounds"][1:]] == [
        TRAINERS, ["bergen", "porto"], TRAINERS,
    ]  # fmt: skip
    told = ["lyon left in round 2: no answer in 0.1 s", "lyon came back in round 3"]
    assert [event["sentence"] for event in result["events"]] == told
    assert all(line in caplog.text for line in told)


def test_a_round_asked_again_gives_the_model_of_one_that_was_not(losing):
    _, calm = losing({})
    _, asked_again = losing({("lyon", "train", 2): 2, ("porto", "train", 2): 1},
                            **{"federation.quorum": 3})  # fmt: skip
    one, other = calm(), asked_again()
    assert [record["attempts"] for record in other.result["rounds"]] == [0, 1, 3, 1]
    for first, second in zip(one.result["rounds"], other.result["rounds"], strict=True):
        assert first["concordance"] == second["concordance"]
        assert first["loss"] == second["loss"]


def test_a_run_that_stopped_below_its_quorum_continues_bit_for_bit(losing, lead):
    settings = {"federation.quorum": 3, "federation.attempts": 1}
    _, calm = losing({}, **settings)
    config, run = losing({("lyon", "train", 3): 1}, **settings)
    with pytest.raises(FederationError, match="Round 3 must have usable updates of at least 3"):
        run()
    resumed = lead(replace(config, resume=True))
    straight = calm()
    np.testing.assert_equal(resumed.result["rounds"], straight.result["rounds"])
    assert resumed.model == straight.model
    assert resumed.result["timings"]["resumed_after"] == [2]


def test_a_site_that_is_gone_when_a_run_is_resumed_is_missed_in_each_round(
    tiny, lead, watching, own_hospitals
):
    def at(seen):
        if seen.round == 2:
            raise KeyboardInterrupt

    config = tiny({"rounds": 3, "model.name": "omics_only"}, sites=own_hospitals)
    with pytest.raises(KeyboardInterrupt):
        lead(config, watching(at))
    shutil.rmtree(own_hospitals / "lyon")
    result = lead(replace(config, resume=True)).result
    gone = [{"site": "lyon", "reason": "not there when the run was resumed"}]
    assert [record["failed"] for record in result["rounds"]] == [[], [], gone, gone]
    told = [event["sentence"] for event in result["events"]]
    assert told == ["lyon left in round 2: not there when the run was resumed"]
