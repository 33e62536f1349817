"""One trial: a model in a setting on a fold, run with the unmodified apps, kept whole or not."""

import json
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from client.settings import site_folders
from fusion.config import RunConfig
from fusion.errors import FederationError
from fusion.readers.cohort import read_cohort
from fusion.training.checkpoint import write_atomically
from server.folder import RESULT
from simulations.federation import run_inline
from simulations.fold_folders import view_of
from simulations.folds import Fold
from simulations.rivals import REFERENCES, judge_reference


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
    """

    models: Sequence[str]
    settings: Sequence[str]
    base: RunConfig
    out: Path
    keep_models: bool = False

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
        base, name = self.base, fold.name
        federation = base.federation
        if setting != "federated":
            federation = replace(federation, strategy="fedavg", min_sites=1)
        config = replace(
            base,
            seed=fold.seed,
            resume=False,
            sites=str(self.sites(name) / f"view-{view_of(setting, site)}"),
            out=str(self.out / "runs" / name / setting / model / site),
            model=base.model if model in REFERENCES else replace(base.model, name=model),
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
    if trial.model in REFERENCES:
        cohorts = [read_cohort(folder) for folder in site_folders(Path(trial.config.sites))]
        trainers_first = sorted(cohorts, key=lambda cohort: cohort.role != "train")
        found = judge_reference(trial.model, trainers_first, trial.config)
        write_atomically(partial / RESULT, json.dumps(found, indent=2).encode())
    else:
        run_inline(replace(trial.config, out=str(partial)))
        _check_all_judged(trial, json.loads((partial / RESULT).read_text(encoding="utf-8")))
    if not trial.keep_model:
        for path in partial.iterdir():
            if path.name != RESULT:
                path.unlink()
    shutil.rmtree(trial.folder, ignore_errors=True)
    partial.replace(trial.folder)


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
