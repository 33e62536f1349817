"""Every cohort figure of the audit, with its standard error, from one tally of sums."""

import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from scipy.special import stdtrit
from torch import Tensor

from fusion.interaction.estimates import Entry, absent, delta_method, figure, named, number
from fusion.interaction.formulas import (
    correlated,
    diagonal_of,
    ratio_of_sums,
    sizes_of_means,
    unexplained,
)
from fusion.interaction.heterogeneity import heterogeneity
from fusion.interaction.noised import NOISED, NOT_NOISED
from fusion.interaction.quantities import coalition_names, pair_names
from fusion.interaction.shares import SMALLEST
from fusion.interaction.tallies import AuditTally

PRIMARY = "local"
"""The definition that answers when only one number is wanted."""

MIN_SITE_PATIENTS = 10
"""Audited patients below which a site does not enter the comparison between sites."""

FLAT = 1e-12
"""A variance below this part of the mean square is rounding."""

CANCELLED = 0.1
"""`global` is ill-conditioned when averaging leaves less than this part of the contributions."""


def audit_figures(tally: AuditTally, sites: Mapping[str, AuditTally]) -> dict[str, Any]:
    """Return all figures of an audit, JSON-safe.

    Args:
        tally: Sums over all patients wanted, such as the sum of the sites' tallies.
        sites: Each site's own tally, for the heterogeneity between them; may be empty.

    Returns:
        patients, excluded, noised, uninformative, clipped_share (whose contributions were cut),
        primary, shares (local, ratio, global, published, moebius, variance), signed, pairs,
        matrix, dividends, concordance, heterogeneity, reasons.
        A share has value, low, high, standard_error, interaction (= value), one entry a modality
        and standard_errors. What cannot be had is None with a reason, never NaN.

    Privacy: Reads sums only.

    Source: definitions in `shares` and below; standard errors by the delta method.
    """
    shares = _shares(tally)
    signs = tally.moments("signs")[0] * tally.count
    compared = {name: one for name, one in sites.items() if one.count >= MIN_SITE_PATIENTS}
    result = {
        "patients": int(tally.count),
        "excluded": int(tally.excluded),
        "noised": tally.noise > 0,
        "uninformative": max(round(float(signs[4])), 0),
        "clipped_share": tally.clipped / tally.count if tally.count else None,
        "modalities": list(tally.modalities),
        "primary": PRIMARY,
        "shares": shares,
        "signed": _signed(tally),
        "pairs": _means(tally, "pairs", pair_names(tally.modalities)),
        "matrix": _matrix(tally),
        "dividends": _means(tally, "dividends", coalition_names(tally.modalities)),
        "dividend_sizes": _means(tally, "sizes", coalition_names(tally.modalities)),
        "concordance": _concordance(tally),
        "heterogeneity": heterogeneity(
            {name: _comparable(one) for name, one in compared.items()},
            tally.modalities,
            given=len(sites),
            least=MIN_SITE_PATIENTS,
        ),
    }
    return result | {"reasons": _reasons(result)}


def _comparable(tally: AuditTally) -> dict[str, Any]:
    """Return the figures that are compared between sites."""
    found = {"shares": _shares(tally), "signed": _signed(tally)}
    return found | {"concordance": _concordance(tally)}


def _shares(tally: AuditTally) -> dict[str, Entry]:
    names = ("local", "ratio", "global", "published", "moebius", "variance")
    if not tally.count:
        return {name: _no_patients(tally) for name in names}
    if tally.noise:
        return {
            name: _averaged(tally, name) if name in NOISED else _not_noised(tally, name)
            for name in names
        }
    return {
        "local": _averaged(tally, "local"),
        "ratio": _ratio(tally),
        "global": _global(tally),
        "published": _averaged(tally, "published"),
        "moebius": _averaged(tally, "moebius"),
        "variance": _variance(tally),
    }


def _share(tally: AuditTally, values: np.ndarray, errors: np.ndarray) -> Entry:
    """Return the interaction share as the figure, and every part under its name."""
    values = np.minimum(values, 1.0)
    entry = figure(float(values[0]), float(errors[0]), scale="logit")
    return entry | named(("interaction", *tally.modalities), values, errors)


