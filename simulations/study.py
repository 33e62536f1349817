"""A comparison from its folds to its tables: resumable, several processes, one folder."""

import fcntl
import json
import logging
import shutil
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from fusion.class_settings import CLASSIFICATION
from fusion.config import RunConfig, flatten
from fusion.errors import ConfigError
from fusion.models.entries import MODELS
from fusion.registry import nearest
from fusion.training.checkpoint import write_atomically
from simulations.alone import able_alone
from simulations.figures import rows_of
from simulations.fold_folders import SETTINGS, People, write_fold
from simulations.folds import Fold
from simulations.processes import do_all
from simulations.rivals import REFERENCES
from simulations.standings import Standings, check_against, stand
from simulations.trials import Plan, Trial, conduct

log = logging.getLogger("concord.simulate")

LOCK = ".lock"

OF_A_RUN = ("out", "resume", "sites", "model.name", "seed")
"""Settings that differ between the runs of one comparison, or do not shape them."""


@dataclass(frozen=True)
class Options:
    """How a comparison is run.

    Attributes:
        jobs: Most processes.
        against: `MODEL:SETTING` that all others are compared with; empty = the first.
        keep_sites: Whether the folds' site folders stay.
    """

    jobs: int = 1
    against: str = ""
    keep_sites: bool = False


@dataclass(frozen=True, eq=False)
class Outcome:
    """What a comparison came to.

    Attributes:
        standings: The tables of everything that has finished.
        failures: A sentence for each trial that failed.
    """

    standings: Standings
    failures: tuple[str, ...]


def check_plan(plan: Plan, against: str) -> str:
    """Return the baseline of the comparison.

    Raises:
        ConfigError: A model, a setting or the baseline is not known.

    Source: own.
    """
    for name, chosen, known in (
        ("--models", plan.models, (*MODELS, *REFERENCES)),
        ("--settings", plan.settings, SETTINGS),
    ):
        if not chosen:
            raise ConfigError(f"{name} must name at least one, got none.")
        for word in chosen:
            if word not in known:
                raise ConfigError(
                    f"{name} must be of {', '.join(known)}, got '{word}'. {nearest(word, known)}"
                )
    _check_task(plan)
    entries = [
        f"{model}:{setting}"
        for model in plan.models
        for setting in (("pooled",) if model in REFERENCES else plan.settings)
    ]
    if plan.members < 1:
        raise ConfigError(f"--ensemble must be >= 1, got {plan.members}. Raise it.")
    return check_against(against, entries)


def _check_task(plan: Plan) -> None:
    """Raise if something of survival alone is asked of runs that predict classes."""
    if plan.base.objective.name != CLASSIFICATION:
        return
    for model in plan.models:
        if model in REFERENCES:
            raise ConfigError(
                f"--models must be networks for objective '{CLASSIFICATION}', got '{model}', which "
                "ranks survival. Leave it out."
            )
    if plan.members > 1:
        raise ConfigError(
            f"--ensemble must be 1 for objective '{CLASSIFICATION}', got {plan.members}: it "
            "averages log hazards. Leave it out."
        )


@contextmanager
def held(out: Path) -> Iterator[None]:
    """Hold the folder for one comparison alone; nothing is left of one that wrote nothing.

    Args:
        out: Folder that everything is written to; made if absent.

    Raises:
        ConfigError: Another process holds it.

    Source: own.
    """
    out.mkdir(parents=True, exist_ok=True)
    with (out / LOCK).open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise ConfigError(
                f"--out must be a folder of its own, got '{out}', which another process writes "
                "into. Wait for it, or choose another."
            ) from None
        try:
            yield
        finally:
            if [path.name for path in out.iterdir()] == [LOCK]:
                shutil.rmtree(out)


def keep_settings(plan: Plan, told: Mapping[str, Any]) -> None:
    """Write what shapes the results on the first call; afterwards it must be the same.

    Args:
        plan: Settings of the runs, and the folder that everything is written to.
        told: What shapes the folds.

    Raises:
        ConfigError: The folder holds results of other settings.

    Source: own.
    """
    now, out = {**told, **_shaping(plan.base)}, plan.out
    now |= {f"grid {key}": ",".join(values) for key, values in plan.grid.items()}
    now |= {"ensemble": plan.members} if plan.members > 1 else {}
    file = out / "settings.json"
    if not file.is_file():
        write_atomically(file, json.dumps(now, indent=2).encode())
        return
    # a setting that did not exist then had the effect of its default
    before = {**_shaping(RunConfig()), **json.loads(file.read_text(encoding="utf-8"))}
    other = sorted(key for key in {*before, *now} if before.get(key) != now.get(key))
    if other:
        raise ConfigError(
            f"--out must hold results of the same settings, got '{out}' with {other[0]} = "
            f"{before.get(other[0])} instead of {now.get(other[0])}. Choose another folder."
        )


