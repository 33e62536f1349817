"""What privacy costs: models trained under falling epsilon, all else the same."""

import logging
import math
import shutil
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from client.settings import Settings, site_folders
from client.site import Site, forget_sites, open_site
from fusion.config import RunConfig
from fusion.errors import ConfigError
from fusion.models.entries import MODELS
from fusion.registry import nearest
from simulations.governed_sites import Terms, write_governed
from simulations.joined_site import Part
from simulations.processes import do_all
from simulations.start import check_apart, check_sites
from simulations.study import held, keep_settings, progress
from simulations.sweep_page import write_page
from simulations.sweep_tables import Tables, tabulate
from simulations.trials import Plan, Trial, conduct

log = logging.getLogger("concord.simulate")


@dataclass(frozen=True)
class Sweep:
    """What is run.

    Attributes:
        sites: Folder of site folders.
        epsilons: Of whole runs; infinite = without noise.
        seeds: Of the runs: splits, first weights, patches and dropout.
        models: Registered models.
        terms: What the policies of all sites have beside epsilon.
        base: Settings of every run.
        out: Folder that everything is written to.
        keep_models: Whether each run's model, report, ledgers and site folders stay.
    """

    sites: Path
    epsilons: Sequence[float]
    seeds: Sequence[int]
    models: Sequence[str]
    terms: Terms
    base: RunConfig
    out: Path
    keep_models: bool = False

    def trials(self, tested: Mapping[int, tuple[int, int]]) -> list[Trial]:
        """Return the runs, seed by seed.

        Args:
            tested: Test patients and the others, by seed.

        Source: own.
        """
        return [
            self._trial(epsilon, seed, model, tested[seed])
            for seed in self.seeds
            for epsilon in self.epsilons
            for model in self.models
        ]

    def governed(self, epsilon: float, seed: int) -> Path:
        """Return where the site folders of some runs are written."""
        return self.out / "sites" / f"epsilon-{epsilon:g}-seed-{seed}"

    def _trial(self, epsilon: float, seed: int, model: str, tested: tuple[int, int]) -> Trial:
        mode = "record-level" if math.isfinite(epsilon) else "none"
        name = f"epsilon-{epsilon:g}"
        config = replace(
            self.base,
            seed=seed,
            resume=False,
            sites=str(self.governed(epsilon, seed)),
            out=str(self.out / "runs" / name / f"seed-{seed}" / model),
            model=replace(self.base.model, name=model),
            privacy=replace(self.base.privacy, mode=mode),
            split=replace(self.base.split, validation=0.0),
        )
        return Trial(
            protocol=name, repeat=seed, fold=1, setting="federated", model=model, site="",
            tests=tested[0], others=tested[1], config=config, keep_model=self.keep_models,
        )  # fmt: skip


@dataclass(frozen=True, eq=False)
class Swept:
    """What a sweep came to.

    Attributes:
        tables: Of everything that has finished.
        failures: A sentence for each run that failed.
    """

    tables: Tables
    failures: tuple[str, ...]


def sweep_budgets(sweep: Sweep, *, jobs: int) -> Swept:
    """Run every model under every epsilon and seed that has not finished; return the tables.

    Writes runs.csv, means.csv, a page with pictures, and a result.json a run. Noise comes from the
    operating system, so a repeated run gives other figures. Test figures are exact: a simulation
    may look at them without spending, hospitals may not.

    Args:
        sweep: What is run.
        jobs: Most processes.

    Raises:
        ConfigError: A setting does not fit, or the folder holds results of other settings.
        SiteError: A site cannot be read.

    Privacy: patient data is copied on one machine, into `out`, removed at the end unless models are
        kept; policies in
        the user's folders are not read.

    Source: own.
    """
    _check(sweep)
    opened = {seed: _open(sweep, seed) for seed in sweep.seeds}
    parts = {
        seed: [Part(site.cohort, site.split) for site in sites] for seed, sites in opened.items()
    }
    trials = sweep.trials({seed: _tested(sites) for seed, sites in opened.items()})
    data = [site.cohort.fingerprint for site in opened[sweep.seeds[0]]]
    with held(sweep.out):
        keep_settings(Plan(sweep.models, (), _shared(sweep.base), sweep.out), _told(sweep, data))
        failures = _run_all(sweep, trials, parts, jobs)
        if not sweep.keep_models:
            shutil.rmtree(sweep.out / "sites", ignore_errors=True)
        return Swept(_write(sweep, trials), tuple(failures))