def _no_share(tally: AuditTally, reason: str) -> Entry:
    blank = np.full(1 + len(tally.modalities), np.nan)
    return absent(reason) | named(("interaction", *tally.modalities), blank, blank)


def _no_patients(tally: AuditTally) -> Entry:
    return _no_share(tally, "no patient with every modality was audited")


def _not_noised(tally: AuditTally, name: str) -> Entry:
    """Return a share that noised sums do not hold."""
    if name != "variance":
        return _no_share(tally, NOT_NOISED)
    blank = np.full(3, np.nan)
    known = named(("interaction", "r2_additive_ssr", "r2_additive"), blank, blank)
    return absent(NOT_NOISED) | known | _r2_interval(blank[:1], blank[:1], math.nan)


def _averaged(tally: AuditTally, block: str) -> Entry:
    """Return shares that are means over patients of each one's own share."""
    mean, covariance = tally.moments(block)
    return _share(tally, mean, np.sqrt(np.maximum(np.diag(covariance), 0.0) / tally.count))


def _ratio(tally: AuditTally) -> Entry:
    """Return sums over patients of absolute entries over the sum of all of them."""
    mean, covariance = tally.moments("ratio")
    if mean.sum() < SMALLEST:
        return _no_share(tally, "no modality moves the model's output for any patient")
    values, errors = delta_method(
        ratio_of_sums, mean=mean, covariance=covariance, count=tally.count
    )
    return _share(tally, values, errors)


def _global(tally: AuditTally) -> Entry:
    """Return shares of the absolute entries of the matrix averaged over patients."""
    mean, covariance = tally.moments("global")
    own, pairs = diagonal_of(len(mean))
    size = float(np.abs(mean[own]).sum() + 2 * np.abs(mean[pairs]).sum())
    if size < SMALLEST:
        return _no_share(tally, "the contributions average to 0 over the patients")
    values, errors = delta_method(
        sizes_of_means, mean=mean, covariance=covariance, count=tally.count
    )
    spread = np.sqrt(np.maximum(np.diag(covariance), 0.0) / tally.count)
    kept = size / float(tally.moments("ratio")[0].sum())
    centred = bool((np.abs(mean[own]) < 2 * spread[own]).all()) or kept < CANCELLED
    warning = (
        "ill-conditioned: the mean contributions are near 0, so this share is mostly chance"
        if centred
        else None
    )
    return _share(tally, values, errors) | {"warning": warning, "conditioning": kept}


def _variance(tally: AuditTally) -> Entry:
    """Return Var(interaction) / Var(eta), and how well the additive part explains eta.

    r2_additive is the squared correlation of additive part and eta (a Cox score has no scale),
    r2_additive_ssr is 1 - sum (eta - additive)^2 / sum (eta - mean)^2. The errors rest on fourth
    moments, hence the `inverse` scale of their intervals, and Student's t.
    """
    own, total = _spreads(tally.moments("variance")[0])
    if tally.count < 3:
        entry = absent("fewer than 3 patients")
    elif total is None:
        entry = absent("the log-hazards have no variance")
    values, errors = np.full((2, 3), np.nan)
    if tally.count >= 3 and total is not None:
        values[:2], errors[:2] = _from_moments(tally, unexplained)
        reach = _reach(tally.count)
        entry = figure(float(values[0]), float(errors[0]), scale="inverse", quantile=reach)
        if own is None:
            entry["reason"] = "r2_additive: the additive part has no variance"
        else:
            values[2:], errors[2:] = _from_moments(tally, correlated)
    known = named(("interaction", "r2_additive_ssr", "r2_additive"), values, errors)
    return entry | known | _r2_interval(values[2:], errors[2:], _reach(tally.count))


def _from_moments(
    tally: AuditTally, function: Callable[[Tensor], Tensor]
) -> tuple[np.ndarray, np.ndarray]:
    mean, covariance = tally.moments("variance")
    return delta_method(function, mean=mean, covariance=covariance, count=tally.count)


