import logging

import pytest
from flwr.app import Context, Message, RecordDict

from fusion.errors import SiteError
from privacy.errors import PrivacyError
from privacy.mods import FAULTS, REFUSED, guard

SECRET = "patient p07 has no slide p07.h5"


@pytest.fixture
def ask():
    """Send a message through the guard to an app that raises."""

    def ask(error):
        def app(_message, _context):
            raise error

        message = Message(RecordDict(), dst_node_id=7, message_type="query.describe")
        return guard(message, Context(1, 7, {}, RecordDict(), {}), app)

    return ask


def test_an_answer_passes_untouched():
    message = Message(RecordDict(), dst_node_id=7, message_type="train")
    context = Context(1, 7, {}, RecordDict(), {})
    reply = Message(RecordDict(), reply_to=message)
    assert guard(message, context, lambda *_: reply) is reply


def test_a_persons_error_sends_its_public_sentence(ask, caplog):
    with caplog.at_level(logging.ERROR, "concord.site"):
        reply = ask(SiteError(SECRET, public="1 slide lacks a bag."))
    assert (reply.error.code, reply.error.reason) == (REFUSED, "1 slide lacks a bag.")
    assert SECRET in caplog.text


@pytest.mark.parametrize("kind", FAULTS, ids=lambda kind: kind.__name__)
def test_any_other_error_sends_only_its_kind(ask, caplog, kind):
    with caplog.at_level(logging.ERROR, "concord.site"):
        reply = ask(kind(SECRET))
    assert reply.error.reason == f"{kind.__name__} at the site; its log tells more."
    assert SECRET in caplog.text
    assert "Traceback" in caplog.text


def test_a_site_error_without_a_public_sentence_tells_nothing(ask):
    assert ask(SiteError(SECRET)).error.reason == "SiteError: see the log at the site."


def test_a_release_that_is_not_listed_is_named(ask):
    assert "risks" in ask(PrivacyError("Release must be listed, got 'risks'.")).error.reason


def test_an_interruption_passes(ask):
    with pytest.raises(KeyboardInterrupt):
        ask(KeyboardInterrupt())
