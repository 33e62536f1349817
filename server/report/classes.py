"""A model of classes on the page: headline, AUC site by site, each class, and the confusions."""

from collections.abc import Iterator, Mapping
from typing import Any

from server.report.axes import Axis
from server.report.card import origin
from server.report.ranking import LARGEST, SMALLEST, WIDTH, mark
from server.report.words import listing, modality, number, percent, sentence

FEW_PATIENTS = 10
"""Below so many test patients a figure about a site comes close to one about persons."""

SHOWN = 4
"""Small sites that the first page names."""


def class_card(result: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the first page says of a model of classes.

    Args:
        result: A valid result of such a run.

    Returns:
        Totals, the AUC with its picture and cautions, and names of small sites.

    Source: own.
    """
    pooled = result["evaluation"]["pooled"]
    figure = pooled["auc"]
    scale = Axis(min(0.4, figure["low"] if figure["low"] is not None else 0.4), 1.0, 10.0, 630.0)
    sites = result["sites"]
    small = [s["name"] for s in result["evaluation"]["sites"] if s["patients"] < FEW_PATIENTS]
    more = [f"{len(small) - SHOWN} more"] if len(small) > SHOWN else []
    return {
        "modalities": listing(modality(name) for name in result["model"]["modalities"]),
        "totals": {
            "sites": len(sites),
            "patients": sum(site["patients"]["total"] for site in sites),
            "unlabelled": sum(site["unlabelled"] for site in sites),
            "trained_patients": sum(site["patients"]["train"] for site in sites),
            "trained_sites": sum(site["patients"]["train"] > 0 for site in sites),
        },
        "figure": figure, "scale": scale, "mark": mark(figure, scale),
        "cautions": list(_cautions(pooled)), "origin": origin(result),
        "not_measured": [sentence(text) for text in result["not_measured"]],
        "small_sites": listing(small[:SHOWN] + more, nothing=""),
    }  # fmt: skip


def class_forest(evaluation: Mapping[str, Any]) -> dict[str, Any]:
    """Return the rows of AUC, the federation's first, as `ranking.forest` does of concordances.

    Args:
        evaluation: `result["evaluation"]` of a run that predicts classes.

    Source: own.
    """
    pooled, sites = evaluation["pooled"], evaluation["sites"]
    known = [s["auc"]["value"] for s in sites if s["auc"]["value"] is not None]
    axis = Axis(min([0.4, *known]), 1.0, 8.0, WIDTH - 8.0)
    most = max((site["patients"] for site in sites), default=1)
    rows = [
        _row("All test patients together", "overall", pooled, pooled["auc"], axis, LARGEST),
        _row("Within sites only", "within", pooled, pooled["within_sites"], axis, LARGEST),
    ]
    for site in sites:
        radius = SMALLEST + (LARGEST - SMALLEST) * (site["patients"] / most) ** 0.5
        kind = "unsure" if site["note"] else "site"
        rows.append(_row(site["name"], kind, site, site["auc"], axis, round(radius, 1)))
    value = pooled["auc"]["value"]
    at = None if value is None else axis.at(value)
    return {"axis": axis, "rows": rows, "width": WIDTH, "pooled_at": at, "chance_at": axis.at(0.5)}


def confusions(evaluation: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return a row a true class: patients by predicted class, each with its share of the row.

    Source: own.
    """
    return [
        {
            "name": name,
            "cells": [
                {"patients": cell, "share": cell / max(sum(row), 1), "right": place == column}
                for column, cell in enumerate(row)
            ],
        }
        for place, (name, row) in enumerate(
            zip(evaluation["classes"], evaluation["pooled"]["confusion"], strict=True)
        )
    ]


def _row(
    name: str, kind: str, entry: Mapping[str, Any], figure: Mapping[str, Any], axis: Axis,
    radius: float,
) -> dict[str, Any]:  # fmt: skip
    told = {"name": name, "kind": kind, "patients": entry["patients"], "note": entry.get("note")}
    others = {key: entry[key] for key in ("balanced_accuracy", "macro_f1", "accuracy")}
    return told | others | {"figure": figure, "radius": radius} | mark(figure, axis)


def _cautions(pooled: Mapping[str, Any]) -> Iterator[str]:
    """Yield what a reader of the headline figure must know."""
    figure, within = pooled["auc"], pooled["within_sites"]
    if figure["value"] is None:
        return
    if figure["low"] is None:
        yield "The figure has no interval: " + sentence(figure["reason"] or "none was given")
    elif figure["low"] <= 0.5 <= figure["high"]:
        yield "The interval includes 50: these patients do not show that the model beats chance."
    least = min(pooled["classes"], key=lambda one: one["patients"])
    yield f"The rarest class, {least['name']}, has {least['patients']} test patients."
    if figure["bin_error"] is not None:
        yield (
            "Computed from counts by bin: the figure of the exact scores lies within "
            f"{number(100 * figure['bin_error'], 2)} of it."
        )
    if within["value"] is not None:
        gap = figure["value"] - within["value"]
        yield f"Comparing patients of one site only, it is {number(100 * within['value'], 1)}." + (
            " Part of the figure above may come from telling sites apart." * (gap > 0.02)
        )
    yield f"{percent(pooled['accuracy']['value'])} of the patients get their true class."
