import contextlib
import json
import math
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from dataclasses import replace

import pytest
from scipy.optimize import brentq
from scipy.stats import norm

from privacy.accountant import epsilon_of
from privacy.entries import Charge, Limit
from privacy.errors import BudgetExhaustedError, LedgerError, PrivacyError
from privacy.events import PrivacyEvent
from privacy.heads import Head
from privacy.ledger import Ledger

LIMIT = Limit(max_epsilon=3.0, delta=1e-3)
STEPS = PrivacyEvent("gaussian", 10.0, count=25)
CHARGE = Charge("run-1", 1, "aa", "cohort-1", 1.0, (STEPS,))


def round_of(number, **changes):
    return replace(CHARGE, round=number, **changes)


def cost_of(number):
    return epsilon_of([STEPS] * number, delta=1e-3)


@pytest.fixture
def ledger(tmp_path):
    return Ledger(tmp_path / "ledger.sqlite", [tmp_path / "other" / "ledger.head"])


@pytest.fixture(autouse=True)
def other_disk(tmp_path):
    (tmp_path / "other").mkdir()


def test_charges_add_up_over_rounds_runs_and_openings(ledger):
    ledger.charge(round_of(1), LIMIT)
    ledger.charge(round_of(2), LIMIT)
    again = Ledger(ledger.path, ledger.heads[1:])
    again.charge(round_of(1, run="run-2"), LIMIT)
    assert again.spent(delta=1e-3).epsilon == pytest.approx(cost_of(3), rel=1e-9)
    assert [entry.body["run"] for entry in again.entries()] == ["run-1", "run-1", "run-2"]


def test_different_mechanisms_are_composed(ledger):
    laplace = PrivacyEvent("laplace", 4.0)
    ledger.charge(CHARGE, LIMIT)
    ledger.charge(round_of(-1, events=(laplace,)), LIMIT)
    assert ledger.spent(delta=1e-3).epsilon == epsilon_of([STEPS, laplace], delta=1e-3)


def test_the_charge_that_would_pass_the_limit_is_refused_and_costs_nothing(ledger):
    with pytest.raises(BudgetExhaustedError, match=r"epsilon to 3\.\d+, but the site allows 3 at"):
        charge_rounds(ledger)
    granted = len(ledger.entries()) - 1
    assert cost_of(granted) <= 3.0 < cost_of(granted + 1)
    assert ledger.spent(delta=1e-3).epsilon == pytest.approx(cost_of(granted), rel=1e-9)
    assert ledger.entries()[-1].kind == "refusal"
    with pytest.raises(BudgetExhaustedError, match="Budget exhausted"):
        ledger.charge(round_of(1, run="another"), LIMIT)


def test_a_smaller_charge_still_fits_after_a_refusal(ledger):
    with pytest.raises(BudgetExhaustedError):
        ledger.charge(round_of(1, events=(PrivacyEvent("gaussian", 0.6),)), LIMIT)
    assert ledger.charge(round_of(2), LIMIT).kind == "charge"


@pytest.mark.parametrize("column", ["body", "hash"])
def test_an_edited_row_is_noticed(ledger, column):
    for number in (1, 2):
        ledger.charge(round_of(number), LIMIT)
    edit(ledger, f"UPDATE entries SET {column} = replace({column}, 'a', 'b') WHERE number = 1")
    with pytest.raises(LedgerError, match="chain must be unbroken, got a changed or missing entry"):
        ledger.charge(round_of(3), LIMIT)


@pytest.mark.parametrize(("number", "told"), [(1, "chain must be unbroken"), (2, "older copy")])
def test_a_removed_row_is_noticed(ledger, number, told):
    for place in (1, 2):
        ledger.charge(round_of(place), LIMIT)
    edit(ledger, f"DELETE FROM entries WHERE number = {number}")
    with pytest.raises(LedgerError, match=told):
        ledger.entries()


def test_a_chain_written_anew_is_noticed(tmp_path, ledger):
    ledger.charge(CHARGE, LIMIT)
    other = Ledger(tmp_path / "cheap.sqlite")
    other.charge(round_of(1, events=(PrivacyEvent("gaussian", 1e3),)), LIMIT)
    shutil.copy(other.path, ledger.path)
    with pytest.raises(LedgerError, match="must be the one of its head"):
        Ledger(ledger.path, ledger.heads[1:])


def test_an_older_copy_is_noticed_even_with_the_head_beside_it(tmp_path, ledger):
    ledger.charge(CHARGE, LIMIT)
    for file in (ledger.path, ledger.heads[0]):
        shutil.copy(file, tmp_path / f"old-{file.name}")
    ledger.charge(round_of(2), LIMIT)
    for file in (ledger.path, ledger.heads[0]):
        shutil.copy(tmp_path / f"old-{file.name}", file)
    with pytest.raises(LedgerError, match="an older copy was put back"):
        Ledger(ledger.path, ledger.heads[1:])


