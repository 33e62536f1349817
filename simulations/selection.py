"""Settings chosen from a small grid on validation patients alone, anew in every fold."""

import json
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path
from typing import Any, TypeAlias

from fusion.config import RunConfig, from_flat, names
from fusion.errors import ConcordError, ConfigError
from fusion.training.checkpoint import write_atomically
from server.folder import RESULT
from simulations.federation import run_inline

Choice: TypeAlias = Mapping[str, str]

FIXED = (
    "seed",
    "rounds",
    "out",
    "resume",
    "sites",
    "threads",
    "model.name",
    "training.local-steps",
)
"""Settings that name a run, or its number of steps, which all runs of a comparison share."""

FIXED_SECTIONS = ("split", "evaluation", "audit")
"""Sections that say who is judged, and how."""


@dataclass(frozen=True)
class Search:
    """What is tried before a run, and where.

    Attributes:
        grid: Settings with the values to try, as text.
        sites: Folder of the training sites alone: no test patient is there to be seen.
        folder: Where the validation figure of each choice is kept.
    """

    grid: Mapping[str, Sequence[str]]
    sites: Path
    folder: Path

    def choices(self) -> Iterator[tuple[Choice, Path]]:
        """Yield every combination of the values, and the file that keeps its figure."""
        for number, values in enumerate(product(*self.grid.values()), start=1):
            yield dict(zip(self.grid, values, strict=True)), self.folder / f"{number}.json"


def read_grid(texts: Sequence[str], base: RunConfig) -> dict[str, tuple[str, ...]]:
    """Return the grid of `--grid KEY=V1,V2` options.

    Args:
        texts: The options.
        base: Settings of the runs.

    Raises:
        ConfigError: An option has another form, names a setting that is not one of the model or
            its training, or has a value that does not fit.

    Source: own.
    """
    grid: dict[str, tuple[str, ...]] = {}
    for text in texts:
        key, _, listed = text.partition("=")
        key, values = key.strip().replace("_", "-"), tuple(dict.fromkeys(names(listed)))
        if not values or key in grid:
            raise ConfigError(
                f"--grid must be KEY=VALUE,VALUE, each key once, got '{text}'. "
                "Write training.lr=5e-4,2e-3."
            )
        if key in FIXED or key.partition(".")[0] in FIXED_SECTIONS:
            raise ConfigError(
                f"--grid must leave alone who is judged, how, and the number of steps, got "
                f"'{key}'. Use --set, or the command's own options."
            )
        for value in values:
            from_flat({key: value}, base)
        grid[key] = values
    return grid


def select(config: RunConfig, search: Search) -> RunConfig:
    """Return the settings with the choice that validation patients favour.

    Each choice is one run on the training sites, of which only the validation figure of its own
    chosen round is kept: `evaluation.selection` says whether concordance or loss. The first of
    equals is taken. What is there already is not run again.

    Args:
        config: Settings of the run that is prepared.
        search: The grid, and where.

    Raises:
        ConfigError: No choice has a validation figure.

    Privacy: reads patient data of the training sites on one machine.

    Source: own.
    """
    by_loss = config.evaluation.selection == "loss"
    found = [
        _tried(replace(from_flat(choice, config), sites=str(search.sites)), choice, file)
        for choice, file in search.choices()
    ]
    known = [told for told in found if told["validation"] is not None]
    if not known:
        problems = [told["problem"] for told in found if told["problem"]]
        raise ConfigError(
            "--grid must be judged on validation patients, got no figure for any choice. "
            + (problems[0] if problems else "Raise split.validation.")
        )
    best = (min if by_loss else max)(known, key=lambda told: told["validation"])
    return from_flat(best["choice"], config)


def _tried(config: RunConfig, choice: Choice, file: Path) -> dict[str, Any]:
    """Return the validation figure of a choice, kept in `file`; a run that fails has none."""
    if file.is_file():
        found: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
        return found
    told: dict[str, Any] = {"choice": dict(choice), "validation": None, "problem": None}
    out = file.with_suffix(".running")
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir(parents=True)
    try:
        run_inline(replace(config, out=str(out)))
        told["validation"] = _validation(out, config.evaluation.selection == "loss")
    except ConcordError as error:
        told["problem"] = str(error)
    shutil.rmtree(out)
    write_atomically(file, json.dumps(told, indent=2).encode())
    return told


def _validation(folder: Path, by_loss: bool) -> float | None:
    """Return the validation figure of a run's chosen round."""
    result = json.loads((folder / RESULT).read_text(encoding="utf-8"))
    number = result["model"]["chosen_round"]
    chosen = next(one for one in result["rounds"] if one["round"] == number)
    figure = chosen["loss"]["validation"] if by_loss else chosen["concordance"]["value"]
    return None if figure is None else float(figure)
