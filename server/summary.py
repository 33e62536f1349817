"""A result on the console: one line a site, then the federation's figures."""

from collections.abc import Mapping, Sequence
from typing import Any

from fusion.commands import table
from server.suppression import KEPT

CHOSEN = {"validation": "chosen on validation", "nothing": "taken: no validation patients"}
"""How the model's round came to be the one, in words."""


def summarise(result: Mapping[str, Any]) -> str:
    """Return the result's main figures as text.

    Args:
        result: A result as `result.schema.json` describes it.

    Returns:
        A table of sites and a few lines for the federation.

    Source: own.
    """
    evaluation, audit = result["evaluation"], result["audit"]
    shares = {
        site["name"]: site["shares"]["local"]["value"] for site in (audit or {"sites": []})["sites"]
    }
    refused = {
        one["name"]: f"not audited: {one['reason']}" for one in (audit or {}).get("not_audited", ())
    }
    figures = _class_figures if "classes" in evaluation else _survival_figures
    rows = [("site", "test patients", *figures(None), "interaction", "note")]
    rows += [
        (
            site["name"],
            str(site["patients"]),
            *figures(site),
            percent(shares.get(site["name"])),
            "; ".join(filter(None, (_noise(site), site["note"], refused.get(site["name"])))),
        )
        for site in evaluation["sites"]
    ]
    pooled = evaluation["pooled"]
    total = percent(audit["shares"]["local"]["value"] if audit else None)
    counted = str(pooled["patients"])
    rows.append(("all, pooled-equivalent", counted, *figures(pooled), total, _noise(pooled)))
    within = interval(pooled["within_sites"])
    blank = [""] * len(figures(None))
    blank[-1 if figures is _survival_figures else 0] = within
    rows.append(("mean within sites", "", *blank, "", ""))
    model = result["model"]
    head = (
        f"{model['title']} on {', '.join(model['modalities'])}: {model['parameters']:,} "
        f"parameters, {model['objective']} objective, round {model['chosen_round']} of "
        f"{model['rounds']} {CHOSEN[model['chosen_on']]}"
    )
    told = alerts(result.get("alerts", ()))
    privacy = result["privacy"]
    advice = [f"advice: {sentence}" for sentence in privacy.get("advice", ())]
    return "\n".join([head, "", table(rows), "", *told, privacy["statement"], *advice])


def _noise(entry: Mapping[str, Any]) -> str:
    return "with noise" if entry.get("noised") else ""


def _survival_figures(one: Mapping[str, Any] | None) -> tuple[str, ...]:
    """Return the cells of a site's figures of survival; of None, their titles."""
    if one is None:
        return "events", "concordance (95% interval)"
    return str(one["events"]), interval(one["concordance"])


def _class_figures(one: Mapping[str, Any] | None) -> tuple[str, ...]:
    """Return the cells of a site's figures of classes; of None, their titles."""
    if one is None:
        return "AUC, mean of classes (95% interval)", "balanced accuracy", "macro F1"
    return tuple(interval(one[key]) for key in ("auc", "balanced_accuracy", "macro_f1"))


def alerts(found: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return the alerts of the closing audit as lines, and how many the rounds had.

    Source: own.
    """
    closing = [f"alert: {one['sentence']}" for one in found if one["stage"] == "closing"]
    before = len(found) - len(closing)
    more = [f"alerts in the rounds: {before}, see result.json"] if before else []
    return [*closing, *more, ""] if found else []


def interval(figure: Mapping[str, Any]) -> str:
    """Return a figure as '0.72 (0.64-0.79)', or why there is none.

    Source: own.
    """
    if figure["value"] is None:
        return KEPT if str(figure.get("reason")).startswith(KEPT) else "not measured"
    if figure["low"] is None:
        return f"{figure['value']:.3f}"
    return f"{figure['value']:.3f} ({figure['low']:.3f}-{figure['high']:.3f})"


def percent(share: float | None) -> str:
    """Return a share as a percentage, or a dash.

    Source: own.
    """
    return "-" if share is None else f"{100 * share:.1f} %"


def summarise_audit(audit: Mapping[str, Any]) -> str:
    """Return a re-audit's main figures as text.

    Args:
        audit: As `$defs/reaudit` of `result.schema.json` describes it.

    Returns:
        A table of sites, the alerts, and who is missing.

    Source: own.
    """
    model, found = audit["model"], audit["audit"]
    modalities = model["modalities"]
    everyone = {**found, "name": "all sites"}
    rows = [("site", f"{found['split']} patients", "interaction (95% interval)", *modalities)]
    for one in (*found["sites"], everyone):
        local = one["shares"]["local"]
        shares = (percent(local.get(name)) for name in modalities)
        rows.append((one["name"], str(one["patients"]), share_interval(local), *shares))
    head = (
        f"{model['title']} of round {model['round']}, hidden modalities replaced by "
        f"{found['background']}"
    )
    lines = [head, "", table(rows), "", *alerts(audit["alerts"]), *audit["not_measured"]]
    return "\n".join(lines)


def share_interval(figure: Mapping[str, Any]) -> str:
    """Return a share as '12.3 % (10.1-14.5)', or a dash.

    Source: own.
    """
    if None in (figure["value"], figure["low"], figure["high"]):
        return percent(figure["value"])
    return f"{percent(figure['value'])} ({100 * figure['low']:.1f}-{100 * figure['high']:.1f})"