def _shaping(base: RunConfig) -> dict[str, Any]:
    return {key: value for key, value in flatten(base).items() if key not in OF_A_RUN}


def compare_folds(people: People, folds: Sequence[Fold], plan: Plan, options: Options) -> Outcome:
    """Run every trial that has not finished, and return the tables of all.

    Writes folds.csv, runs.csv, means.csv, table.md, local.csv, and a result.json a trial.

    Args:
        people: All patients.
        folds: Their divisions.
        plan: What is tried on each.
        options: How.

    Raises:
        ConfigError: A process was killed from outside.
        FederationError: The sites cannot be written: encoders or genes differ.

    Privacy: patient data is copied on one machine, into `plan.out`.

    Source: own.
    """
    against = check_plan(plan, options.against)
    _write_folds(people, folds, plan.out)
    components = plan.base.data.components
    trials = [
        trial
        for fold in folds
        for trial in plan.trials(fold, able=able_alone(people, fold, components))
    ]
    sites = {fold.name: len(fold.trainers()) for fold in folds}
    waiting = [trial for trial in trials if not trial.finished]
    log.info("%d of %d runs are there already", len(trials) - len(waiting), len(trials))
    failures = []
    for ended in _folds_ended(people, folds, waiting, plan, options):
        failures += ended
        _write_tables(trials, sites, plan, against)
    return Outcome(_write_tables(trials, sites, plan, against), tuple(failures))


def _write_tables(
    trials: Sequence[Trial], sites: Mapping[str, int], plan: Plan, against: str
) -> Standings:
    """Write the tables of everything that has finished."""
    rows, alone = rows_of(trials, trainers=sites)
    steps = plan.base.rounds * plan.base.training.local_steps
    standings = stand(rows, against=against, steps=steps)
    standings.write(plan.out)
    if alone:
        text = pd.DataFrame(alone).to_csv(index=False, lineterminator="\n")
        write_atomically(plan.out / "local.csv", text.encode())
    return standings


def _folds_ended(
    people: People, folds: Sequence[Fold], waiting: Sequence[Trial], plan: Plan, options: Options
) -> Iterator[list[str]]:
    """Do the trials; yield a sentence for each that failed, whenever a fold has none left."""
    by_name, failures = {fold.name: fold for fold in folds}, list[str]()
    left = Counter(trial.fold_name for trial in waiting)
    started, jobs = time.monotonic(), min(options.jobs, max(len(waiting), 1))

    def prepare(trial: Trial) -> None:
        write_fold(people, by_name[trial.fold_name], plan.sites(trial.fold_name))

    for count, done in enumerate(do_all(waiting, conduct, jobs=jobs, prepare=prepare), start=1):
        log.info("%s", progress(done.task.name, done.problem, count, len(waiting), started))
        if done.problem:
            failures.append(f"{done.task.name}: {done.problem}")
        fold = done.task.fold_name
        left[fold] -= 1
        if not left[fold]:
            if not options.keep_sites:
                shutil.rmtree(plan.sites(fold), ignore_errors=True)
            yield failures
            failures = []


def progress(name: str, problem: str | None, count: int, total: int, started: float) -> str:
    """Return a line on a run that ended: which, how, and about how long the others will take.

    Args:
        name: What a person calls the run.
        problem: Why it failed; None = it did not.
        count: Runs that have ended.
        total: Runs to do.
        started: Monotonic time in seconds at which the first began.

    Source: own.
    """
    spent = (time.monotonic() - started) / 60.0
    left = spent / count * (total - count)
    told = f"failed: {problem}" if problem else "done"
    return f"{count}/{total} {name}: {told}; {spent:.1f} min, about {left:.1f} min left"


def _write_folds(people: People, folds: Sequence[Fold], out: Path) -> None:
    """Write who is where in each fold."""
    number = len(people.names)
    table = pd.concat(
        pd.DataFrame(
            {
                "protocol": np.repeat(fold.protocol, number),
                "repeat": fold.repeat,
                "fold": fold.number,
                "patient": people.names,
                "hospital": people.hospital,
                "site": fold.site,
                "split": fold.split,
            }
        )
        for fold in folds
    )
    text = table.to_csv(index=False, lineterminator="\n")
    write_atomically(out / "folds.csv", text.encode())
