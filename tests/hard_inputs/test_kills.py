"""A run that is killed outright, wherever it is, loses no finished round and counts none twice."""

import copy
import random
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from server.progress import FILE
from tests.hard_inputs.killed_runs import ROOT, ROUNDS, Run, Warm, start
from tests.hard_inputs.sound import make_sites

KINDS = {
    "fedavg": (),
    "fedadam": ("federation.strategy=fedadam",),
    "scaffold": ("federation.strategy=scaffold",),
    "own-heads": ("federation.personal=head",),
}
"""Runs that keep different things between rounds."""


@pytest.fixture(scope="module")
def sites(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_sites(tmp_path_factory.mktemp("kills") / "sites")


@pytest.fixture(scope="module")
def warm(sites: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Warm]:
    process = Warm(start(sites, tmp_path_factory.mktemp("warm") / "run"))
    yield process
    process.close()


@pytest.fixture(scope="module")
def straight(warm, sites, tmp_path_factory):
    """Runs that nobody killed, each made once."""
    made: dict[str, tuple[Run, float]] = {}

    def straight(kind: str) -> tuple[Run, float]:
        if kind not in made:
            run = Run(warm, sites, tmp_path_factory.mktemp("straight") / "run", KINDS[kind])
            made[kind] = (run, run.go())
            assert run.ended
        return made[kind]

    return straight


def assert_same(run: Run, other: Run) -> None:
    """Both ended alike, bit for bit, and left the same files."""
    assert run.ended
    assert run.files() == other.files()
    model = "model.safetensors"
    assert (run.out / model).read_bytes() == (other.out / model).read_bytes()
    assert run.result() == other.result()
    rounds = run.result()["rounds"]
    assert [one["round"] for one in copy.copy(rounds)] == list(range(ROUNDS + 1))


def killed_until(kills: int, kinds: list[str], straight, tmp_path: Path) -> dict[str, int]:
    """Kill runs at random moments until so many kills fell; return kills by kind of run."""
    rng, counts, number = random.Random(kills), dict.fromkeys(kinds, 0), 0
    while sum(counts.values()) < kills:
        kind = kinds[number % len(kinds)]
        other, seconds = straight(kind)
        run = Run(other.warm, other.sites, tmp_path / f"run-{number}", KINDS[kind])
        wanted = min(rng.randint(1, 6), kills - sum(counts.values()))
        while not run.ended:
            limit = {"seconds": rng.uniform(0, seconds)} if run.kills < wanted else {}
            run.go(**limit)
        assert_same(run, other)
        counts[kind] += run.kills
        number += 1
    return counts


def test_a_run_killed_at_random_moments_ends_as_if_it_had_not_been(straight, tmp_path):
    assert sum(killed_until(3, ["fedavg"], straight, tmp_path).values()) == 3


@pytest.mark.hard
def test_a_hundred_kills_lose_no_round_and_count_none_twice(straight, tmp_path):
    counts = killed_until(100, list(KINDS), straight, tmp_path)
    sys.stdout.write(f"\n{sum(counts.values())} kills at random moments: {counts}\n")


@pytest.mark.parametrize("moment", ["halved", "renamed"])
@pytest.mark.parametrize("number", [1, ROUNDS + 1, ROUNDS + 3])
def test_a_run_killed_in_a_write_ends_as_if_it_had_not_been(straight, tmp_path, moment, number):
    """Writes: 1 + 12 checkpoints, then the model, the report and the result."""
    other, _ = straight("fedavg")
    run = Run(other.warm, other.sites, tmp_path / "run")
    run.go(moment=moment, number=number)
    assert run.kills == 1
    if not run.ended:
        run.go()
    assert_same(run, other)


@pytest.mark.hard
@pytest.mark.parametrize("seed", range(5))
def test_the_real_command_is_killed(straight, tmp_path, seed):
    other, _ = straight("fedavg")
    run, rng = Run(other.warm, other.sites, tmp_path / "run"), random.Random(seed)
    program = [sys.executable, "-m", "simulations.cli"]
    process = subprocess.Popen(
        [*program, *run.words()], cwd=ROOT, start_new_session=True,
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    while not (run.out / FILE).exists():
        assert process.poll() is None
    with pytest.raises(subprocess.TimeoutExpired):
        process.wait(rng.uniform(0.01, 0.3))
    process.kill()
    process.wait()
    run.check()
    again = subprocess.run([*program, *run.words()], cwd=ROOT, capture_output=True, check=False)
    assert again.returncode == 0, again.stderr
    assert_same(run, other)
