"""How much the sites differ beyond chance, figure by figure."""

from collections.abc import Iterator, Mapping
from typing import Any

from fusion.interaction.estimates import Entry, cochran

DEFINITIONS = ("local", "ratio", "global", "published", "moebius", "variance")
"""Whose interaction share is compared under its own name."""

Site = Mapping[str, Any]
"""A site's `shares`, `signed` and `concordance`, as `figures.audit_figures` has them."""


def heterogeneity(
    sites: Mapping[str, Site], modalities: tuple[str, ...], *, given: int, least: int
) -> dict[str, Entry]:
    """Return Cochran's Q, I^2 and the pooled figure under them for every figure of an audit.

    Args:
        sites: Those that are compared.
        modalities: Of the model.
        given: How many sites there are in all.
        least: Audited patients that a compared site has at least.

    Returns:
        What `estimates.cochran` says, and `sites_left_out` and `min_patients`, of: each
        definition's interaction share under the definition's name; `r2_additive`;
        `local.<modality>`; `signed.synergy`, `signed.redundancy`; `concordance.full`,
        `concordance.additive`, `concordance.gain`.

    Privacy: Reads figures of sites, each over its own patients.

    Source: as `estimates.cochran`.
    """
    small = given - len(sites)
    left_out = {"sites_left_out": small, "min_patients": least}
    found = {
        key: cochran({name: _figure(one, *place) for name, one in sites.items()}, scale=scale)
        | left_out
        for key, place, scale in _compared(modalities)
    }
    for entry in found.values():
        if small and entry["reason"] is not None:
            entry["reason"] += f", and {small} of {given} sites audit fewer than {least} patients"
    return found


def _compared(modalities: tuple[str, ...]) -> Iterator[tuple[str, tuple[str, ...], str]]:
    """Yield each figure's name, its place, and the scale on which its mean's interval is even."""
    for name in DEFINITIONS:
        yield name, ("shares", name, "interaction"), "log" if name == "variance" else "logit"
    yield "r2_additive", ("shares", "variance", "r2_additive"), "logit"
    for modality in modalities:
        yield f"local.{modality}", ("shares", "local", modality), "logit"
    for name in ("synergy", "redundancy"):
        yield f"signed.{name}", ("signed", name), "logit"
    for name in ("full", "additive"):
        yield f"concordance.{name}", ("concordance", name), "logit"
    yield "concordance.gain", ("concordance", "gain"), "linear"


def _figure(site: Site, *place: str) -> tuple[float | None, float | None]:
    """Return a figure and its standard error."""
    entry: Any = site
    for step in place[:-1]:
        entry = entry[step]
    return entry[place[-1]], entry["standard_errors"][place[-1]]
