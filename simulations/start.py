"""Before a simulated run: its settings from file and flags, and every site folder checked."""

import argparse
import logging
import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from client.settings import site_folders
from fusion.commands import assigned
from fusion.config import RunConfig, flatten, from_flat, from_toml, names
from fusion.errors import ConfigError, SiteError
from fusion.modalities import is_wanted
from fusion.readers.cohort import Cohort, check_cohort, read_cohort
from fusion.readers.omics import omics_vector
from fusion.readers.scaling import check_scaled
from fusion.readers.site_toml import read_site_description
from fusion.registry import nearest
from server.fitting import settings_for
from server.folder import prepare
from server.progress import check_unchanged, load_progress

log = logging.getLogger("concord.simulate")


def read_run(parsed: argparse.Namespace) -> RunConfig:
    """Return the settings of `concord-simulate run`: defaults, file, flags, in rising order.

    Args:
        parsed: The command's arguments.

    Returns:
        Settings with absolute paths.

    Raises:
        ConfigError: A setting does not fit, or sites or output are not named.

    Source: own.
    """
    config = _stored(parsed.resume) if parsed.resume else RunConfig()
    config = read_settings(config, config=parsed.config, flags=_flags(parsed), pairs=parsed.set)
    if parsed.resume:
        check_unchanged(config, flatten(_stored(parsed.resume)))
    for name in ("sites", "out"):
        if not getattr(config, name):
            raise ConfigError(f"--{name} must be given, got none. Name a folder.")
    if config.audit.model_file:
        raise ConfigError(
            f"audit.model-file must be empty in a run that trains, got "
            f"'{config.audit.model_file}'. Use `concord-simulate audit`."
        )
    # realpath, as Path.resolve raises on a loop of links.
    sites, out = (Path(os.path.realpath(path)) for path in (config.sites, config.out))
    check_apart(sites, out)
    return replace(config, sites=str(sites), out=str(prepare(out, resume=config.resume)))


def read_reaudit(parsed: argparse.Namespace) -> RunConfig:
    """Return the settings of `concord-simulate audit`: the model's own, but for the audit.

    Args:
        parsed: The command's arguments.

    Returns:
        Settings with absolute paths; all site folders are expected, however many the run had.

    Raises:
        ModelFileError: The file is not a finished model.
        ConfigError: A setting does not fit, or is one that the model was trained with.

    Source: own.
    """
    changes = assigned(parsed.set)
    config = settings_for(parsed.model_file, out=parsed.out, split=parsed.split, changes=changes)
    sites, out = (Path(os.path.realpath(path)) for path in (parsed.sites, config.out))
    check_apart(sites, out)
    federation = replace(config.federation, quorum=1)
    out = prepare(out, resume=False)
    return replace(config, sites=str(sites), out=str(out), federation=federation)


def check_apart(sites: Path, out: Path) -> None:
    """Raise if a run would be written into its own input.

    Raises:
        ConfigError: It would.

    Source: own.
    """
    if out.is_relative_to(sites):
        raise ConfigError(f"--out must lie outside --sites, got '{out}'. Choose another.")


def read_settings(
    base: RunConfig,
    *,
    config: Path | None = None,
    flags: Mapping[str, Any] | None = None,
    pairs: Sequence[str] = (),
) -> RunConfig:
    """Return settings from a file, flags and KEY=VALUE pairs, in rising order.

    Args:
        base: Where the other settings come from.
        config: A TOML file.
        flags: Dotted settings.
        pairs: As `--set` takes them.

    Raises:
        ConfigError: A setting does not fit.

    Source: own.
    """
    known = from_toml(config, base) if config else base
    return from_flat({**(flags or {}), **assigned(pairs)}, known)


def check_sites(config: RunConfig) -> None:
    """Raise unless every site folder can train; say what is remarkable.

    Raises:
        SiteError: The first problem of the first such folder, with how many there are.
        ConfigError: A held-out site does not exist.

    Source: own.
    """
    check_folders(config)
    folders = site_folders(Path(config.sites))
    known = [read_site_description(folder).name for folder in folders]
    for name in names(config.split.hold_out):
        if name not in known:
            raise ConfigError(
                f"split.hold-out must name sites, got '{name}'. {nearest(name, known)}"
            )
    if config.federation.quorum > len(folders):
        raise ConfigError(
            f"federation.quorum must be at most the number of site folders, got "
            f"{config.federation.quorum} of {len(folders)}. Lower it."
        )


def check_folders(config: RunConfig) -> None:
    """Raise unless every site folder can be read; say what is remarkable.

    Raises:
        SiteError: The first problem of the first such folder, with how many there are.

    Source: own.
    """
    folders = site_folders(Path(config.sites))
    problems = [problem for folder in folders for problem in _problems(folder, config)]
    if problems:
        more = f" ({len(problems) - 1} more: run `concord-site doctor`)" if problems[1:] else ""
        raise SiteError(problems[0] + more)


def _problems(folder: Path, config: RunConfig) -> list[str]:
    """Return what keeps a site from this run; log what is only remarkable."""
    findings = check_cohort(folder)
    for finding in findings:
        if not finding.fatal:
            log.warning("%s: %s", folder.name, finding.message)
    problems = [finding.message for finding in findings if finding.fatal]
    return problems or _unscaled(read_cohort(folder), config)


def _unscaled(cohort: Cohort, config: RunConfig) -> list[str]:
    """Return why a site's omics would be refused, if they would."""
    if config.data.scaling != "federated":
        return []
    tables = tuple(name for name in cohort.tables if is_wanted(name, config.data))
    everyone = np.ones(len(cohort.patients), bool)
    try:
        check_scaled(omics_vector(cohort, tables=tables), clip=config.data.clip, patients=everyone)
    except SiteError as error:
        return [f"Site '{cohort.name}': {error}"]
    return []


def _stored(folder: Path) -> RunConfig:
    """Return the settings of an interrupted run."""
    _, document = load_progress(folder)
    stored = from_flat(document["config"])
    return replace(stored, out=str(folder), resume=True)


def _flags(parsed: argparse.Namespace) -> dict[str, Any]:
    flags = {
        "sites": parsed.sites,
        "model.name": parsed.model,
        "rounds": parsed.rounds,
        "seed": parsed.seed,
        "out": parsed.out,
        "data.omics": parsed.omics,
        "data.clinical": parsed.clinical,
        "split.hold-out": parsed.hold_out,
    }
    return {k: str(v) if isinstance(v, Path) else v for k, v in flags.items() if v is not None}
