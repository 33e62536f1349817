"""The interaction audit of anybody's model, from its coalition values in a CSV file."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Bool

from fusion.interaction.figures import audit_figures
from fusion.interaction.tallies import AuditTally, audit_tally
from fusion.readers.findings import listed
from simulations.coalition_table import CoalitionTable, read_coalitions

HEAD = ("patients", "modalities", "primary", "uninformative")
OF_SITES = ("excluded", "clipped_share")
"""What a site tells of patients whom it left out or cut; a file of values holds no such ones."""

UNFOLLOWED = "the file has no columns time and event"


def audit_values(path: Path) -> dict[str, Any]:
    """Return every figure of the interaction audit of the coalition values in a CSV file.

    The values must be on an additive scale (log-hazard, logit): exp() of an additive model
    interacts. Concordance compares patients within a site, as in a federation; beside it
    `concordance_pooled` compares all patients. Without the column `site` the two are one.

    Args:
        path: The file; `read_coalitions` tells its columns.

    Returns:
        JSON-safe figures: patients, modalities, primary, uninformative, local, ratio, global,
        published, moebius, variance, signed, pairs, matrix, dividends, dividend_sizes,
        concordance, concordance_pooled, heterogeneity, reasons, sites, notes. Shares are
        fractions. What cannot be had is None with a reason.

    Raises:
        ConfigError: The file, one of its columns or values cannot be used; it is named.

    Privacy: Reads one row a patient; the figures are as private as the file when it is small.

    Source: own; definitions in `fusion.interaction`.
    """
    found = read_coalitions(path)
    everyone = np.ones(len(found.values), dtype=np.bool_)
    whole = _tally(found, everyone)
    sites = np.array(found.sites or ())
    parts = {name: _tally(found, sites == name) for name in sorted(set(sites.tolist()))}
    tallies = list(parts.values()) or [whole]
    pooled = _figures(found, whole, {})
    return {
        **_figures(found, sum(tallies[1:], start=tallies[0]), parts),
        "concordance_pooled": pooled["concordance"],
        "sites": [{"name": name, **_figures(found, tally, {})} for name, tally in parts.items()],
        "notes": _notes(found),
    }


def _tally(found: CoalitionTable, part: Bool[np.ndarray, " patient"]) -> AuditTally:
    """Return the sums of some patients; without follow-up nobody is compared."""
    number = int(part.sum())
    time = np.zeros(number) if found.time is None else found.time[part]
    event = np.zeros(number, dtype=np.bool_) if found.event is None else found.event[part]
    return audit_tally(found.values[part], modalities=found.modalities, time=time, event=event)


def _figures(
    found: CoalitionTable, tally: AuditTally, sites: Mapping[str, AuditTally]
) -> dict[str, Any]:
    """Return the figures with the definitions on top."""
    figures = audit_figures(tally, sites)
    if found.time is None:
        figures["concordance"] |= {"reason": UNFOLLOWED}
        figures["reasons"] = [
            f"concordance: {UNFOLLOWED}" if reason.startswith("concordance:") else reason
            for reason in figures["reasons"]
        ]
    if not sites:
        figures["heterogeneity"] = None
        figures["reasons"] = [r for r in figures["reasons"] if not r.startswith("heterogeneity:")]
    shares = figures.pop("shares")
    for name in OF_SITES:
        del figures[name]
    return {name: figures[name] for name in HEAD} | shares | figures


def _notes(found: CoalitionTable) -> list[str]:
    """Return what a reader should know before quoting the figures."""
    notes = ["Shares hold on the scale of the values: exp() of an additive model interacts."]
    if found.sites is not None and found.time is not None:
        notes.append(
            "Concordance compares patients within a site; concordance_pooled compares all."
        )
    if found.ignored:
        notes.append(f"Columns not read: {listed(found.ignored, 10)}.")
    return notes
