"""The budget of one site: every charge written before it is spent, and none ever forgotten."""

import json
import sqlite3
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from privacy.accountant import Spent, epsilon_of, spent
from privacy.entries import Charge, Entry, Limit, chained
from privacy.errors import BudgetExhaustedError, LedgerError, PrivacyError
from privacy.events import PrivacyEvent
from privacy.heads import GENESIS, Head

LARGEST_STEP_BACK = 300.0
"""Seconds that a clock may be set back, as time servers do."""

ROUNDING = 1e-9
"""Part by which the same events, counted in another order, may differ in epsilon."""

SCHEMA = """
CREATE TABLE IF NOT EXISTS entries (number INTEGER PRIMARY KEY, body TEXT NOT NULL,
                                    hash TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS replies (run TEXT, round INTEGER, model TEXT, reply BLOB NOT NULL,
                                    PRIMARY KEY (run, round, model));
"""


class Ledger:
    """A SQLite file that only grows, its hash chain, and heads of the chain in other files.

    A crash between a charge and its work leaves the charge: what is spent is never understated.
    An edited or missing row, an older copy, or a file that was removed is refused. Limit: who
    restores the file and all its heads together is not detected.

    Args:
        path: The file; made if absent, unless a head says that there was one.
        mirrors: More places for the head, best on another disk.

    Raises:
        LedgerError: The ledger is not what it was, or cannot be opened.

    Source: own.
    """

    def __init__(self, path: Path, mirrors: Sequence[Path] = ()) -> None:
        self.path = path
        self.heads = (path.with_suffix(".head"), *mirrors)
        if not path.is_file() and any(Head.read(place) for place in self.heads):
            raise LedgerError(
                f"The ledger must be where it was, got no file at '{path}' though its head is "
                "there. Restore it from a backup."
            )
        with self._open() as database:
            database.executescript(SCHEMA)
        self.entries()

    def entries(self) -> tuple[Entry, ...]:
        """Return every entry, once the chain and the heads have been checked.

        Raises:
            LedgerError: A row was changed or removed, or the file is older than a head.
        """
        with self._open() as database:
            return self._checked(database)

    def spent(self, *, delta: float) -> Spent:
        """Return what each patient has spent.

        Raises:
            LedgerError: The ledger is not what it was.
        """
        return spent(_events(self.entries()), delta=delta)

    def charge(self, charge: Charge, limit: Limit) -> Entry:
        """Write a charge before it is spent, or refuse it and write that.

        Args:
            charge: What is about to be done.
            limit: Of the site's policy.

        Returns:
            The new entry; it counts, whatever happens to the work it pays for.

        Raises:
            BudgetExhaustedError: It would pass the limit; the refusal is in the ledger.
            PrivacyError: The run would take more steps than one may.
            LedgerError: The cohort is another, the clock went back, or the ledger is not what it
                was or cannot be written.
        """
        with self._open() as database:
            entries = self._checked(database)
            _check_cohort(entries, charge)
            _check_steps(entries, charge, limit)
            cost = epsilon_of([*_events(entries), *charge.events], delta=limit.delta)
            refused = _objection(entries, charge, limit, cost)
            body = charge.to_fields() | {"epsilon": cost, "delta": limit.delta}
            entry = self._append(database, entries, "refusal" if refused else "charge", body)
        self._write_heads()
        if refused:
            raise BudgetExhaustedError(refused)
        return entry

    def accept_cohort(self, cohort: str) -> Entry:
        """Write that a person has accepted a changed cohort; what was spent stays spent.

        Raises:
            LedgerError: The ledger is not what it was or cannot be written.
        """
        with self._open() as database:
            entries = self._checked(database)
            entry = self._append(database, entries, "cohort", {"cohort": cohort})
        self._write_heads()
        return entry

    def stored_reply(self, run: str, round_number: int, model: str) -> bytes | None:
        """Return the reply that was given to this request before; None if there was none."""
        with self._open() as database:
            query = "SELECT reply FROM replies WHERE run = ? AND round = ? AND model = ?"
            row = database.execute(query, (run, round_number, model)).fetchone()
        return None if row is None else bytes(row[0])

    def keep_reply(self, run: str, round_number: int, model: str, reply: bytes) -> None:
        """Keep a reply for the same request; those of other runs are let go.

        Raises:
            LedgerError: The ledger cannot be written.
        """
        with self._open() as database:
            database.execute("BEGIN IMMEDIATE")
            database.execute("DELETE FROM replies WHERE run <> ?", (run,))
            row = (run, round_number, model, reply)
            database.execute("INSERT OR REPLACE INTO replies VALUES (?, ?, ?, ?)", row)

    @contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        """Yield a connection; what is written in it is on the disk, or nothing of it is."""
        try:
            database = sqlite3.connect(self.path, timeout=60.0, isolation_level=None)
            try:
                database.execute("PRAGMA synchronous = EXTRA")
                yield database
                if database.in_transaction:
                    database.execute("COMMIT")
            finally:
                database.close()
        except sqlite3.Error as error:
            raise LedgerError(
                f"The ledger must be a database that can be read and written, got: {error} at "
                f"'{self.path}'. Mend the disk or its rights; nothing was trained."
            ) from None

    def _checked(self, database: sqlite3.Connection) -> tuple[Entry, ...]:
        """Return the entries; from here on no other process writes until the connection ends."""
        database.execute("BEGIN IMMEDIATE")
        rows = database.execute("SELECT number, body, hash FROM entries ORDER BY number").fetchall()
        chain = [GENESIS]
        for place, (number, body, told) in enumerate(rows, start=1):
            if number != place or told != chained(chain[-1], body):
                raise LedgerError(
                    f"The ledger's chain must be unbroken, got a changed or missing entry {place} "
                    f"in '{self.path}'. Restore it from a backup."
                )
            chain.append(told)
        for file in self.heads:
            _check_head(file, Head.read(file), chain)
        return tuple(Entry.read(number, body) for number, body, _ in rows)

    def _append(
        self,
        database: sqlite3.Connection,
        entries: Sequence[Entry],
        kind: str,
        body: Mapping[str, Any],
    ) -> Entry:
        now, last = time.time(), entries[-1].time if entries else 0.0
        if now < last - LARGEST_STEP_BACK:
            raise LedgerError(
                f"The clock must not go back, got a time {last - now:.0f} s before the ledger's "
                f"last entry in '{self.path}'. Set the clock."
            )
        text = json.dumps({"kind": kind, "time": now, **body}, sort_keys=True)
        number = len(entries) + 1
        before = database.execute("SELECT hash FROM entries WHERE number = ?", (number - 1,))
        row = before.fetchone()
        hashed = chained(row[0] if row else GENESIS, text)
        if number == 1:
            for place in self.heads:
                Head().write(place)
        database.execute("INSERT INTO entries VALUES (?, ?, ?)", (number, text, hashed))
        return Entry.read(number, text)

    def _write_heads(self) -> None:
        with self._open() as database:
            query = "SELECT number, hash FROM entries ORDER BY number DESC LIMIT 1"
            head = Head(*database.execute(query).fetchone())
        for place in self.heads:
            head.write(place)


