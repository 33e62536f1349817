"""What a researcher types to see what privacy costs."""

import argparse
import math
import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from fusion.config import RunConfig, names
from fusion.errors import ConfigError
from simulations.cli_comparisons import AddCommand, read_seeds

if TYPE_CHECKING:
    from simulations.budget_sweep import Swept


def add_sweep(add: AddCommand, show: Callable[[argparse.Namespace, "Swept"], int]) -> None:
    """Add `sweep` to the command line.

    Args:
        add: Makes a command from its name, function and help.
        show: Prints what a sweep came to, and returns the exit code.

    Source: own.
    """
    parser = add(
        "sweep", lambda parsed: show(parsed, _sweep(parsed)),
        "figures of models under falling epsilon",
    )  # fmt: skip
    parser.add_argument("--sites", type=Path, required=True, help="folder of site folders")
    parser.add_argument(
        "--epsilon", default="0.5,1,2,3,5,8,inf", help="of whole runs; inf = without noise"
    )
    parser.add_argument("--seeds", default="5", help="a number of seeds, or seeds with commas")
    parser.add_argument("--models", required=True, help="with commas")
    parser.add_argument("--out", type=Path, required=True, help="kept between calls")
    parser.add_argument("--config", type=Path, help="settings in TOML")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE")
    parser.add_argument("--sampling-rate", type=float, default=1.0, help="of the sites' policies")
    parser.add_argument("--max-grad-norm", type=float, default=1.0, help="of the sites' policies")
    parser.add_argument("--delta", type=float, default=0.0, help="0 = public size ^ -1.1")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="processes at most")
    parser.add_argument(
        "--keep-models", action="store_true", help="and site folders: to attack the runs"
    )


def _sweep(parsed: argparse.Namespace) -> "Swept":
    from simulations.budget_sweep import Sweep, sweep_budgets
    from simulations.governed_sites import Terms
    from simulations.start import read_settings

    if parsed.jobs < 1:
        raise ConfigError(f"--jobs must be >= 1, got {parsed.jobs}. Raise it.")
    base = read_settings(RunConfig(), config=parsed.config, pairs=parsed.set)
    steps = base.rounds * base.training.local_steps
    sweep = Sweep(
        sites=parsed.sites.resolve(),
        epsilons=_epsilons(parsed.epsilon),
        seeds=read_seeds(parsed.seeds),
        models=names(parsed.models),
        terms=Terms(math.inf, steps, parsed.sampling_rate, parsed.max_grad_norm, parsed.delta),
        base=base,
        out=parsed.out.resolve(),
        keep_models=parsed.keep_models,
    )
    return sweep_budgets(sweep, jobs=parsed.jobs)


def _epsilons(text: str) -> list[float]:
    """Return the epsilons that are listed, smallest first, each once."""
    try:
        found = {float(word) for word in names(text)}
    except ValueError:
        found = set()
    if not found or not all(value > 0 for value in found):
        raise ConfigError(
            f"--epsilon must be numbers > 0 and inf, with commas, got '{text}'. Write 1,3,inf, say."
        )
    return sorted(found)
