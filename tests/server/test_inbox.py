import numpy as np
import pytest
from flwr.app import ArrayRecord, ConfigRecord, Error, Message, MetricRecord, RecordDict
from flwr.serverapp import Grid

from fusion.config import FederationConfig
from fusion.errors import FederationError
from server.inbox import Inbox, request

NAMES = {3: "porto", 5: "lyon", 9: "bergen"}


class Sites(Grid):
    """Nodes that answer as a test says; whoever is not in `answers` describes itself."""

    def __init__(self, answers=None, names=NAMES, shows_up_at=1):
        self.answers, self.names, self.looks = answers or {}, names, 0
        self.shows_up_at, self.sent, self.replies, self.contents = shows_up_at, [], {}, {}

    def get_node_ids(self):
        self.looks += 1
        return list(self.names) if self.looks >= self.shows_up_at else []

    def push_messages(self, messages):
        for number, message in enumerate(messages, len(self.sent)):
            told = message.metadata
            told.__dict__["_message_id"] = f"m{number}"
            self.sent.append((told.dst_node_id, told.message_type, told.ttl))
            self.contents[told.dst_node_id] = message.content
            self.replies[f"m{number}"] = self.reply(message)
        return [m.metadata.message_id for m in messages]

    def pull_messages(self, message_ids):
        found = [self.replies.pop(name, None) for name in reversed(list(message_ids))]
        return [reply for reply in found if reply is not None]

    run = None

    def unused(self, *_, **__):
        pytest.fail("the inbox used a part of the grid that it does not need")

    set_run = create_message = send_and_receive = unused

    def reply(self, message):
        node = message.metadata.dst_node_id
        made = self.answers.get(node, {})
        if made is None or isinstance(made, str):
            return made and Message(Error(code=100, reason=made), reply_to=message)
        facts = ConfigRecord({"site": self.names[node]})
        content = {"facts": facts, "figures": MetricRecord({"steps": node}), "sums": ArrayRecord()}
        content = {**content, **made}
        held = {name: record for name, record in content.items() if record is not None}
        return Message(RecordDict(held), reply_to=message)


def inbox(grid, **settings):
    return Inbox(
        grid, FederationConfig(**{"wait_seconds": 0.0, "deadline_seconds": 0.1, **settings})
    )


def test_sites_are_met_in_order_of_name():
    answers, failures = inbox(Sites()).meet()
    assert [answer.site for answer in answers] == ["bergen", "lyon", "porto"]
    assert not failures


def test_a_site_that_fails_is_named_with_its_reason():
    box = inbox(Sites())
    box.meet()
    box._grid.answers = {5: "1 slide lacks a bag."}
    answers, failures = box.ask("train", request({}), ["bergen", "lyon", "porto"], lambda _: None)
    assert [answer.site for answer in answers] == ["bergen", "porto"]
    assert [(f.site, f.reason) for f in failures] == [("lyon", "1 slide lacks a bag.")]
    assert not failures[0].silent


def test_a_site_that_says_nothing_is_named():
    box = inbox(Sites())
    box.meet()
    box._grid.answers = {5: None}
    _, failures = box.ask("train", request({}), ["lyon"], lambda _: None)
    assert [(f.site, f.reason) for f in failures] == [("lyon", "no answer in 0.1 s")]
    assert failures[0].silent


def test_a_site_that_never_said_its_name_goes_by_its_number():
    _, failures = inbox(Sites({5: None})).meet()
    assert [f.site for f in failures] == ["node 5"]


def test_only_the_sites_asked_for_are_asked():
    box = inbox(Sites(), deadline_seconds=7.0)
    box.meet()
    box._grid.sent.clear()
    box.ask("evaluate", request({}), ["porto", "bergen"], lambda _: None)
    assert box._grid.sent == [(3, "evaluate", 7.0), (9, "evaluate", 7.0)]


def test_each_site_gets_the_request_that_bears_its_name():
    box = inbox(Sites())
    box.meet()
    contents = {"porto": request({"n": 1}), "bergen": request({"n": 2})}
    box._grid.contents.clear()
    answers, _ = box.ask_each("train", contents, lambda _: None)
    assert [answer.site for answer in answers] == ["bergen", "porto"]
    assert {n: c["request"]["n"] for n, c in box._grid.contents.items()} == {3: 1, 9: 2}


def test_a_site_keeps_its_name_whatever_a_later_answer_says():
    box = inbox(Sites())
    box.meet()
    box._grid.answers = {5: {"facts": ConfigRecord({"site": "porto"})}}
    answers, _ = box.ask("train", request({}), ["lyon"], lambda _: None)
    assert [answer.site for answer in answers] == ["lyon"]


@pytest.mark.parametrize("record", ["facts", "figures", "sums"])
def test_an_answer_without_its_records_is_a_failure(record):
    box = inbox(Sites())
    box.meet()
    box._grid.answers = {5: {record: None}}
    answers, failures = box.ask("train", request({}), ["lyon", "porto"], lambda _: None)
    assert [answer.site for answer in answers] == ["porto"]
    assert "lyon" in failures[0].site
    assert record in failures[0].reason


def test_two_sites_of_one_name_are_left_out():
    box = inbox(Sites(names={3: "lyon", 5: "lyon", 9: "bergen"}))
    answers, failures = box.meet()
    assert [answer.site for answer in answers] == ["bergen"]
    assert [failure.site for failure in failures] == ["lyon", "lyon"]
    assert "must have a name of its own, got this one more than once" in failures[0].reason
    box._grid.sent.clear()
    box.ask("train", request({}), ["lyon", "bergen"], lambda _: None)
    assert [node for node, *_ in box._grid.sent] == [9]


def test_too_few_sites_are_named_with_the_rule():
    with pytest.raises(FederationError, match=r"must be at least 4, got 3 after 0 s\. Start"):
        inbox(Sites(), expected_sites=4).meet()


def test_nobody_is_too_few():
    with pytest.raises(FederationError, match="at least 1, got 0"):
        inbox(Sites(names={})).meet()


def test_sites_that_come_late_are_waited_for(monkeypatch):
    monkeypatch.setattr("server.inbox.POLL", 0.001)
    box = Inbox(Sites(shows_up_at=4), FederationConfig(wait_seconds=5.0, expected_sites=3))
    assert len(box.meet()[0]) == 3


def test_a_request_travels_in_kebab_case():
    content = request({"round": 3, "risk_centre": 0.5}, model={"w": np.ones(2)})
    assert dict(content["request"]) == {"round": 3, "risk-centre": 0.5}
    assert set(content) == {"request", "model"}
    assert content["model"]["w"].numpy().tolist() == [1, 1]


def test_an_answer_that_the_check_refuses_is_a_failure_of_its_site():
    def check(answer):
        if answer.site == "lyon":
            answer.sums["never-sent"].sum()

    box = inbox(Sites())
    box.meet()
    answers, failures = box.ask("train", request({}), ["lyon", "porto"], check)
    assert [answer.site for answer in answers] == ["porto"]
    assert failures[0].reason == "answer refused: it lacks 'never-sent'"
