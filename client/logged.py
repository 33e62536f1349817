"""What stands around the ClientApp at a real site: a line before each answer and one after."""

from pathlib import Path
from typing import Any

from flwr.app import Context, Message
from flwr.clientapp.typing import ClientAppCallable

from client.settings import STATE
from client.site_log import FILE, SiteLog
from privacy.mods import size_of

WHOLE = ("model", "control", "masked", "secure")
"""Records of a reply that are one release each; of the others, every name is one."""


def log_questions(message: Message, context: Context, call_next: ClientAppCallable) -> Message:
    """Write into the site's log what is asked, and what leaves or why nothing does.

    A simulation keeps no log: its coordinator and its sites are one person.

    Args:
        message: The request.
        context: Of the ClientApp.
        call_next: The app, whose failures are sentences already.

    Returns:
        The app's answer.

    Raises:
        SiteError: The log cannot be written; nothing is answered.

    Privacy: the lines hold names, numbers of bytes and sentences that leave anyway.

    Source: own.
    """
    log = _log(context)
    if log is None:
        return call_next(message, context)
    about: dict[str, Any] = {"run": str(context.run_id), "round": _round(message)}
    about["question"] = message.metadata.message_type
    log.append("asked", **about, bytes=size_of(message.content))
    reply = call_next(message, context)
    if reply.has_error():
        log.append("refused", **about, bytes=0, reason=reply.error.reason)
    else:
        log.append("answered", **about, bytes=size_of(reply.content), releases=_released(reply))
    return reply


def _log(context: Context) -> SiteLog | None:
    """Return the log of a deployed site; its own node config says where, no message does."""
    node = context.node_config
    if "site" not in node or node.get("simulated", False):
        return None
    state = node.get("state", Path(str(node["site"])) / STATE)
    return SiteLog(Path(str(state)) / FILE)


def _round(message: Message) -> int | None:
    """Return the round that a request is of; None outside of rounds."""
    records = message.content.config_records
    told = records["request"].get("round") if "request" in records else None
    return told if isinstance(told, int) else None


def _released(reply: Message) -> list[str]:
    """Return the stems of all names that leave."""
    names = set[str]()
    for record, held in reply.content.items():
        names |= {record} if record in WHOLE else {name.partition(":")[0] for name in held}
    return sorted(names)
