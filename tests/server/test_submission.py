import json
import subprocess
from pathlib import Path

import pytest

from fusion.config import RunConfig, from_flat, from_toml
from fusion.errors import ConfigError, FederationError
from server import submission
from server.submission import SOURCE, ask, run_remotely, to_toml


class Flower:
    """Answers `flwr` commands as Flower does, and keeps what it was asked."""

    def __init__(self, *statuses, details=""):
        self.statuses, self.details = list(statuses), details
        self.asked, self.settings = [], None

    def __call__(self, words):
        self.asked.append(words)
        if words[1] == "run":
            self.settings = from_toml(Path(words[words.index("--run-config") + 1]))
            return subprocess.CompletedProcess(words, 0, 'note\n{"run-id": 7}', "")
        run = {"status": self.statuses.pop(0), "status-details": self.details}
        return subprocess.CompletedProcess(words, 0, json.dumps({"runs": [run]}), "")


@pytest.fixture
def flower(monkeypatch):
    def flower(*statuses, details=""):
        found = Flower(*statuses, details=details)
        monkeypatch.setattr(submission, "_call", found)
        monkeypatch.setattr(submission, "LOOK", 0.0)
        return found

    return flower


def test_a_run_is_handed_over_and_followed_to_its_end(flower):
    link = flower("pending", "running", "finished:completed")
    config = from_flat({"seed": 5, "audit.model-file": "/srv/ü.safetensors"})
    run_remotely(config, app=SOURCE, superlink="concord")
    assert link.settings == config
    assert link.asked[0][:4] == ["flwr", "run", str(SOURCE), "concord"]
    assert [words[1] for words in link.asked] == ["run", "ls", "ls", "ls"]
    assert link.asked[1][2:5] == ["concord", "--run-id", "7"]


def test_a_failed_run_is_told_in_the_coordinators_words(flower):
    flower("finished:failed", details="At least one site must audit, got none.")
    with pytest.raises(FederationError, match=r"got none\. \(`flwr log 7 concord --show` tells"):
        run_remotely(RunConfig(), app=SOURCE, superlink="concord")


def test_a_run_that_was_stopped_says_so(flower):
    flower("finished:stopped")
    with pytest.raises(FederationError, match="come to its end, got 'finished:stopped'"):
        run_remotely(RunConfig(), app=SOURCE, superlink="concord")


def test_what_is_not_our_source_is_refused(tmp_path):
    with pytest.raises(ConfigError, match="--app must be the folder of Concord's source"):
        run_remotely(RunConfig(), app=tmp_path, superlink="concord")


@pytest.mark.parametrize(("code", "out", "err"), [(1, "", "no such link"), (0, "hm", "")])
def test_no_answer_of_flower_is_told_with_what_it_said(code, out, err):
    def call(words):
        return subprocess.CompletedProcess(words, code, out, err)

    with pytest.raises(FederationError, match=rf"answer `flwr ls`, got: {err or out}\. Check"):
        ask(["ls"], call)


def test_a_refusal_of_flower_that_exits_0_is_told():
    out = json.dumps({"success": False, "error-message": "\nSuperLink 'concord' not found.\n"})

    def call(words):
        return subprocess.CompletedProcess(words, 0, out, "")

    with pytest.raises(
        FederationError, match=r"`flwr run`, got: SuperLink 'concord' not found\. C"
    ):
        ask(["run"], call)


def test_a_flower_that_keeps_silent_is_a_sentence():
    def call(words):
        raise subprocess.TimeoutExpired(words, 120.0)

    with pytest.raises(FederationError, match=r"answer `flwr ls`, got nothing in 120 s\. Check"):
        ask(["ls"], call)


def test_settings_survive_toml(tmp_path):
    config = from_flat({"out": 'a "b"\\c', "training.lr": 1e-5, "resume": True})
    (tmp_path / "run.toml").write_text(to_toml(config), encoding="utf-8")
    assert from_toml(tmp_path / "run.toml") == config


def test_a_superlink_that_ends_is_told_with_how_to_go_on(flower, monkeypatch):
    link = flower("running")

    def call(words):
        return link(words) if link.statuses else subprocess.CompletedProcess(words, 1, "", "gone")

    monkeypatch.setattr(submission, "_call", call)
    with pytest.raises(FederationError, match=r"got: gone\. If the SuperLink .* CONFIG --resume"):
        run_remotely(RunConfig(), app=SOURCE, superlink="concord")
