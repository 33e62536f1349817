import json
import multiprocessing
import stat
from pathlib import Path

import pytest

from client.cli import main
from client.site_log import LONGEST, SiteLog
from fusion.errors import ConfigError, SiteError


@pytest.fixture
def log(tmp_path):
    """Two questions and their ends."""
    log = SiteLog(tmp_path / ".concord" / "site.log")
    log.append("asked", run="7", question="train", round=3, bytes=10)
    log.append("answered", run="7", question="train", round=3, bytes=20, releases=["loss"])
    log.append("asked", run="8", question="train", round=None, bytes=10)
    log.append("refused", run="8", question="train", round=None, bytes=0, reason="No.")
    return log


def test_lines_are_numbered_kept_and_for_the_owner_alone(log):
    assert [line.number for line in log.lines()] == [1, 2, 3, 4]
    assert log.lines()[1].body["releases"] == ["loss"]
    assert stat.S_IMODE(log.path.stat().st_mode) == 0o600


@pytest.mark.parametrize("damage", ["edit", "remove", "swap", "insert"])
def test_a_changed_line_is_noticed(log, damage):
    lines = log.path.read_text(encoding="ascii").splitlines(keepends=True)
    changed = {
        "edit": [lines[0], lines[1].replace('"bytes": 20', '"bytes": 2'), *lines[2:]],
        "remove": [lines[0], *lines[2:]],
        "swap": [lines[1], lines[0], *lines[2:]],
        "insert": [lines[0], lines[0], *lines[1:]],
    }[damage]
    log.path.write_text("".join(changed), encoding="ascii")
    with pytest.raises(ConfigError, match=r"must be unbroken, got a changed or missing line \d"):
        log.lines()


def test_a_half_written_line_goes_and_the_chain_goes_on(log):
    with log.path.open("ab") as file:
        file.write(b'{"number": 5, "kind": "as')
    log.append("asked", run="9", question="train", round=1, bytes=1)
    assert [line.body["run"] for line in log.lines()] == ["7", "7", "8", "8", "9"]


def test_a_text_from_outside_is_cut_and_holds_no_line_break(tmp_path):
    log = SiteLog(tmp_path / "site.log")
    log.append("refused", question="train\n{}", reason="x" * 100_000, bytes=0)
    log.append("asked", question="train", bytes=0)
    first, _ = log.lines()
    assert (first.body["question"], len(first.body["reason"])) == ("train\n{}", LONGEST)


def test_a_log_that_cannot_be_written_is_an_error(tmp_path):
    (tmp_path / "site.log").mkdir()
    with pytest.raises(SiteError, match="must be a file that can be written") as told:
        SiteLog(tmp_path / "site.log").append("asked", bytes=0)
    assert told.value.public == "The site's log cannot be written, so it answers nothing."


def write_twenty(path: Path) -> None:
    for _ in range(20):
        SiteLog(path).append("asked", question="train", bytes=0)


def test_processes_that_write_at_once_keep_one_chain(tmp_path):
    path = tmp_path / "site.log"
    writers = [
        multiprocessing.get_context("fork").Process(target=write_twenty, args=(path,))
        for _ in range(3)
    ]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join(60)
    assert len(SiteLog(path).lines()) == 60


def test_a_person_reads_the_log(log, capsys):
    site = str(log.path.parents[1])
    assert main(["log", site]) == 0
    head, _, *lines = capsys.readouterr().out.splitlines()
    assert " ".join(head.split()) == "line time (UTC) run round question what bytes told"
    assert lines[1].split()[-5:] == ["3", "train", "answered", "20", "loss"]
    assert lines[3].endswith("No.")
    assert main(["log", site, "--run", "8", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert [(one["kind"], one["run"]) for one in told] == [("asked", "8"), ("refused", "8")]


def test_a_site_without_a_log_says_where_it_would_be(tmp_path, capsys):
    assert main(["log", str(tmp_path)]) == 2
    assert "It is made by the first question" in capsys.readouterr().err
