"""The first page: a model card in plain words, with what was not measured."""

from collections.abc import Iterator, Mapping
from typing import Any, TypeAlias

from server.report.axes import Axis
from server.report.ranking import FEW_EVENTS, mark
from server.report.words import count, listing, modality, number, percent, sentence

ENOUGH_EVENTS = 100
"""Events a validation should have (Collins, Ogundimu and Altman 2016)."""

FEW_PATIENTS = 10
"""Below so many test patients a figure about a site comes close to one about persons."""

SHOWN = 4
"""Small sites that the first page names."""

Result: TypeAlias = Mapping[str, Any]


def card(result: Result) -> dict[str, Any]:
    """Return what the first page says.

    Args:
        result: A valid result.

    Returns:
        Totals, the ranking with its picture and cautions, how the modalities are used, where the
        test patients come from, what was not measured, and the names of small sites.

    Source: own; the least number of events from Collins, Ogundimu and Altman, "Sample size
        considerations for the external validation of a multivariable prognostic model",
        Statistics in Medicine 35 (2016).
    """
    figure = result["evaluation"]["pooled"]["concordance"]
    scale = Axis(min(0.4, figure["low"] if figure["low"] is not None else 0.4), 1.0, 10.0, 630.0)
    return {
        "modalities": listing(modality(name) for name in result["model"]["modalities"]),
        "totals": totals(result), "figure": figure,
        "scale": scale, "mark": mark(figure, scale), "chance_at": scale.at(0.5),
        "cautions": list(_cautions(result)), "origin": origin(result),
        "together": together(result), "not_measured": list(_not_measured(result)),
        "small_sites": _small_sites(result),
    }  # fmt: skip


def totals(result: Result) -> dict[str, int]:
    """Return patients and events of all sites, and those trained on.

    Source: own.
    """
    sites, counts = result["sites"], site_totals(result)
    return {
        "sites": len(sites),
        "patients": counts["patients"]["total"],
        "events": counts["events"]["total"],
        "trained_patients": counts["patients"]["train"],
        "trained_events": counts["events"]["train"],
        "trained_sites": sum(
            site["role"] == "train" if site["patients"] is None else site["patients"]["train"] > 0
            for site in sites
        ),
    }


def site_totals(result: Result) -> dict[str, dict[str, int]]:
    """Return `patients`, `events` and `missing` of all sites: as they came, or added up.

    Source: own.
    """
    if "totals" in result:
        return result["totals"]
    sites = result["sites"]
    return {
        kind: {
            key: sum(site.get(kind, {}).get(key, 0) for site in sites)
            for key in dict.fromkeys(key for site in sites for key in site.get(kind, ()))
        }
        for kind in ("patients", "events", "missing")
    }


def origin(result: Result) -> str:
    """Return a sentence on whether the test patients come from sites that also trained.

    Source: own.
    """
    counts = [(site, site["patients"]) for site in result["sites"]]
    tested = [site for site, patients in counts if patients is None or patients["test"] > 0]
    outside = sum(site["role"] == "evaluate-only" for site in tested)
    if not tested:
        return "No site has test patients."
    if outside == len(tested):
        return "They all come from sites that took no part in training."
    if outside == 0:
        return (
            "They come from the same sites as the training patients, so the figure does not tell "
            "how the model does at another hospital."
        )
    return (
        f"{outside} of the {len(tested)} sites took no part in training; the other test patients "
        "come from sites that also trained, which can flatter the figure."
    )


def _cautions(result: Result) -> Iterator[str]:
    """Yield what a reader of the headline figure must know."""
    pooled = result["evaluation"]["pooled"]
    figure, within = pooled["concordance"], pooled["within_sites"]
    if figure["value"] is None:
        return
    if figure["low"] is None:
        yield "The figure has no interval: " + sentence(figure.get("reason") or "none was given")
    elif figure["low"] <= 0.5 <= figure["high"]:
        yield "The interval includes 50: these patients do not show that the model beats chance."
    if pooled["events"] < ENOUGH_EVENTS:
        yield (
            f"It rests on {count(pooled['events'], 'event')}; at least {ENOUGH_EVENTS} are "
            "recommended to validate a prognostic model, so read it as a first estimate."
        )
    if within["value"] is None:
        return
    gap = figure["value"] - within["value"]
    yield f"Comparing patients of one site only, it is {number(100 * within['value'], 1)}." + (
        " Part of the figure above may come from telling sites apart, not patients." * (gap > 0.02)
    )


def together(result: Result) -> dict[str, Any]:
    """Return how the model uses its modalities, or why that is not known.

    Source: own.
    """
    audit, modalities = result["audit"], result["model"]["modalities"]
    if audit is None:
        lone = f"does not apply: the model reads one kind of data, {modality(modalities[0])}"
        reason = "not measured: no audit was run"
        return {"reason": lone if len(modalities) == 1 else reason}
    local = audit["shares"]["local"]
    if local["value"] is None:
        return {"reason": "not measured: " + (local.get("reason") or "no reason was recorded")}
    known = {name: local.get(name) for name in modalities}
    parts = [f"{modality(name)} give {percent(share)}" for name, share in known.items()]
    return {"figure": local, "parts": listing(parts), "patients": audit["patients"]}


def _not_measured(result: Result) -> Iterator[str]:
    """Yield the run's own list, then every overall figure that came out null."""
    yield from (sentence(text) for text in result["not_measured"])
    pooled = result["evaluation"]["pooled"]
    titles = {
        "concordance": "Ranking of all test patients", "within_sites": "Ranking within sites",
        "uno": "Uno's concordance", "integrated_brier": "The integrated Brier score",
    }  # fmt: skip
    for key, title in titles.items():
        if pooled[key]["value"] is None:
            yield sentence(f"{title}: {pooled[key]['reason']}")
    if not result["evaluation"]["calibration"]:
        yield "Calibration: whether predicted survival agrees with what was seen."
    if result["audit"] is None and len(result["model"]["modalities"]) > 1:
        yield "How much the model uses its kinds of data together: no audit was run."


def _small_sites(result: Result) -> str:
    """Return the names of the sites with few test patients or events, the first few written out."""
    names = [
        site["name"]
        for site in result["evaluation"]["sites"]
        if site["patients"] < FEW_PATIENTS or site["events"] < FEW_EVENTS
    ]
    more = [f"{len(names) - SHOWN} more"] if len(names) > SHOWN else []
    return listing(names[:SHOWN] + more, nothing="")