def _spreads(mean: np.ndarray) -> tuple[float | None, float | None]:
    """Return the variances of the additive part and of eta, None where they are rounding."""
    additive, interaction, square, product, interaction2 = mean
    own = square - additive**2
    eta2 = square + 2 * product + interaction2
    total = eta2 - (additive + interaction) ** 2
    return (
        own if own > max(FLAT * square, SMALLEST**2) else None,
        total if total > max(FLAT * eta2, SMALLEST**2) else None,
    )


def _reach(count: float) -> float:
    """Return Student's t quantile for a figure whose error is itself a fourth moment.

    What a normal patient adds to a variance is a squared normal, of kurtosis 15, so its spread is
    known as from 2 n / (15 - 1) degrees of freedom (Satterthwaite).
    """
    return float(stdtrit(max(1.0, count / 7), 0.975))


def _r2_interval(value: np.ndarray, error: np.ndarray, reach: float) -> Entry:
    """Return the interval of what the additive part leaves unexplained, turned round."""
    names = ("standard_error", "low", "high")
    if not np.isfinite([value, error]).all():
        return {f"r2_additive_{name}": None for name in names}
    left = figure(1.0 - float(value[0]), float(error[0]), scale="inverse", quantile=reach)
    ends = (float(error[0]), max(0.0, 1.0 - left["high"]), 1.0 - left["low"])
    return {f"r2_additive_{name}": end for name, end in zip(names, ends, strict=True)}


def _means(tally: AuditTally, block: str, names: tuple[str, ...]) -> Entry:
    """Return plain means over patients with their standard errors."""
    mean, covariance = tally.moments(block)
    if not tally.count or (tally.noise and block not in NOISED):
        mean, covariance = np.full_like(mean, np.nan), np.full_like(covariance, np.nan)
    error = np.sqrt(np.maximum(np.diag(covariance), 0.0) / max(tally.count, 1.0))
    return named(names, mean, error)


def _signed(tally: AuditTally) -> Entry:
    """Return interaction by its sign: synergy above 0, redundancy (sub-additive) below 0.

    synergy + redundancy is the `local` interaction share; the *_patients figures are the parts of
    patients whose whole interaction is above or below 0; mean_interaction is in log-hazard.
    """
    names = ("synergy", "redundancy", "synergy_patients", "redundancy_patients")
    entry = _means(tally, "signs", (*names, "uninformative_patients"))
    whole = _means(tally, "variance", ("", "mean_interaction", "", "", ""))
    errors = entry["standard_errors"] | {
        "mean_interaction": whole["standard_errors"]["mean_interaction"]
    }
    return entry | {"mean_interaction": whole["mean_interaction"], "standard_errors": errors}


def _matrix(tally: AuditTally) -> list[list[float | None]]:
    """Return the InterSHAP matrix averaged over patients, signs kept, in log-hazard."""
    size = len(tally.modalities)
    result = np.full((size, size), np.nan)
    i, j = np.triu_indices(size)
    if tally.count and not tally.noise:
        result[i, j] = result[j, i] = tally.moments("global")[0]
    return [[number(entry) for entry in row] for row in result]


def _concordance(tally: AuditTally) -> Entry:
    """Return within-site concordance of the full output, additive part and main effects.

    `gain` is full minus additive, what the interaction buys; its error knows they are paired.
    """
    names = ("full", "additive", *tally.modalities, "gain")
    pairs = tally.comparable
    if not pairs or tally.noise:
        blank = np.full(len(names), np.nan)
        reason = NOT_NOISED if tally.noise else "no comparable pair"
        return named(names, blank, blank) | {"comparable_pairs": 0, "reason": reason}
    values = tally.concordant / pairs
    values = np.append(values, values[0] - values[1])
    known = named(names, values, np.sqrt(tally.variance) / pairs)
    return known | {"comparable_pairs": int(pairs), "reason": None}


def _reasons(result: dict[str, Any]) -> list[str]:
    """Return one sentence for each figure that is absent or doubtful."""
    found = []
    for name, entry in result["shares"].items():
        found += [f"{name}: {entry[key]}" for key in ("reason", "warning") if entry.get(key)]
    if result["concordance"]["reason"]:
        found.append(f"concordance: {result['concordance']['reason']}")
    absences = {entry["reason"] for entry in result["heterogeneity"].values() if entry["reason"]}
    return found + [f"heterogeneity: {reason}" for reason in sorted(absences)]
