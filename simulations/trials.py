"""One trial: a model in a setting on a fold, run with the unmodified apps, kept whole or not."""

import json
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from client.settings import site_folders
from fusion.config import RunConfig
from fusion.errors import FederationError
from fusion.readers.cohort import read_cohort
from fusion.training.checkpoint import write_atomically
from server.folder import RESULT
from simulations.ensemble import judge_ensemble
from simulations.federation import run_inline
from simulations.fold_folders import view_of
from simulations.folds import Fold
from simulations.rivals import REFERENCES, judge_reference
from simulations.selection import Search, select


@dataclass(frozen=True)
class Trial:
    """What is run, and where it is kept.

    Attributes:
        protocol: Of the fold.
        repeat: Of the fold.
        fold: Number of the fold.
        setting: `federated`, `pooled` or `local`.
        model: A registered model, or one of `rivals.REFERENCES`.
        site: The site that trains alone; empty in the other settings.
        tests: Test patients of the fold, each of whom must be judged.
        others: Patients of the fold who do not test.
        config: Settings of the run; `out` is where the result is kept.
        keep_model: Whether more than result.json stays: model, report and checkpoint.
        search: What is tried before, on validation patients; None = the settings are as they are.
        members: Runs of an ensemble; 1 = a single run.
    """

    protocol: str
    repeat: int
    fold: int
    setting: str
    model: str
    site: str
    tests: int
    others: int
    config: RunConfig
    keep_model: bool = False
    search: Search | None = None
    members: int = 1

    @property
    def folder(self) -> Path:
        """Where the result is kept."""
        return Path(self.config.out)

    @property
    def finished(self) -> bool:
        """Whether the result is there; it comes into being whole."""
        return (self.folder / RESULT).is_file()

    @property
    def fold_name(self) -> str:
        """The name of its fold."""
        return f"{self.protocol}-{self.repeat}-{self.fold}"

    @property
    def name(self) -> str:
        """What a person calls it."""
        site = f" at {self.site}" if self.site else ""
        fold = f"{self.protocol} {self.repeat}.{self.fold}"
        return f"{fold} {self.model} {self.setting}{site}"

    def result(self) -> dict[str, Any]:
        """Return the kept result."""
        found: dict[str, Any] = json.loads((self.folder / RESULT).read_text(encoding="utf-8"))
        return found


@dataclass(frozen=True)
class Plan:
    """What is tried on every fold.

    Attributes:
        models: Registered models and reference models.
        settings: Of `fold_folders.SETTINGS`.
        base: Settings of every run.
        out: Folder that everything is written to.
        keep_models: Whether each run's model, report and checkpoint stay.
        grid: Settings with the values among which validation chooses, in each run anew.
        members: Runs of an ensemble, with different seeds; 1 = none.
    """

    models: Sequence[str]
    settings: Sequence[str]
    base: RunConfig
    out: Path
    keep_models: bool = False
    grid: Mapping[str, Sequence[str]] = field(default_factory=dict)
    members: int = 1

    def trials(self, fold: Fold, *, able: Mapping[str, str]) -> Iterator[Trial]:
        """Yield the trials of a fold.

        Args:
            fold: The division of patients.
            able: Sites that can train alone, with their own `data.components`.

        Source: own.
        """
        for model in self.models:
            settings = ("pooled",) if model in REFERENCES else self.settings
            for setting in settings:
                for site in able if setting == "local" else ("",):
                    trial = self._trial(fold, model, setting, site)
                    yield _with_components(trial, able[site]) if site else trial

    def sites(self, fold: str) -> Path:
        """Return the folder of a fold's site folders."""
        return self.out / "sites" / fold

    def _trial(self, fold: Fold, model: str, setting: str, site: str) -> Trial:
        base, name, view = self.base, fold.name, view_of(setting, site)
        place = Path(name) / setting / model / site
        blind = self.sites(name) / f"blind-{view}"
        network = model not in REFERENCES
        federation = base.federation
        if setting != "federated":
            federation = replace(federation, strategy="fedavg", quorum=1)
        config = replace(
            base,
            seed=fold.seed,
            resume=False,
            sites=str(self.sites(name) / f"view-{view}"),
            out=str(self.out / "runs" / place),
            model=replace(base.model, name=model) if network else base.model,
            split=replace(base.split, validation=0.0, test=0.0, hold_out=""),
            federation=federation,
        )
        return Trial(
            protocol=fold.protocol,
            repeat=fold.repeat,
            fold=fold.number,
            setting=setting,
            model=model,
            site=site,
            tests=int(fold.tests.sum()),
            others=int((~fold.tests).sum()),
            config=config,
            keep_model=self.keep_models,
            search=Search(self.grid, blind, self.out / "selection" / place)
            if self.grid and network
            else None,
            members=self.members if network else 1,
        )


def _with_components(trial: Trial, components: str) -> Trial:
    data = replace(trial.config.data, components=components)
    return replace(trial, config=replace(trial.config, data=data))


def conduct(trial: Trial) -> None:
    """Run a trial and keep its result.json; a killed one leaves nothing that counts.

    Args:
        trial: What to run; its site folders exist.

    Raises:
        ConcordError: The run failed, or did not judge every test patient.

    Source: own.
    """
    partial = trial.folder.with_name(f".{trial.folder.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    config = replace(_settled(trial), out=str(partial))
    if trial.model in REFERENCES:
        cohorts = [read_cohort(folder) for folder in site_folders(Path(config.sites))]
        trainers_first = sorted(cohorts, key=lambda cohort: cohort.role != "train")
        _write(judge_reference(trial.model, trainers_first, config), partial)
    elif trial.members > 1:
        _write(judge_ensemble(config, trial.members), partial)
    else:
        run_inline(config)
        _check_all_judged(trial, json.loads((partial / RESULT).read_text(encoding="utf-8")))
    if not trial.keep_model:
        for path in partial.iterdir():
            if path.is_dir():
                shutil.rmtree(path)
            elif path.name != RESULT:
                path.unlink()
    shutil.rmtree(trial.folder, ignore_errors=True)
    partial.replace(trial.folder)


def _settled(trial: Trial) -> RunConfig:
    return select(trial.config, trial.search) if trial.search else trial.config


def _write(found: Mapping[str, Any], folder: Path) -> None:
    write_atomically(folder / RESULT, json.dumps(found, indent=2).encode())


def _check_all_judged(trial: Trial, result: Mapping[str, Any]) -> None:
    """Raise if a test site fell out: the settings would be compared on different patients."""
    judged = result["evaluation"]["pooled"]["patients"]
    if judged != trial.tests:
        absent = ("Site ", "Test figures of site ")
        reasons = [told for told in result["not_measured"] if told.startswith(absent)]
        raise FederationError(
            f"A trial must judge all {trial.tests} test patients of its fold, got {judged}. "
            + " ".join(reasons)
        )