@pytest.mark.parametrize("place", ["ledger", "head", "mirror"])
def test_a_file_that_was_removed_is_noticed(ledger, place):
    ledger.charge(CHARGE, LIMIT)
    files = dict(zip(("ledger", "head", "mirror"), (ledger.path, *ledger.heads), strict=True))
    files[place].unlink()
    with pytest.raises(LedgerError, match="must be where it was"):
        Ledger(ledger.path, ledger.heads[1:])


def test_a_head_that_lags_behind_is_a_crash_and_no_fraud(ledger):
    ledger.charge(CHARGE, LIMIT)
    before = [Head.read(place) for place in ledger.heads]
    ledger.charge(round_of(2), LIMIT)
    for head, place in zip(before, ledger.heads, strict=True):
        head.write(place)
    assert ledger.charge(round_of(3), LIMIT).number == 3
    assert Head.read(ledger.heads[1]).entries == 3


def test_a_head_that_cannot_be_written_stops_the_round_but_not_the_count(tmp_path, ledger):
    ledger.charge(CHARGE, LIMIT)
    shutil.rmtree(tmp_path / "other")
    (tmp_path / "other").write_text("no folder")
    with pytest.raises(LedgerError, match="head must be"):
        ledger.charge(round_of(2), LIMIT)


def test_another_cohort_is_refused_until_a_person_accepts_it(ledger):
    ledger.charge(CHARGE, LIMIT)
    with pytest.raises(LedgerError, match="cohort must stay the one"):
        ledger.charge(round_of(2, cohort="cohort-2"), LIMIT)
    ledger.accept_cohort("cohort-2")
    ledger.charge(round_of(2, cohort="cohort-2"), LIMIT)
    assert ledger.spent(delta=1e-3).epsilon == pytest.approx(cost_of(2), rel=1e-9)


def test_a_clock_that_goes_back_is_refused(ledger, monkeypatch):
    ledger.charge(CHARGE, LIMIT)
    past = time.time() - 3600
    monkeypatch.setattr("privacy.ledger.time.time", lambda: past)
    with pytest.raises(LedgerError, match=r"clock must not go back, got a time 3[56]"):
        ledger.charge(round_of(2), LIMIT)


def test_a_repeated_request_finds_its_reply(ledger):
    ledger.keep_reply("run-1", 1, "aa", b"weights")
    assert ledger.stored_reply("run-1", 1, "aa") == b"weights"
    assert ledger.stored_reply("run-1", 1, "bb") is None
    ledger.keep_reply("run-2", 1, "aa", b"others")
    assert ledger.stored_reply("run-1", 1, "aa") is None


def test_a_ledger_that_cannot_be_written_is_refused(tmp_path):
    (tmp_path / "folder.sqlite").mkdir()
    with pytest.raises(LedgerError, match="must be a database that can be read and written"):
        Ledger(tmp_path / "folder.sqlite")


def test_a_file_that_is_no_ledger_is_refused(tmp_path):
    (tmp_path / "ledger.sqlite").write_text("not a database" * 100)
    with pytest.raises(LedgerError, match="file is not a database"):
        Ledger(tmp_path / "ledger.sqlite")


def test_a_full_disk_is_refused_and_nothing_is_counted_as_granted(ledger):
    ledger.charge(CHARGE, LIMIT)
    pages = edit(ledger, "PRAGMA page_count")[0][0]
    ledger_open = ledger._open

    def narrow():
        return limited(ledger_open(), pages)

    ledger._open = narrow
    with pytest.raises(LedgerError, match="database or disk is full"):
        charge_rounds(ledger, model="m" * 4000)
    del ledger._open
    assert all(entry.kind == "charge" for entry in ledger.entries())


class limited:  # noqa: N801 -- a context manager, used as a word
    def __init__(self, opened, pages):
        self.opened, self.pages = opened, pages

    def __enter__(self):
        database = self.opened.__enter__()
        database.execute(f"PRAGMA max_page_count = {self.pages}")
        return database

    def __exit__(self, *reason):
        return self.opened.__exit__(*reason)


def test_a_head_that_is_no_head_is_refused(ledger):
    ledger.charge(CHARGE, LIMIT)
    ledger.heads[0].write_text(json.dumps({"entries": "x"}))
    with pytest.raises(LedgerError, match="head must be a file of its own making"):
        ledger.entries()


def test_two_writers_at_once_are_both_counted(ledger):
    def write(name):
        for number in range(3):
            ledger.charge(round_of(number, run=name), Limit(100.0, 1e-3))

    writers = [threading.Thread(target=write, args=(name,)) for name in "ab"]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert len(ledger.entries()) == 6
    assert ledger.spent(delta=1e-3).epsilon == pytest.approx(cost_of(6), rel=1e-9)


def test_two_processes_at_once_are_both_counted(ledger):
    children = []
    for name in "ab":
        child = os.fork()
        if child == 0:  # no test goes on in here
            try:
                for number in range(3):
                    ledger.charge(round_of(number, run=name), Limit(100.0, 1e-3))
            finally:
                os._exit(0)
        children.append(child)
    for child in children:
        os.waitpid(child, 0)
    assert sorted(entry.body["run"] for entry in ledger.entries()) == ["a"] * 3 + ["b"] * 3
    assert ledger.spent(delta=1e-3).epsilon == pytest.approx(cost_of(6), rel=1e-9)


