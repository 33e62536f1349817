"""Whenever a private run is killed, the ledgers say at least what was spent, and hardly more."""

import random
import shutil
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from client.policy import read_policy
from privacy.accountant import epsilon_of
from privacy.ledger import Ledger
from server.progress import FILE
from tests.hard_inputs.killed_runs import Run, Warm, start
from tests.hard_inputs.sound import make_sites

ROUNDS = 3
STEPS = 2
"""Noisy steps of a round."""

POLICY = f"""
[cohort]
public-size = 8
[budget]
max-epsilon = 20
delta = 1e-2
[run]
epsilon = 6
steps = {ROUNDS * STEPS}
[allowed]
exact-releases = ["counts", "scaling"]
"""
SETTINGS = (
    f"rounds={ROUNDS}", "privacy.mode=record-level", "objective.name=discrete-time",
    "audit.background=input-mean",
)  # fmt: skip
MOMENTS = ("appended", "charged", "trained", "kept")
"""Within a site's reserve, train and commit; a fifth kind of kill falls at any time."""


@dataclass(frozen=True)
class Straight:
    """The run that nobody killed."""

    run: Run
    seconds: float

    @property
    def sites(self) -> list[str]:
        return sorted(path.name for path in self.run.sites.iterdir())


@pytest.fixture(scope="module")
def straight(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Straight]:
    sites = make_sites(tmp_path_factory.mktemp("private") / "sites")
    for site in sites.iterdir():
        (site / "policy.toml").write_text(POLICY, encoding="utf-8")
    folder = tmp_path_factory.mktemp("straight")
    warm = Warm(start(sites, folder / "warm", *SETTINGS))
    run = Run(warm, sites, folder / "run", SETTINGS)
    seconds = run.go(steps=str(folder / "steps"))
    yield Straight(run, seconds)
    warm.close()


def charged(run: Run, site: str) -> list:
    """The events of a site's ledger, once its chain and head have been checked."""
    path = run.out / "state" / site / "ledger.sqlite"
    if not path.exists():
        return []
    return [event for entry in Ledger(path).entries() for event in entry.events]


def assert_counted(run: Run, steps: Path, straight: Straight) -> None:
    """Spent is never below what was taken, and at most a round above the straight run."""
    taken = Counter(steps.read_text().split()) if steps.exists() else Counter()
    for site in straight.sites:
        events, usual = charged(run, site), charged(straight.run, site)
        assert sum(event.count for event in events) >= taken[site]
        assert epsilon_of(events, delta=1e-2) <= epsilon_of([*usual, usual[0]], delta=1e-2)
        assert {event.noise_multiplier for event in events} <= {usual[0].noise_multiplier}


def killed_once(straight: Straight, folder: Path, rng: random.Random) -> str:
    """Kill a run once, check the ledgers, let it end and check them again; return the moment."""
    run = Run(straight.run.warm, straight.run.sites, folder / "run", SETTINGS)
    steps, moment = folder / "steps", rng.choice([*MOMENTS, "any"])
    at = {"moment": moment, "number": rng.randint(1, ROUNDS * len(straight.sites))}
    at = at if moment != "any" else {"seconds": rng.uniform(0.1, 0.9) * straight.seconds}
    run.go(steps=str(steps), **at)
    assert_counted(run, steps, straight)
    if not (run.out / FILE).exists():
        shutil.rmtree(run.out, ignore_errors=True)
        steps.unlink(missing_ok=True)
    if not run.ended:
        run.go(steps=str(steps))
    assert run.ended
    assert_counted(run, steps, straight)
    return moment if run.kills else "ended first"


def kill(number: int, straight: Straight, folder: Path) -> Counter[str]:
    rng, seen = random.Random(number), Counter[str]()
    while seen.total() - seen["ended first"] < number:
        place = folder / str(seen.total())
        place.mkdir()
        seen[killed_once(straight, place, rng)] += 1
        shutil.rmtree(place)
    return seen


def test_the_straight_run_spends_what_it_takes(straight):
    for site in straight.sites:
        events = charged(straight.run, site)
        assert [event.count for event in events] == [STEPS] * ROUNDS
        policy = read_policy(straight.run.sites / site)
        assert 5.9 < epsilon_of(events, delta=policy.delta) <= policy.epsilon


@pytest.mark.parametrize("moment", MOMENTS)
def test_a_site_killed_in_a_round_counts_what_it_took(straight, tmp_path, moment):
    run = Run(straight.run.warm, straight.run.sites, tmp_path / "run", SETTINGS)
    steps = tmp_path / "steps"
    run.go(steps=str(steps), moment=moment, number=2)
    assert run.kills == 1
    assert_counted(run, steps, straight)
    before = {site: len(charged(run, site)) for site in straight.sites}
    # killed at the second site's first round: a commit that did not happen has charged nobody
    assert sorted(before.values()) == ([0, 1] if moment == "appended" else [1, 1])
    run.go(steps=str(steps))
    assert_counted(run, steps, straight)
    # a round paid for twice is one round less: no run takes more than the policy's steps
    assert all(len(charged(run, site)) == ROUNDS for site in straight.sites)


@pytest.mark.hard
def test_a_hundred_kills_never_understate_what_was_spent(straight, tmp_path):
    seen = kill(100, straight, tmp_path)
    sys.stdout.write(f"\n100 private runs killed once each: {dict(seen)}\n")
