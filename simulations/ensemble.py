"""Several runs that differ in their seed alone, judged by the mean of their log hazards."""

import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from client.predict import predict
from client.settings import site_folders
from fusion.config import RunConfig, flatten
from fusion.errors import ConfigError
from fusion.readers.cohort import read_cohort
from fusion.seeding import digest
from server.folder import read_result
from simulations.federation import run_inline
from simulations.patients import judge, patients_of

MODEL = "model.safetensors"


def judge_ensemble(config: RunConfig, members: int) -> dict[str, Any]:
    """Run an ensemble and return its figures, by the arithmetic of the reference models.

    The members are whole runs, each with its own chosen round; the first has the seed of
    `config`. At every site a patient's risk is the mean of the members' log hazards; the baseline
    behind the Brier score is Breslow's over training patients, whatever the objective. There is no
    audit: it speaks of one model.

    Args:
        config: Settings of the runs, which lie below `config.out`.
        members: Number of runs.

    Returns:
        Test figures as in result.json, `validation`, `parameters` of all members, `steps` of
        one, `train`, `seconds`, the settings, and each member's seed and round.

    Raises:
        ConfigError: Sites keep heads of their own.
        ConcordError: A run failed.

    Privacy: pools patients' risks; for one machine.

    Source: own; Lakshminarayanan, Pritzel and Blundell, NeurIPS 2017.
    """
    if config.federation.personal != "none":
        raise ConfigError(
            f"--ensemble must go with federation.personal = none, got "
            f"'{config.federation.personal}'. Leave one of them out."
        )
    started, runs = time.monotonic(), list(_runs(config, members))
    folders = sorted(site_folders(Path(config.sites)), key=lambda f: read_cohort(f).role != "train")
    patients = patients_of([read_cohort(folder) for folder in folders])
    risks = [np.concatenate([_risks(folder, run) for folder in folders]) for run in runs]
    risk, results = np.mean(risks, axis=0), [read_result(run) for run in runs]
    return judge(risk, patients, config) | {
        "validation": patients.concordance(risk, patients.rows("validation")),
        "parameters": sum(result["model"]["parameters"] for result in results),
        "steps": config.rounds * config.training.local_steps,
        "train": len(patients.rows("train")),
        "seconds": time.monotonic() - started,
        "config": flatten(config),
        "members": [
            {"seed": result["config"]["seed"], "round": result["model"]["chosen_round"]}
            for result in results
        ],
    }


def _runs(config: RunConfig, members: int) -> Iterator[Path]:
    """Yield the folder of each member's run."""
    for number in range(members):
        seed = digest(config.seed, "member", number) if number else config.seed
        yield run_inline(replace(config, seed=seed, out=f"{config.out}/member-{number + 1}"))


def _risks(folder: Path, run: Path) -> np.ndarray:
    """Return the log hazards of a site's patients, in the order of its cohort."""
    table = predict(folder, run / MODEL).table.set_index("patient")
    return table["risk"].loc[list(read_cohort(folder).patients)].to_numpy()