def _check(sweep: Sweep) -> None:
    for model in sweep.models:
        if model not in MODELS:
            raise ConfigError(
                f"--models must be registered, got '{model}'. {nearest(model, MODELS)}"
            )
    terms = sweep.terms
    for flag, value, rule, fits in (
        ("--sampling-rate", terms.sampling_rate, "in (0, 1]", 0 < terms.sampling_rate <= 1),
        ("--max-grad-norm", terms.max_grad_norm, "> 0", 0 < terms.max_grad_norm < math.inf),
        ("--delta", terms.delta, "0 or in (0, 1)", 0 <= terms.delta < 1),
    ):
        if not fits:
            raise ConfigError(f"{flag} must be {rule}, got {value:g}. Change it.")
    check_apart(sweep.sites, sweep.out)
    config = replace(sweep.base, sites=str(sweep.sites))
    check_sites(config)


def _shared(base: RunConfig) -> RunConfig:
    """Return what all runs share of the settings: each has its own mode, and none validates."""
    return replace(base, split=replace(base.split, validation=0.0))


def _told(sweep: Sweep, data: Sequence[str]) -> dict[str, Any]:
    """Return what shapes the figures; epsilons, seeds and models may be added from call to call."""
    terms = sweep.terms
    return {
        "command": "sweep", "data": list(data), "sampling_rate": terms.sampling_rate,
        "max_grad_norm": terms.max_grad_norm, "delta": terms.delta,
    }  # fmt: skip


def _open(sweep: Sweep, seed: int) -> list[Site]:
    config = replace(_shared(sweep.base), seed=seed)
    try:
        return [open_site(Settings(folder, config, 0)) for folder in site_folders(sweep.sites)]
    finally:
        forget_sites()


def _tested(sites: Sequence[Site]) -> tuple[int, int]:
    """Return how many patients are judged, and how many there are beside them."""
    tests = sum(len(site.rows("test")) for site in sites)
    return tests, sum(len(site.cohort.patients) for site in sites) - tests


def _run_all(
    sweep: Sweep, trials: Sequence[Trial], parts: Mapping[int, Sequence[Part]], jobs: int
) -> list[str]:
    """Do what has not finished; write the tables anew whenever a seed has none left."""
    waiting = [trial for trial in trials if not trial.finished]
    log.info("%d of %d runs are there already", len(trials) - len(waiting), len(trials))
    left, started = Counter(trial.repeat for trial in waiting), time.monotonic()
    failures = []

    def prepare(trial: Trial) -> None:
        epsilon = float(trial.protocol.removeprefix("epsilon-"))
        terms = replace(sweep.terms, epsilon=epsilon)
        folder = Path(trial.config.sites)
        write_governed(parts[trial.repeat], folder, terms, sweep.base.data)

    found = do_all(waiting, conduct, jobs=min(jobs, max(len(waiting), 1)), prepare=prepare)
    for count, done in enumerate(found, start=1):
        trial = done.task
        name = f"{trial.protocol} seed {trial.repeat} {trial.model}"
        log.info("%s", progress(name, done.problem, count, len(waiting), started))
        failures += [f"{name}: {done.problem}"] if done.problem else []
        left[trial.repeat] -= 1
        if not left[trial.repeat]:
            _write(sweep, trials)
    return failures


def _write(sweep: Sweep, trials: Sequence[Trial]) -> Tables:
    tables = tabulate([trial for trial in trials if trial.finished])
    tables.write(sweep.out)
    write_page(tables, sweep.out)
    return tables
