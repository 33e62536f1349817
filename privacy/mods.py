"""Flower mods: what stands between a site's code and the wire."""

import logging

from flwr.app import Array, Context, Error, Message, RecordDict
from flwr.clientapp.typing import ClientAppCallable

log = logging.getLogger("concord.site")

REFUSED = 100
"""Flower error code of an answer that says in words why the site did not work."""

FAULTS = (
    ArithmeticError, AttributeError, EOFError, LookupError, MemoryError, OSError, RuntimeError,
    TypeError, ValueError,
)  # fmt: skip
"""What computing on a site's data can raise; its text may quote a patient."""


def guard(message: Message, context: Context, call_next: ClientAppCallable) -> Message:
    """Answer a failure with its public sentence; the whole story goes to the site's own log.

    Flower sends the text of an exception to the coordinator, and that text can hold file names
    or values of patients. An error with a `public` sentence sends that; any other sends its kind.

    Args:
        message: The request.
        context: Of the ClientApp.
        call_next: The app.

    Returns:
        The app's answer, or an error reply that holds nothing of a patient.

    Privacy: no text of an exception leaves.

    Source: own.
    """
    try:
        return call_next(message, context)
    except FAULTS as error:
        public = getattr(error, "public", None)
        log.error("%s", error, exc_info=public is None)
        reason = public or f"{type(error).__name__} at the site; its log tells more."
        return Message(Error(code=REFUSED, reason=reason), reply_to=message)


def size_of(content: RecordDict) -> int:
    """Return the bytes of a message's names and values.

    Source: own; Flower's own count fails at an empty list.
    """
    return sum(
        len(name) + _bytes(value) for record in content.values() for name, value in record.items()
    )


def _bytes(value: object) -> int:
    if isinstance(value, Array):
        return len(value.data)
    if isinstance(value, list):
        return sum(map(_bytes, value))
    if isinstance(value, bytes):
        return len(value)
    return len(value.encode()) if isinstance(value, str) else 8
