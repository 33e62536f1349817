"""What a site answers where a private run cannot be counted: a clear sentence, and no model."""

import contextlib
import logging
import resource
import shutil
import time
from pathlib import Path

import pytest
from flwr.app import Context, RecordDict

from client.app import app
from client.policy import UNREADABLE
from client.site import forget_sites
from fusion.config import flatten
from fusion.readers.cohort import read_cohort
from privacy.ledger import Ledger
from simulations.cli import main

LEDGER = "The site's privacy ledger cannot be used; see its log."


@pytest.fixture(scope="module")
def led(hospitals, tiny, private, lead, write_policy, tmp_path_factory):
    """A private run of one round, whose requests are put to sites that are not in order."""
    sites = Path(shutil.copytree(hospitals, tmp_path_factory.mktemp("led") / "sites"))
    for site in sites.iterdir():
        write_policy(site)
    return lead(tiny({**private, "rounds": 1}, sites=sites))


@pytest.fixture
def ask(led, tmp_path, caplog):
    """Put the round's request to lyon; return its answer and what its log says."""
    folder = Path(shutil.copytree(Path(led.config.sites) / "lyon", tmp_path / "lyon"))
    (request,) = [e.request for e in led.exchanges if (e.site, e.kind) == ("lyon", "train")]

    def ask(change=lambda _: None, state=tmp_path / "state", around=contextlib.nullcontext):
        change(folder)
        node = {"site": str(folder), "state": str(state), "simulated": True}  # no log of its own
        context = Context(1, 1, node, RecordDict(), flatten(led.config))
        with caplog.at_level(logging.ERROR, "concord.site"), around():
            try:
                return app(request, context), caplog.text
            finally:
                forget_sites()

    return ask


def refused(reply):
    """The sentence that leaves; nothing else does."""
    assert not reply.has_content()
    return reply.error.reason


def edited(before, after):
    def edit(folder):
        text = (folder / "policy.toml").read_text()
        assert before in text
        (folder / "policy.toml").write_text(text.replace(before, after))

    return edit


def test_in_order_it_is_trained_and_charged(ask, tmp_path):
    reply, _ = ask()
    assert "model" in reply.content
    assert len(Ledger(tmp_path / "state" / "ledger.sqlite").entries()) == 1


@pytest.mark.parametrize(
    ("before", "after", "told"),
    [
        ("epsilon = 4.0", "epsilon = 0", "run.epsilon in policy.toml must be a number > 0, got 0"),
        ("epsilon = 4.0", "epsilon = -1", "run.epsilon in policy.toml must be a number > 0"),
        ("max-epsilon = 8.0", "max-epsilon = 0", "max-epsilon in policy.toml must be a number > 0"),
        # 1 / 12 patients = 0.0833
        ("delta = 1e-2", "delta = 0.09", "must be below 1 / public-size = 0.0833333, got 0.09"),
        ("delta = 1e-2", "delta = 1", r"budget.delta in policy.toml must be a number in (0, 1)"),
        ("steps = 4", "step = 4", "got 'run.step'. Did you mean 'run.steps'"),
        ("[budget]", "[budgets]", "got 'budgets'. Did you mean 'budget'"),
        ("public-size = 12", "public-size", "policy.toml must be TOML"),
    ],
)
def test_a_policy_that_does_not_fit_trains_nothing(ask, tmp_path, before, after, told):
    reply, log = ask(edited(before, after))
    assert refused(reply) == UNREADABLE
    assert told in log
    assert not (tmp_path / "state" / "ledger.sqlite").exists()


def test_a_policy_that_is_gone_trains_nothing(ask):
    reply, _ = ask(lambda folder: (folder / "policy.toml").unlink())
    assert "must find a policy.toml with budget.max-epsilon at the site, got none" in refused(reply)


def test_a_state_folder_that_cannot_be_written_trains_nothing(ask):
    """No file system lets anybody, root included, make a folder here."""
    reply, log = ask(state=Path("/proc/self/concord"))
    assert refused(reply) == LEDGER
    assert "state folder must be one that can be written, got '/proc/self/concord'" in log


@contextlib.contextmanager
def full_disk():
    """Every write beyond 8 KiB of a file fails."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (8192, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_full_disk_trains_nothing(ask, tmp_path):
    reply, log = ask(around=full_disk)
    assert refused(reply) == LEDGER
    assert "must be a database that can be read and written" in log
    path = tmp_path / "state" / "ledger.sqlite"
    assert not path.exists() or not Ledger(path).entries()


def begin_ledger(folder):
    """Make a ledger with one entry, which costs nothing."""
    (folder / "state").mkdir()
    ledger = Ledger(folder / "state" / "ledger.sqlite")
    ledger.accept_cohort(read_cohort(folder / "lyon").fingerprint)
    return ledger


def test_a_ledger_that_may_only_be_read_trains_nothing(ask, tmp_path, monkeypatch):
    begin_ledger(tmp_path)
    real = Ledger._open

    @contextlib.contextmanager
    def only_read(ledger):
        with real(ledger) as database:
            database.execute("PRAGMA query_only = ON")
            yield database

    monkeypatch.setattr(Ledger, "_open", only_read)
    reply, log = ask()
    assert refused(reply) == LEDGER
    assert "attempt to write a readonly database" in log


def test_a_clock_that_went_back_trains_nothing(ask, tmp_path, monkeypatch):
    ledger = begin_ledger(tmp_path)
    past = time.time() - 3600
    monkeypatch.setattr("privacy.ledger.time.time", lambda: past)
    reply, log = ask()
    assert refused(reply) == LEDGER
    assert "The clock must not go back" in log
    assert len(ledger.entries()) == 1


def test_the_command_ends_with_the_sites_sentences(led, governed, tmp_path, capsys):
    edited("steps = 4", "step = 4")(governed / "lyon")
    for name in ("bergen", "porto"):
        (governed / name / "policy.toml").unlink()
    pairs = flatten(led.config) | {"sites": str(governed), "out": str(tmp_path / "out")}
    words = [
        w
        for k, v in pairs.items()
        if k not in ("sites", "out", "resume")
        for w in ("--set", f"{k}={v}")
    ]
    code = main(["run", "--sites", str(governed), "--out", str(tmp_path / "out"), *words])
    told = capsys.readouterr().err
    assert code == 2
    assert UNREADABLE in told
    assert "must find a policy.toml with budget.max-epsilon at the site" in told
    assert "Traceback" not in told
    assert not (tmp_path / "out" / "result.json").exists()