def _check_head(file: Path, head: Head | None, chain: Sequence[str]) -> None:
    """Raise unless a head names an entry of the chain."""
    if head is None:
        if len(chain) > 1:
            raise LedgerError(
                f"The ledger's head must be where it was, got no file at '{file}'. Restore it from "
                "a backup; for a new mirror run `concord-site ledger verify --new-mirror`."
            )
    elif head.entries >= len(chain):
        raise LedgerError(
            f"The ledger must have at least the {head.entries} entries of its head '{file}', got "
            f"{len(chain) - 1}: an older copy was put back. Restore the newest."
        )
    elif chain[head.entries] != head.hash:
        raise LedgerError(
            f"The ledger must be the one of its head '{file}', got another entry {head.entries}. "
            "Restore it from a backup."
        )


def _check_cohort(entries: Sequence[Entry], charge: Charge) -> None:
    known = [e.body["cohort"] for e in entries if e.kind in ("charge", "cohort")]
    if known and known[-1] != charge.cohort:
        raise LedgerError(
            f"The cohort must stay the one that the ledger counts for, got {charge.cohort[:12]} "
            f"instead of {known[-1][:12]}. If it was changed on purpose, a person accepts it with "
            "`concord-site ledger accept-cohort SITE`; what was spent stays spent."
        )


def _check_steps(entries: Sequence[Entry], charge: Charge, limit: Limit) -> None:
    done = sum(entry.steps for entry in entries if entry.body.get("run") == charge.run)
    asked = 0 if charge.release else sum(event.count for event in charge.events)
    if asked and limit.run_steps is not None and done + asked > limit.run_steps:
        raise PrivacyError(
            f"A run must take at most the {limit.run_steps} steps of the site's policy, got {done} "
            f"taken and {asked} more asked. Start a new run."
        )


def _objection(entries: Sequence[Entry], charge: Charge, limit: Limit, cost: float) -> str | None:
    """Return why a charge passes the limit of a patient or that of one run, or None."""
    if cost > limit.max_epsilon:
        left = max(limit.max_epsilon - epsilon_of(_events(entries), delta=limit.delta), 0.0)
        return (
            f"Budget exhausted: {charge.what} would bring epsilon to {cost:.3f}, but the site "
            f"allows {limit.max_epsilon:g} at delta {limit.delta:g} and has {left:.3f} left. "
            "Lower the rounds, or let the site raise max-epsilon."
        )
    if limit.run_epsilon is None:
        return None
    own = _events([entry for entry in entries if entry.body.get("run") == charge.run])
    told = epsilon_of([*own, *charge.events], delta=limit.delta)
    if told <= limit.run_epsilon * (1 + ROUNDING):
        return None
    return (
        f"Budget exhausted: {charge.what} would bring this run's epsilon to {told:.3f}, but the "
        f"site allows one run {limit.run_epsilon:g} at delta {limit.delta:g}. Ask for fewer "
        "rounds or audits, or start a new run."
    )


def _events(entries: Sequence[Entry]) -> list[PrivacyEvent]:
    return [event for entry in entries for event in entry.events]
