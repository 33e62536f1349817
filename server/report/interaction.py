"""The audit's section: how much the model uses its modalities together, site by site."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations
from typing import Any

from server.report.axes import Axis
from server.report.ranking import mark
from server.report.words import Number, modality

WIDTH = 260
"""Width of a row's bar in px."""

CONVENTIONS: Mapping[str, str] = {
    "local": "Share of the interaction in each patient's score, averaged over patients.",
    "ratio": "The same shares with all patients' contributions added up before dividing.",
    "global": "Contributions averaged with their sign first; unstable where they cancel out.",
    "published": "With Shapley values as denominator, as published tables count it.",
    "moebius": "Share of the Möbius dividends of two or more modalities.",
    "variance": "Share of the variance of the score that an additive score would lack.",
}
"""The conventions in circulation, in plain words."""


def interaction(audit: Mapping[str, Any], modalities: Sequence[str]) -> dict[str, Any]:
    """Return what the section on the modalities shows.

    Args:
        audit: `result["audit"]`, not None.
        modalities: Names of the model's modalities.

    Returns:
        `rows` (federation first, then sites) with bars, `conventions`, `ranking` (concordance
        of the full model, of its additive part, of each modality alone), `pairs`, `matrix` and
        `dividends` (where there are three modalities or more), `legend`, `bootstrap` (None
        unless it was asked for).

    Source: own.
    """
    axis = Axis(0.0, 1.0, 1.0, WIDTH - 1.0)
    everyone = {**audit, "name": "All audited patients", "kind": "overall"}
    rows = [_row(entry, modalities, axis) for entry in (everyone, *audit["sites"])]
    return {
        "rows": rows, "width": WIDTH, "legend": [modality(name) for name in modalities],
        "conventions": list(_conventions(audit["shares"])),
        "pairs": list(_pairs(audit.get("pairs", {}), modalities)),
        "matrix": list(_matrix(audit.get("matrix"), modalities)),
        "dividends": list(_dividends(audit, modalities)),
        "ranking": list(_ranking(audit.get("concordance", {}), modalities)),
        "heterogeneity": audit.get("heterogeneity", {}).get("local"),
        "r2": audit["shares"]["variance"].get("r2_additive"),
        "signed": audit.get("signed", {}),
        "bootstrap": audit["shares"]["local"].get("bootstrap"),
    }  # fmt: skip


def _row(entry: Mapping[str, Any], modalities: Sequence[str], axis: Axis) -> dict[str, Any]:
    local = entry["shares"]["local"]
    shares = [local["value"], *(local.get(name) for name in modalities)]
    return {
        "name": entry["name"], "kind": entry.get("kind", "site"), "patients": entry["patients"],
        "figure": local, "shares": shares, "bars": list(bars(shares, axis)),
        "noised": entry.get("noised", False),
    } | mark(local, axis)  # fmt: skip


def bars(shares: Sequence[Number | None], axis: Axis) -> Iterator[dict[str, Number]]:
    """Yield the pieces of a stacked bar from left to right.

    Args:
        shares: Parts of 1 in order; None is left out.
        axis: From 0 to 1, in px.

    Yields:
        `index` of the share, `x` and `width` of its piece in px.

    Source: own.
    """
    left = 0.0
    for index, share in enumerate(shares):
        if share is None or share <= 0:
            continue
        start, end = axis.at(left), axis.at(left + share)
        yield {"index": index, "x": start, "width": round(end - start, 1)}
        left += share


def _conventions(shares: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    for name, meaning in CONVENTIONS.items():
        figure = shares[name]
        yield {
            "name": name, "meaning": meaning, "figure": figure,
            "warning": figure.get("warning"), "primary": name == "local",
            "resampled": figure.get("bootstrap", {}).get("interaction"),
        }  # fmt: skip


def _pairs(pairs: Mapping[str, Any], modalities: Sequence[str]) -> Iterator[dict[str, Any]]:
    """Yield each pair's share, largest first; of two modalities the pair is the whole."""
    if len(modalities) < 3:
        return
    errors = pairs.get("standard_errors", {})
    named = [
        (one, other, pairs.get(f"{one}+{other}")) for one, other in combinations(modalities, 2)
    ]
    for one, other, share in sorted(named, key=lambda pair: -(pair[2] or 0.0)):
        title = f"{modality(one)} with {modality(other)}"
        error = errors.get(f"{one}+{other}")
        yield {"title": title[:1].upper() + title[1:], "share": share, "standard_error": error}


def _matrix(
    matrix: Sequence[Sequence[Number | None]] | None, modalities: Sequence[str]
) -> Iterator[dict[str, Any]]:
    """Yield the rows of the matrix, each cell with how strongly it is coloured."""
    if matrix is None or len(modalities) < 3:
        return
    largest = max((abs(value) for row in matrix for value in row if value), default=0.0)
    for place, row in enumerate(matrix):
        cells = [
            {"value": value, "strength": round(0.35 * abs(value or 0.0) / (largest or 1.0), 3)}
            for value in row
        ]
        yield {"title": modality(modalities[place]), "place": place, "cells": cells}


def _dividends(audit: Mapping[str, Any], modalities: Sequence[str]) -> Iterator[dict[str, Any]]:
    """Yield every coalition's mean dividend, single modalities first, then by order."""
    found, sizes = audit.get("dividends"), audit.get("dividend_sizes", {})
    if found is None or len(modalities) < 3:
        return
    for order in range(1, len(modalities) + 1):
        for place, members in enumerate(combinations(modalities, order)):
            name = "+".join(members)
            title = " with ".join(modality(member) for member in members)
            yield {
                "title": title[:1].upper() + title[1:], "first": place == 0 and order > 1,
                "value": found.get(name), "size": sizes.get(name),
                "standard_error": found.get("standard_errors", {}).get(name),
            }  # fmt: skip


def _ranking(concordance: Mapping[str, Any], modalities: Sequence[str]) -> Iterator[Any]:
    names = {"full": "The model as it is", "additive": "Without the interaction"}
    names |= {name: f"{modality(name).capitalize()} alone" for name in modalities}
    errors, reason = concordance.get("standard_errors", {}), concordance.get("reason")
    for key, title in names.items():
        if key in concordance:
            row = {"value": concordance[key], "standard_error": errors.get(key)}
            yield row | {"title": title, "reason": reason}