def true_cost_of_what_is_granted(ledger):
    """Epsilon of all granted rounds by the closed form, whatever the ledger thinks it is."""
    with contextlib.suppress(BudgetExhaustedError):
        charge_rounds(ledger)
    granted = sum(entry.kind == "charge" for entry in ledger.entries())
    # 25 steps a round of noise 10: mu = sqrt(25 rounds) / 10
    mu = math.sqrt(25 * granted) / 10

    def excess(epsilon):  # Balle and Wang 2018
        tail = norm.cdf(mu / 2 - epsilon / mu)
        return tail - math.exp(epsilon) * norm.cdf(-mu / 2 - epsilon / mu) - LIMIT.delta

    return brentq(excess, 0, 200)


def test_granted_rounds_cost_no_more_than_the_limit_by_another_formula(ledger):
    assert 2.3 < true_cost_of_what_is_granted(ledger) <= LIMIT.max_epsilon


def test_an_accountant_that_starts_anew_each_round_is_caught(monkeypatch, ledger):
    monkeypatch.setattr("privacy.ledger._events", lambda _: [])
    assert true_cost_of_what_is_granted(ledger) > LIMIT.max_epsilon


KILLED = """
import sys
from pathlib import Path
from privacy.entries import Charge, Limit
from privacy.events import PrivacyEvent
from privacy.ledger import Ledger

ledger = Ledger(Path(sys.argv[1]))
print("open", flush=True)
for number in range(1, 1000):
    events = (PrivacyEvent("gaussian", 10.0),)
    ledger.charge(Charge("run", number, "aa", "cohort", 1.0, events), Limit(100.0, 1e-3))
    print(number, flush=True)
"""


def test_a_process_killed_at_any_moment_leaves_every_granted_charge(tmp_path):
    path = tmp_path / "ledger.sqlite"
    before = 0
    for wait in (0.0, 0.1, 0.3):
        words = [sys.executable, "-c", KILLED, str(path)]
        with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout.readline() == "open\n"
            time.sleep(wait)
            os.kill(process.pid, signal.SIGKILL)
            granted = process.stdout.read().count("\n")
        charged = len(Ledger(path).entries()) - before
        assert granted <= charged <= granted + 1
        before += charged


def charge_rounds(ledger, **changes):
    for number in range(1, 60):
        ledger.charge(round_of(number, **changes), LIMIT)


def edit(ledger, statement):
    database = sqlite3.connect(ledger.path)
    found = database.execute(statement).fetchall()
    database.commit()
    database.close()
    return found


def test_a_run_takes_no_more_steps_than_the_policy_has(ledger):
    limit = replace(LIMIT, run_steps=50)
    for number in (1, 2):
        ledger.charge(round_of(number), limit)
    with pytest.raises(PrivacyError, match=r"at most the 50 steps .* got 50 taken and 25 more"):
        ledger.charge(round_of(3), limit)
    assert ledger.charge(round_of(1, run="run-2"), limit).kind == "charge"


def test_a_release_is_no_step_and_names_itself(ledger):
    noise = PrivacyEvent("gaussian", 20.0)
    limit = replace(LIMIT, run_steps=25)
    ledger.charge(CHARGE, limit)
    entry = ledger.charge(round_of(-1, events=(noise,), release="test"), limit)
    assert (entry.steps, entry.body["release"]) == (0, "test")
    assert sum(one.steps for one in ledger.entries()) == 25


def test_one_run_may_spend_its_own_epsilon_alone(ledger):
    run = cost_of(1) * 1.1
    limit = replace(LIMIT, run_epsilon=run)
    ledger.charge(CHARGE, limit)
    noise = PrivacyEvent("gaussian", 3.0)
    told = (
        rf"^Budget exhausted: release 'test' would bring this run's epsilon to .* one run {run:g}"
    )
    with pytest.raises(BudgetExhaustedError, match=told):
        ledger.charge(round_of(-1, events=(noise,), release="test"), limit)
    assert [entry.kind for entry in ledger.entries()] == ["charge", "refusal"]
    ledger.charge(round_of(1, run="run-2"), limit)


def test_what_a_plan_counts_is_what_a_run_may_spend_in_any_order(ledger):
    noises = [
        PrivacyEvent("gaussian", 6.0),
        PrivacyEvent("laplace", 9.0),
        PrivacyEvent("gaussian", 7.0),
    ]
    steps = replace(STEPS, count=5)
    whole = epsilon_of([*noises, replace(STEPS, count=25)], delta=1e-3)
    limit = replace(LIMIT, run_epsilon=whole, run_steps=25)
    for noise in noises:
        ledger.charge(round_of(-1, events=(noise,), release="test"), limit)
    for number in range(5):
        ledger.charge(round_of(number, events=(steps,)), limit)
    assert ledger.spent(delta=1e-3).epsilon == pytest.approx(whole, rel=1e-9)
