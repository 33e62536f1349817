import time

import pytest
from flwr.app import Error, Message, RecordDict
from flwr.common.constant import ErrorCode
from flwr.serverapp import Grid

from privacy.mods import REFUSED
from server.exchange import OFFLINE, exchange, silence


class Post(Grid):
    """A grid whose replies come when a test says; a node's reply names no sender."""

    def __init__(self, looks, *, lost=()):
        self.looks, self.lost, self.pulled, self.sent = looks, lost, 0, []

    run = None

    def unused(self, *_, **__):
        pytest.fail("the exchange used a part of the grid that it does not need")

    set_run = create_message = send_and_receive = get_node_ids = unused

    def push_messages(self, messages):
        for message in messages:
            message.metadata.__dict__["_message_id"] = f"to {message.metadata.dst_node_id}"
        self.sent = list(messages)
        return [None if m.metadata.dst_node_id in self.lost else m.metadata.message_id
                for m in messages]  # fmt: skip

    def pull_messages(self, message_ids):
        self.pulled += 1
        return [
            Message(Error(code=REFUSED, reason=m.metadata.message_id), reply_to=m)
            for m in self.sent
            if m.metadata.message_id in message_ids
            and self.looks[m.metadata.dst_node_id] == self.pulled
        ]


def ask(post, nodes, seconds=0.3):
    return exchange(post, "train", {node: RecordDict() for node in nodes}, seconds=seconds)


def test_an_exchange_ends_with_the_last_reply():
    started = time.monotonic()
    replies = ask(Post({1: 2, 2: 1}), [1, 2], seconds=60.0)
    assert {node: reply.error.reason for node, reply in replies.items()} == {1: "to 1", 2: "to 2"}
    assert time.monotonic() - started < 5


def test_who_is_silent_until_the_deadline_is_not_waited_for():
    assert list(ask(Post({1: 1, 2: 10**6}), [1, 2])) == [1]


def test_a_message_ends_with_its_deadline():
    post = Post({1: 1})
    ask(post, [1], seconds=7.5)
    assert post.sent[0].metadata.ttl == 7.5


def test_a_message_that_could_not_be_handed_on_is_not_waited_for():
    started = time.monotonic()
    assert list(ask(Post({1: 1, 2: 10**6}, lost=(2,)), [1, 2], seconds=60.0)) == [1]
    assert time.monotonic() - started < 5


@pytest.mark.parametrize(
    ("code", "said"),
    [
        (ErrorCode.NODE_UNAVAILABLE, OFFLINE),
        (ErrorCode.MESSAGE_UNAVAILABLE, "no answer in 300 s"),
        (ErrorCode.REPLY_MESSAGE_UNAVAILABLE, "no answer in 300 s"),
        (ErrorCode.CLIENT_APP_CRASHED, "its ClientApp ended before it had answered"),
        (ErrorCode.CLIENT_APP_RAISED_EXCEPTION, "as Flower says"),
        (REFUSED, None),
    ],
)
def test_what_flower_says_of_a_silent_node_is_a_plain_reason(code, said):
    message = Message(RecordDict(), dst_node_id=1, message_type="train")
    message.metadata.__dict__["_message_id"] = "m"
    reply = Message(Error(code=code, reason="as Flower says"), reply_to=message)
    assert silence(reply, seconds=300.0) == said


def test_no_reply_is_told_with_the_deadline():
    assert silence(None, seconds=0.5) == "no answer in 0.5 s"
