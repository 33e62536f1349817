"""What a deployed site writes down; and its policy, rule by rule, in a reason and in the log."""

import shutil

import pytest
from flwr.app import ConfigRecord, Context, Message, RecordDict

from client.app import app as client_app
from client.site_log import SiteLog
from fusion.config import flatten
from privacy.mods import size_of

POLICY = """
[cohort]
public-size = 20
[budget]
non-private-training = true
[allowed]
models = ["late"]
objectives = ["discrete-time"]
rounds = 5
parameters = 100
"""


@pytest.fixture
def lyon(hospitals, tmp_path):
    return shutil.copytree(hospitals / "lyon", tmp_path / "lyon")


@pytest.fixture
def asked(lyon, tiny, tmp_path):
    """Ask a deployed site; returns the reply and the log's new lines."""

    def asked(kind="query.describe", changes=None, content=None, **node):
        told = {"model.name": "late", "objective.name": "discrete-time", **(changes or {})}
        node = {"site": str(lyon), "state": str(tmp_path / "kept"), **node}
        context = Context(7, 1, node, RecordDict(), flatten(tiny(told)))
        message = Message(content or RecordDict(), dst_node_id=1, message_type=kind)
        reply, log = client_app(message, context), SiteLog(tmp_path / "kept" / "site.log")
        return reply, [line.body for line in log.lines()] if log.path.is_file() else []

    return asked


@pytest.fixture
def policy(lyon):
    """Write lyon's policy, with changes."""

    def policy(*changes):
        text = POLICY
        for before, after in changes:
            text = text.replace(before, after)
        (lyon / "policy.toml").write_text(text, encoding="utf-8")

    return policy


def test_a_question_and_what_left_are_in_the_log(asked):
    reply, (first, second) = asked()
    assert (first["kind"], first["question"], first["run"]) == ("asked", "query.describe", "7")
    assert second["kind"] == "answered"
    assert second["releases"] == [
        "data-hash", "encoder", "events", "feature-width", "features", "missing",
        "outcome-histogram", "patients", "role", "site", "tables",
    ]  # fmt: skip
    assert second["bytes"] == size_of(reply.content) > 1000


def test_a_simulated_site_keeps_no_log(asked):
    reply, lines = asked(simulated=True)
    assert not reply.has_error()
    assert lines == []


def test_a_site_that_cannot_write_its_log_answers_nothing(asked, tmp_path):
    (tmp_path / "kept" / "site.log").mkdir(parents=True)
    reply, _ = asked()
    assert reply.error.reason == "The site's log cannot be written, so it answers nothing."


@pytest.mark.parametrize(
    ("rule", "changes", "reason"),
    [
        ((), {"model.name": "gated"}, "model.name must be allowed by the site's policy, got 'gat"),
        ((), {"objective.name": "cox"}, "objective.name must be allowed by the site's policy, got"),
        ((), {"rounds": 6}, "rounds must be at most 5 by the site's policy, got 6"),
        (
            (("non-private-training = true", ""),), {},
            "A run without differential privacy must be allowed by the site's policy",
        ),
        ((), {"privacy.mode": "record-level"}, "must find a policy.toml with budget.max-epsilon"),
    ],
    ids=["model", "objective", "rounds", "plain", "no budget"],
)  # fmt: skip
def test_what_the_policy_does_not_allow_is_refused_logged_and_told(
    asked, policy, rule, changes, reason
):
    policy(*rule)
    reply, lines = asked(changes=changes)
    assert reason in reply.error.reason
    assert [line["kind"] for line in lines] == ["asked", "refused"]
    assert lines[1]["reason"] == reply.error.reason
    assert lines[1]["bytes"] == 0


def test_a_run_that_the_policy_allows_is_answered(asked, policy):
    policy()
    reply, lines = asked()
    assert not reply.has_error()
    assert lines[1]["kind"] == "answered"


def test_sums_that_the_policy_keeps_are_refused_and_logged(asked, policy):
    policy(("[allowed]", "max-epsilon = 3.0\ndelta = 0.01\n[allowed]"))
    words = {"slides": False, "tables": ["rna"], "clinical": [], "features": ["rna:GENE0001"]}
    content = RecordDict({"request": ConfigRecord(words)})
    reply, lines = asked("query.scaling", {"privacy.mode": "record-level"}, content)
    assert "must be allowed by the site's policy, got none for 'scaling'" in reply.error.reason
    assert lines[1]["reason"] == reply.error.reason
