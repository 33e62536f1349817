"""Runs that are killed outright and taken up again, by a process that forks each command."""

import json
import signal
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

from server.progress import FILE, load_progress

ROOT = Path(__file__).parents[2]
KILLED = -signal.SIGKILL
ROUNDS = 12
SMALL = (
    f"rounds={ROUNDS}", "training.local-steps=2", "model.width=4", "model.hidden=8",
    "model.tokens=2", "data.max-patches=4", "split.validation=0.25", "split.test=0.25",
    "evaluation.time-bins=4", "evaluation.risk-bins=4", "federation.wait-seconds=0",
    "training.lr=0.01",
)  # fmt: skip


def start(sites: Path, out: Path, *settings: str) -> list[str]:
    pairs = [word for pair in (*SMALL, *settings) for word in ("--set", pair)]
    return ["run", "--sites", str(sites), "--out", str(out), *pairs]


class Warm:
    """The warm process, spoken to a line at a time."""

    def __init__(self, words: list[str]) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.hard_inputs.warm"], cwd=ROOT, text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        self._tell(words=words)

    def _tell(self, **order: object) -> None:
        assert self._process.stdin
        self._process.stdin.write(json.dumps(order) + "\n")
        self._process.stdin.flush()

    def run(self, **order: object) -> dict[str, float]:
        assert self._process.stdout
        self._tell(**order)
        told = json.loads(self._process.stdout.readline())
        assert isinstance(told, dict)
        return told

    def close(self) -> None:
        self._process.communicate()


@dataclass
class Run:
    """One run that is started and taken up again until it has ended."""

    warm: Warm
    sites: Path
    out: Path
    settings: tuple[str, ...] = ()
    kills: int = 0
    seen: list[int] = field(default_factory=list)

    def words(self) -> list[str]:
        """The command a person would type now: resume what has a checkpoint, else start."""
        if (self.out / FILE).exists():
            return ["run", "--resume", str(self.out)]
        return start(self.sites, self.out, *self.settings)

    def go(self, **order: object) -> float:
        """Run once; return its seconds. It may only end well or killed."""
        log = self.out.with_suffix(".log")
        ended = self.warm.run(words=self.words(), log=str(log), **order)
        assert ended["code"] in (0, KILLED), log.read_text(encoding="utf-8")
        self.kills += ended["code"] == KILLED
        self.check()
        return ended["seconds"]

    @property
    def ended(self) -> bool:
        return (self.out / "result.json").exists()

    def check(self) -> None:
        """Whatever was killed when: the checkpoint is whole, its rounds in order, none is lost."""
        if not (self.out / FILE).exists():
            assert not self.seen
            return
        progress, _ = load_progress(self.out)
        numbers = [record["round"] for record in progress.records]
        assert numbers == list(range(progress.round + 1))
        assert progress.round >= max(self.seen, default=0)
        self.seen.append(progress.round)

    def result(self) -> dict[str, object]:
        told = json.loads((self.out / "result.json").read_text(encoding="utf-8"))
        del told["timings"]
        return told

    def files(self) -> list[str]:
        return sorted(path.name for path in self.out.iterdir() if path.is_file())
