"""A run on one screen, from the files in its folder: it needs no connection to the SuperLink."""

import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from fusion.commands import table
from fusion.config import RunConfig, from_flat
from fusion.errors import ConfigError
from server.alerts import find_alerts
from server.attendance import events
from server.folder import AUDIT, RESULT, read_result
from server.progress import FILE, Progress, load_progress

LAST = 5
"""Alerts and errors that are shown, the newest."""


def screen(folder: Path, *, now: float | None = None) -> str:
    """Return how a run stands: round, elapsed, quorum, sites, budgets, alerts, last errors.

    Args:
        folder: The run's.
        now: Seconds since 1970; None = this moment.

    Raises:
        ConfigError: The folder is not there.
        ModelFileError: Its checkpoint is damaged.

    Source: own.
    """
    if not folder.is_dir():
        raise ConfigError(
            f"A run to watch must have a folder, got none at '{folder}'. Name the run's `out`; it "
            "is made when the sites have described themselves."
        )
    if not (folder / FILE).is_file():
        return f"{folder}: opening; the sites describe themselves and agree on a plan."
    progress, document = load_progress(folder)
    config = from_flat(document["config"])
    waited = (time.time() if now is None else now) - (folder / FILE).stat().st_mtime
    return "\n".join(
        [
            _head(progress, config, folder, waited),
            _attendance(progress, config),
            "",
            table(_sites(progress)),
            *_section("Alerts", [one["sentence"] for one in _alerts(progress, config, folder)]),
            *_section("Last errors", list(_errors(progress.records))),
        ]
    )


def is_over(folder: Path) -> bool:
    """Return whether a run has left its result.

    Source: own.
    """
    return any((folder / name).is_file() for name in (RESULT, AUDIT))


def _head(progress: Progress, config: RunConfig, folder: Path, waited: float) -> str:
    spent = f"{sum(progress.seconds):.0f} s in rounds"
    if is_over(folder):
        return f"{folder}: finished after round {progress.round}/{config.rounds}, {spent}"
    step = "closing" if progress.round == config.rounds else f"round {progress.round + 1} under way"
    return (
        f"{folder}: round {progress.round}/{config.rounds} done, {spent}; {step} "
        f"for {max(waited, 0.0):.0f} s"
    )


def _attendance(progress: Progress, config: RunConfig) -> str:
    done = progress.records[-1]
    told = f"answered {len(done['answered'])}, quorum {max(config.federation.quorum, 1)}"
    model = "the model moved" if done["accepted"] else "too few: the model stayed as it was"
    again = f", asked {done['attempts']} times" if done["attempts"] > 1 else ""
    return f"round {done['round']}: {told}{again}; {model}"


def _sites(progress: Progress) -> list[list[str]]:
    """Return a line a site: last answer, concordance, epsilon spent and left."""
    records = progress.records
    names = {name for record in records for name in record["answered"]}
    names |= {failure["site"] for record in records for failure in record["failed"]}
    rows = [["site", "last answer", "concordance", "epsilon spent", "left"]]
    return rows + [_site(name, records) for name in sorted(names)]


def _site(name: str, records: Sequence[Mapping[str, Any]]) -> list[str]:
    last = max((r["round"] for r in records if name in r["answered"]), default=None)
    ranked = [s for r in records for s in r["sites"] if s["name"] == name]
    value = ranked[-1].get("concordance") if ranked else None
    told = [one for r in records for one in r.get("privacy", ()) if one["name"] == name]
    spent, left = "-", "-"
    if told:
        spent = f"{told[-1]['epsilon']:.2f} of {told[-1]['max_epsilon']:g}"
        left = f"{max(told[-1]['max_epsilon'] - told[-1]['epsilon'], 0.0):.2f}"
    answered = "-" if last is None else f"round {last}"
    return [name, answered, "-" if value is None else f"{value:.3f}", spent, left]


def _alerts(progress: Progress, config: RunConfig, folder: Path) -> list[dict[str, Any]]:
    if (folder / RESULT).is_file():  # knows the closing audit's, too
        return list(read_result(folder)["alerts"])
    return find_alerts(progress.records, None, config.alerts)


def _errors(records: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """Yield who left and came back, then why sites failed the last round."""
    for event in events(records):
        yield event["sentence"]
    for failure in records[-1]["failed"]:
        yield f"round {records[-1]['round']}: {failure['site']}: {failure['reason']}"


def _section(title: str, lines: Sequence[str]) -> list[str]:
    return ["", f"{title}:", *(f"  {line}" for line in lines[-LAST:] or ["none"])]
