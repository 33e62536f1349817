"""A picture of any partition: who has how many patients, events, slides and genes, and when."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from client.settings import site_folders
from fusion.errors import ConfigError
from fusion.readers.cohort import Cohort, read_cohort
from fusion.survival.curves import Curve, kaplan_meier
from fusion.survival.logrank import logrank
from fusion.training.checkpoint import write_atomically
from server.report.axes import Axis, Frame, line_path, steps
from server.report.page import environment
from server.report.style import STYLE
from server.report.words import DAYS_A_YEAR
from simulations.picture_markup import STYLE_ADDED, TEMPLATE

QUANTILES: Mapping[str, float] = {"p10": 0.1, "p25": 0.25, "median": 0.5, "p75": 0.75, "p90": 0.9}
"""What is told of the times of events."""

ROW = 240
"""Width of a row's picture in px."""


def read_sites(sites: Path) -> list[Cohort]:
    """Return the cohorts of the site folders below `sites`, in order of folder.

    Raises:
        ConfigError: There is no site folder.
        SiteError: A folder cannot be used as it is.

    Privacy: reads patient data; it stays in the process.

    Source: own.
    """
    return [read_cohort(folder) for folder in site_folders(sites)]


def describe_partition(cohorts: Sequence[Cohort]) -> dict[str, Any]:
    """Return what the picture shows, as plain numbers.

    Args:
        cohorts: At least one site.

    Returns:
        `sites` (name, patients, events, share censored, quantiles in days of the times of events,
        patients with slides and with omics), `patients`, `events`, and the log-rank test of equal
        survival at the sites.

    Privacy: quantiles of a few events come close to single patients; keep it with the sites.

    Source: own.
    """
    time, event = _joined(cohorts)
    group = np.repeat(np.arange(len(cohorts)), [len(cohort.patients) for cohort in cohorts])
    return {
        "patients": len(time),
        "events": int(event.sum()),
        "logrank": logrank(time, event=event, group=group).as_dict(),
        "sites": [_facts(cohort) for cohort in cohorts],
    }


def draw_partition(cohorts: Sequence[Cohort], out: Path) -> None:
    """Write the picture as one html page that loads nothing and runs nothing.

    Args:
        cohorts: At least one site.
        out: A file ending in .html; replaced if it exists.

    Raises:
        ConfigError: The file's name ends otherwise.

    Privacy: Kaplan-Meier steps are patients' own times; keep the page with the site folders.

    Source: own.
    """
    if out.suffix != ".html":
        raise ConfigError(f"--out must end in .html, got '{out}'. Name a page.")
    page = environment().from_string(TEMPLATE).render(
        style=STYLE + STYLE_ADDED, row=ROW, **_drawing(cohorts)
    )  # fmt: skip
    write_atomically(out, page.encode())


def _joined(cohorts: Sequence[Cohort]) -> tuple[np.ndarray, np.ndarray]:
    """Return time and event of all sites' patients, site after site."""
    times, events = ([getattr(one, key) for one in cohorts] for key in ("time", "event"))
    return np.concatenate(times), np.concatenate(events)


def _facts(cohort: Cohort) -> dict[str, Any]:
    number, events = len(cohort.patients), int(cohort.event.sum())
    times = cohort.time[cohort.event]
    spread = {name: float(np.quantile(times, level)) for name, level in QUANTILES.items() if events}
    tables = [table.present for table in cohort.tables.values()]
    return {
        "name": cohort.name,
        "patients": number,
        "events": events,
        "censored": 1 - events / number,
        "event_days": spread or None,
        "with_slides": int(cohort.has_slides.sum()),
        "with_omics": int(np.any(tables, axis=0).sum()) if tables else 0,
    }


def _drawing(cohorts: Sequence[Cohort]) -> dict[str, Any]:
    """Return the facts with their places in px."""
    told = describe_partition(cohorts)
    time, event = _joined(cohorts)
    last = float(time.max()) / DAYS_A_YEAR
    years = Axis(0.0, last, 8.0, ROW - 8.0)
    patients = Axis(0, max(site["patients"] for site in told["sites"]), 0.0, 100.0)
    everybody = kaplan_meier(time, event=event)
    axes = Axis(0.0, last, 30.0, 218.0), Axis(0.0, 1.0, 108.0, 8.0)
    frame = Frame(*axes, "", "", 226, 132, 5, 3)
    return told | {
        "years": years,
        "frame": frame,
        "everybody": _path(everybody, frame),
        "sites": [
            site | {
                "bar": {key: patients.at(site[key]) for key in ("patients", "events")},
                "box": {name: years.at(days / DAYS_A_YEAR) for name, days in _spread(site)},
                "curve": _path(kaplan_meier(cohort.time, event=cohort.event), frame),
            }
            for site, cohort in zip(told["sites"], cohorts, strict=True)
        ],
    }  # fmt: skip


def _spread(site: Mapping[str, Any]) -> Iterator[tuple[str, float]]:
    yield from (site["event_days"] or {}).items()


def _path(curve: Curve, frame: Frame) -> str:
    places = frame.place(zip(curve.times / DAYS_A_YEAR, curve.survival, strict=True))
    return line_path(steps([x for x, _ in places], [y for _, y in places]))
