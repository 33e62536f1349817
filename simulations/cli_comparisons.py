"""What a researcher types to compare models and settings."""

import argparse
import os
from collections.abc import Callable, Sequence
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

from fusion.config import RunConfig, names
from fusion.errors import ConfigError

if TYPE_CHECKING:
    from simulations.study import Outcome

AddCommand = Callable[[str, Callable, str], argparse.ArgumentParser]


def add_comparisons(add: AddCommand, show: Callable[[argparse.Namespace, "Outcome"], int]) -> None:
    """Add `compare` and `cross-validate` to the command line.

    Args:
        add: Makes a command from its name, function and help.
        show: Prints what a comparison came to, and returns the exit code.

    Source: own.
    """
    parser = add(
        "compare", lambda parsed: show(parsed, _compare(parsed)),
        "models in settings on the same sites and splits",
    )  # fmt: skip
    parser.add_argument("--sites", type=Path, required=True, help="folder of site folders")
    parser.add_argument("--seeds", default="5", help="a number of seeds, or seeds with commas")
    _add_shared(parser)
    parser = add(
        "cross-validate", lambda parsed: show(parsed, _cross_validate(parsed)),
        "models in settings on repeated folds of a cohort",
    )  # fmt: skip
    parser.add_argument(
        "--cohort", type=Path, required=True, help="clinical.csv, genomics, patches"
    )
    parser.add_argument(
        "--protocol", default="random", help="random, hospital (whole ones), or both"
    )
    parser.add_argument("--folds", type=int, default=5)
    parser.add_argument("--repeats", type=int, default=1)
    parser.add_argument("--folds-file", type=Path, help="csv: patient, fold[, repeat]")
    parser.add_argument("--patients", default="all", help="all, or slides: who has any")
    parser.add_argument("--labels", type=Path, help="TOML: [labels] sections, as in a site.toml")
    parser.add_argument("--by", default="hospital", help="hospital, or a clinical column")
    parser.add_argument("--min-patients", type=int, default=20, help="of a site of its own")
    parser.add_argument("--small", default="pool", help="pool or drop smaller hospitals")
    _add_shared(parser)


def _add_shared(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--models", required=True, help="with commas; all, ridge, ridge+age, elastic-net too"
    )
    parser.add_argument(
        "--settings", "--setting", default="federated,pooled", help="federated, pooled, local"
    )
    parser.add_argument("--out", type=Path, required=True, help="kept between calls")
    parser.add_argument("--config", type=Path, help="settings in TOML")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE")
    parser.add_argument(
        "--grid", action="append", default=[], metavar="KEY=VALUE,VALUE",
        help="settings chosen in each fold on validation patients alone",
    )  # fmt: skip
    parser.add_argument(
        "--ensemble", type=int, default=1, help="runs with different seeds, averaged"
    )
    parser.add_argument("--against", default="", metavar="MODEL:SETTING", help="the baseline")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="processes at most")
    parser.add_argument("--keep-models", action="store_true")
    parser.add_argument("--keep-sites", action="store_true")


def _compare(parsed: argparse.Namespace) -> "Outcome":
    from simulations.comparison import compare_sites
    from simulations.study import Options, Plan

    plan = Plan(**_planned(parsed))
    options = Options(**_options(parsed))
    return compare_sites(parsed.sites, read_seeds(parsed.seeds), plan, options)


def _cross_validate(parsed: argparse.Namespace) -> "Outcome":
    from simulations.cross_validation import Design, cross_validate
    from simulations.study import Options, Plan

    chosen = ("cohort", "protocol", "folds", "repeats", "min_patients", "small", "patients", "by")
    design = Design(**{name: getattr(parsed, name) for name in (*chosen, "folds_file", "labels")})
    return cross_validate(design, Plan(**_planned(parsed)), Options(**_options(parsed)))


def _planned(parsed: argparse.Namespace) -> dict:
    from fusion.models.entries import MODELS
    from simulations.selection import read_grid
    from simulations.start import read_settings

    base = read_settings(RunConfig(), config=parsed.config, pairs=parsed.set)
    asked = [sorted(MODELS) if word == "all" else [word] for word in names(parsed.models)]
    return {
        "models": list(dict.fromkeys(chain.from_iterable(asked))),
        "settings": names(parsed.settings),
        "base": base,
        "out": parsed.out.resolve(),
        "keep_models": parsed.keep_models,
        "grid": read_grid(parsed.grid, base),
        "members": parsed.ensemble,
    }


def _options(parsed: argparse.Namespace) -> dict:
    if parsed.jobs < 1:
        raise ConfigError(f"--jobs must be >= 1, got {parsed.jobs}. Raise it.")
    return {name: getattr(parsed, name) for name in ("jobs", "against", "keep_sites")}


def read_seeds(text: str) -> Sequence[int]:
    """Return 1 to n for a lone number n, or the seeds that are listed.

    Raises:
        ConfigError: They are no whole numbers.

    Source: own.
    """
    found = names(text)
    if not found or not all(word.isdigit() for word in found) or found == ("0",):
        raise ConfigError(f"--seeds must be 5 or 1,2,7, say, got '{text}'. Write whole numbers.")
    listed = [int(word) for word in found]
    return range(1, listed[0] + 1) if len(listed) == 1 and "," not in text else sorted(set(listed))
