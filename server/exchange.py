"""One exchange: a message to each node, and the replies that come before the deadline."""

import time
from collections.abc import Mapping

from flwr.app import Message, RecordDict
from flwr.common.constant import ErrorCode
from flwr.serverapp import Grid

from privacy.mods import REFUSED

LOOK = 0.05
"""Fewest seconds between looks for replies."""

LONGEST_LOOK = 2.0
"""Most seconds between them."""

SHARE = 20
"""A look is late by at most this part of what the exchange has taken so far."""

OFFLINE = "its SuperNode is not connected"

CRASHED = "its ClientApp ended before it had answered"

LATE = (ErrorCode.MESSAGE_UNAVAILABLE, ErrorCode.REPLY_MESSAGE_UNAVAILABLE)
"""What Flower says of a message or a reply whose time is over."""


def exchange(
    grid: Grid, kind: str, contents: Mapping[int, RecordDict], *, seconds: float
) -> dict[int, Message]:
    """Send each node a message and return the replies by node.

    Messages end with the deadline: a node that comes back later is not handed what nobody waits for
    any more, and no reply to an earlier message is taken for one to this.

    Args:
        grid: Flower's way to the nodes.
        kind: Flower's message type.
        contents: By node.
        seconds: Until the deadline.

    Returns:
        What came in time; nothing for a node that kept silent.

    Source: own; Flower's `send_and_receive` looks every 3 s and does not end its messages.
    """
    messages = [
        Message(content, dst_node_id=node, message_type=kind, ttl=seconds)
        for node, content in contents.items()
    ]
    # Flower names no message that it could not hand on, and none at all of a batch too large.
    names = zip(grid.push_messages(messages), contents, strict=False)
    waiting = {name: node for name, node in names if name}
    replies, started = dict[int, Message](), time.monotonic()
    while waiting:
        for reply in grid.pull_messages(list(waiting)):
            # An error's sender is the SuperLink, so a reply is known by what it answers.
            node = waiting.pop(reply.metadata.reply_to_message_id, None)
            if node is not None:
                replies[node] = reply
        passed = time.monotonic() - started
        if passed >= seconds:
            break
        if waiting:
            time.sleep(min(max(passed / SHARE, LOOK), LONGEST_LOOK))
    return replies


def silence(reply: Message | None, *, seconds: float) -> str | None:
    """Return why a node said nothing of its own, or None if it did.

    Args:
        reply: What came, if anything did.
        seconds: How long it was waited for.

    Source: own.
    """
    if reply is None:
        return f"no answer in {seconds:g} s"
    if not reply.has_error() or reply.error.code == REFUSED:
        return None
    code, reason = reply.error.code, str(reply.error.reason or "no answer")
    told = {ErrorCode.NODE_UNAVAILABLE: OFFLINE, ErrorCode.CLIENT_APP_CRASHED: CRASHED}
    late = f"no answer in {seconds:g} s"
    return late if code in LATE else told.get(code, reason)
