"""What a question to the site may hold, checked before anything of the site is opened."""

import math
import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from flwr.app import Context, Message, RecordDict
from flwr.clientapp.typing import ClientAppCallable

from fusion.npy import read_npy
from privacy.errors import PrivacyError
from privacy.mods import size_of
from privacy.releases import check_size

_YARDSTICK = ("risk-centre", "risk-scale")
_MODEL = ("plan", "run", "model-round")

NEEDED: Mapping[str, Sequence[str]] = {
    "query.describe": (),
    "query.scaling": ("tables", "clinical", "features", "slides"),
    "query.components": ("tables", "clinical", "features", "slides", "components", "scaling"),
    "query.counts": (),
    "query.keys": (),
    "query.shares": (),
    "query.unmask": (),
    "train": (*_MODEL, *_YARDSTICK, "round", "audit"),
    "query.reference": (*_MODEL, *_YARDSTICK),
    "evaluate": (*_MODEL, *_YARDSTICK, "split", "audit"),
}
"""Words that a question cannot do without."""

WORDS: Mapping[str, type] = {
    "plan": str,
    "run": str,
    "model-round": int,
    "round": int,
    "audit": bool,
    "closing": bool,
    "audit-only": bool,
    "split": str,
    "risk-centre": float,
    "risk-scale": float,
    "tau": float,
    "censoring": float,
    "censoring-source": str,
    "baseline": float,
    "tables": str,
    "clinical": str,
    "features": str,
    "slides": bool,
    "feature-width": int,
    "components": str,
    "scaling": str,
}
"""Every word that is known, and of what kind it is, alone or as a list."""

RECORDS = ("model", "arrays", "correction")
"""Records of arrays that a question may hold, beside its words in `request`."""

SECURE = "secure"
"""Record of what belongs to a secure sum."""

SECURE_WORDS: Mapping[str, type] = {
    "number": int,
    "sites": str,
    "adverts": bytes,
    "sealed": bytes,
    "survivors": str,
    "next-sites": str,
    "next-adverts": bytes,
}
"""Its words: a number, and lists of the others' kind."""

_RUN = re.compile(r"([0-9a-f]{32})?")

SPLITS = ("train", "validation", "test")


def check_questions(message: Message, context: Context, call_next: ClientAppCallable) -> Message:
    """Let a question pass if all its records, words and arrays are known and sound.

    Args:
        message: The request.
        context: Of the ClientApp.
        call_next: The app.

    Returns:
        The app's answer.

    Raises:
        PrivacyError: Something is unknown, missing, too large, of another kind, or not finite.

    Source: own.
    """
    check_size(size_of(message.content))
    check_words(message.metadata.message_type, words_of(message.content))
    unknown = set(message.content) - {"request", SECURE, *RECORDS}
    if unknown:
        raise _wrong("Records of a question", f"be known: request, {', '.join(RECORDS)}", unknown)
    check_secure(message.content.config_records.get(SECURE, {}))
    for record in RECORDS:
        arrays_of(message.content, record)
    return call_next(message, context)


def words_of(content: RecordDict) -> Mapping[str, Any]:
    """Return a question's scalars and lists.

    Source: own.
    """
    return content.config_records.get("request", {})


def arrays_of(content: RecordDict, record: str) -> dict[str, np.ndarray]:
    """Return one record of arrays; empty if there is none of that name.

    Raises:
        PrivacyError: A value is not finite, or what came is no array of numbers.

    Source: own.
    """
    if record not in content:
        return {}
    found = {}
    for name, one in content.array_records[record].items():
        try:
            value = read_npy(one.data, dtype=one.dtype, shape=tuple(one.shape))
        except (ValueError, TypeError, EOFError, SyntaxError):
            raise _wrong("Arrays", "be numbers as numpy writes them", name) from None
        if value.dtype.kind not in "fiub" or not np.isfinite(value).all():
            raise _wrong("Arrays", "hold finite numbers", name)
        found[name] = value
    return found


def check_words(question: str, words: Mapping[str, Any]) -> None:
    """Raise unless a question has the words it needs, and no others.

    Raises:
        PrivacyError: A word is missing, unknown, of another kind, or out of its range.

    Source: own.
    """
    missing = sorted(set(NEEDED[question]) - set(words))
    if missing:
        raise _wrong(
            f"A question {question}", f"have {', '.join(NEEDED[question])}", f"no {missing[0]}"
        )
    for name, value in words.items():
        kind = WORDS.get(name)
        if kind is None:
            raise _wrong("Words of a question", "be known", name)
        if not all(_is(one, kind) for one in (value if isinstance(value, list) else [value])):
            raise _wrong(f"'{name}'", f"be of kind {kind.__name__}", value)
    if not _RUN.fullmatch(words.get("run", "")):
        raise _wrong("'run'", "be empty or 32 hexadecimal digits", words["run"])
    if words.get("split", "test") not in SPLITS:
        raise _wrong("'split'", f"be one of {', '.join(SPLITS)}", words["split"])


def check_secure(words: Mapping[str, Any]) -> None:
    """Raise unless the words of a secure sum are known and of their kind.

    Raises:
        PrivacyError: One is not, or the sum's number is missing.

    Source: own.
    """
    if words and not _is(words.get("number"), int):
        raise _wrong("A secure sum", "have a number", words.get("number"))
    for name, value in words.items():
        kind = SECURE_WORDS.get(name)
        if kind is None:
            raise _wrong("Words of a secure sum", "be known", name)
        several = isinstance(value, list) and all(_is(one, kind) for one in value)
        if name != "number" and not several:
            raise _wrong(f"'{name}'", f"be a list of kind {kind.__name__}", value)


def _is(value: object, kind: type) -> bool:
    """Return whether a value is of a kind; whole numbers are numbers, and numbers are finite."""
    if kind is float:
        return type(value) in (int, float) and math.isfinite(value)  # type: ignore[arg-type]
    return type(value) is kind


def _wrong(what: str, rule: str, got: object) -> PrivacyError:
    told = (got if isinstance(got, str) and got.isascii() else ascii(got))[:80]
    return PrivacyError(f"{what} must {rule}, got {told}. Run the same version everywhere.")
