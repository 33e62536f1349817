"""Alerts: what a person should look at in an audit, each from a figure whose interval supports it.

One rule for all: an alert is raised if the whole 95% interval lies beyond its threshold. Figures of
fewer than `MIN_SITE_PATIENTS` patients raise none. Intervals are not corrected for how many rounds
and sites are looked at: of twenty figures that lie on their threshold, one is expected to pass it.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from fusion.config import AlertsConfig
from fusion.interaction.estimates import Entry, figure
from fusion.interaction.figures import MIN_SITE_PATIENTS

Figures: TypeAlias = Mapping[str, Any]
"""An audit's figures, of all sites or of one."""

CHANCE = 0.05
"""Largest p-value of Cochran's Q with which sites count as different."""


@dataclass(frozen=True)
class Place:
    """Which figures are looked at.

    Attributes:
        stage: `round` (validation patients) or `closing` (the split of the closing audit).
        round: Of the model.
        site: None = all sites together.

    Source: own.
    """

    stage: str
    round: int
    site: str | None = None

    def __str__(self) -> str:
        stage = f"Round {self.round}" if self.stage == "round" else "Closing audit"
        return f"{stage}, {'all sites' if self.site is None else f'site {self.site}'}"

    def alert(
        self, kind: str, found: Entry, threshold: float, told: str, modality: str | None = None
    ) -> dict[str, Any]:
        """Return an alert as it stands in the result."""
        return {
            "kind": kind,
            "stage": self.stage,
            "round": self.round,
            "site": self.site,
            "modality": modality,
            **{key: found[key] for key in ("value", "low", "high")},
            "threshold": threshold,
            "sentence": f"{self}: {told}",
        }


def find_alerts(
    rounds: Sequence[Mapping[str, Any]], audit: Figures | None, limits: AlertsConfig
) -> list[dict[str, Any]]:
    """Return the alerts of a run, in the order of its rounds, the closing audit last.

    Kinds: `modality-collapse`, `redundancy` and `interaction-without-gain` of all sites and of
    each; `site-divergence` and, over the rounds, `growth-without-gain` of all sites.

    Args:
        rounds: The result's rounds.
        audit: The closing audit; None = the model reads one modality.
        limits: The thresholds.

    Returns:
        kind, stage, round, site, modality, value, low, high, threshold, sentence of each.

    Privacy: Reads figures that the result holds anyway.

    Source: own.
    """
    audited = [(record, record["audit"]) for record in rounds if record["audit"]]
    found: list[dict[str, Any]] = []
    for record, one in audited:
        found += _of(one, Place("round", record["round"]), limits)
        found += _growth(audited[0], (record, one), limits)
    return found + (list(_of(audit, Place("closing", audit["round"]), limits)) if audit else [])


def _of(audit: Figures, place: Place, limits: AlertsConfig) -> Iterator[dict[str, Any]]:
    """Yield the alerts of one audit, all sites together first."""
    yield from _divergence(audit, place, limits)
    for figures in (audit, *audit["sites"]):
        here = Place(place.stage, place.round, figures.get("name"))
        if figures["patients"] >= MIN_SITE_PATIENTS:
            yield from _collapse(figures, here, limits)
            yield from _no_gain(figures, here, limits)
            yield from _redundancy(figures, here, limits)


def _collapse(figures: Figures, place: Place, limits: AlertsConfig) -> Iterator[dict[str, Any]]:
    """Yield each modality that takes part in next to nothing.

    Its share is what it gives alone and in each pair it belongs to. Their standard errors are
    added, which is never too little, so that an alert is never raised too lightly.
    """
    local, pairs = figures["shares"]["local"], figures["pairs"]
    for modality in figures["modalities"]:
        names = [name for name in pairs if modality in name.split("+")]
        errors = [pairs["standard_errors"][name] for name in names]
        error = local["standard_errors"][modality] + sum(errors)
        share = local[modality] + sum(pairs[name] for name in names)
        found = figure(min(share, 1.0), error, scale="logit")
        if found["high"] < limits.collapse_below:
            told = (
                f"modality {modality} takes part, alone or together, in {_shares(found)} of the "
                f"score, less than {_percent(limits.collapse_below)}: the model hardly uses it."
            )
            yield place.alert("modality-collapse", found, limits.collapse_below, told, modality)


def _divergence(audit: Figures, place: Place, limits: AlertsConfig) -> Iterator[dict[str, Any]]:
    found = audit["heterogeneity"]["local"]
    share, p_value = found["i_squared"], found["p_value"]
    if share is not None and share > limits.divergence_above and p_value < CHANCE:
        told = (
            f"the {found['sites']} sites compared use the modalities differently: "
            f"{_percent(share)} of the spread of their interaction shares is more than chance "
            f"(I², above {_percent(limits.divergence_above)}; Cochran's Q has {_p(p_value)})."
        )
        known = {"value": share, "low": None, "high": None}
        yield place.alert("site-divergence", known, limits.divergence_above, told)


def _no_gain(figures: Figures, place: Place, limits: AlertsConfig) -> Iterator[dict[str, Any]]:
    """Yield if the interaction is surely large, and its gain in concordance surely small."""
    local, gain = figures["shares"]["local"], _gain(figures)
    if local["low"] is None or gain is None:
        return
    if local["low"] > limits.interaction_above and gain["high"] < limits.gain_below:
        told = (
            f"the interaction is {_shares(local)} of the score, more than "
            f"{_percent(limits.interaction_above)}, and changes the concordance by "
            f"{gain['value']:+.3f} ({gain['low']:+.3f} to {gain['high']:+.3f}), less than "
            f"{limits.gain_below:g}: it does not help the ranking."
        )
        yield place.alert("interaction-without-gain", local, limits.interaction_above, told)


def _redundancy(figures: Figures, place: Place, limits: AlertsConfig) -> Iterator[dict[str, Any]]:
    signed = figures["signed"]
    value, error = signed["redundancy"], signed["standard_errors"]["redundancy"]
    found = figure(value, error, scale="logit")
    if found["low"] > limits.redundancy_above:
        told = (
            f"redundancy is {_shares(found)} of the score, more than "
            f"{_percent(limits.redundancy_above)}: there the combination predicts a lower risk "
            "than the sum of its parts."
        )
        yield place.alert("redundancy", found, limits.redundancy_above, told)


def _growth(
    first: tuple[Figures, Figures], now: tuple[Figures, Figures], limits: AlertsConfig
) -> Iterator[dict[str, Any]]:
    """Yield if the interaction has surely grown, and the validation concordance has not risen.

    Both rounds are of the same patients, whose covariance over rounds nobody sends; the standard
    errors are added, which is never too little. The change in concordance has no interval, and the
    sentence says so.
    """
    (before, old), (after, new) = first, now
    was, share = old["shares"]["local"], new["shares"]["local"]
    known = (share["standard_error"], was["standard_error"])
    ranks = (before["concordance"]["value"], after["concordance"]["value"])
    if new["patients"] < MIN_SITE_PATIENTS or None in (*known, *ranks):
        return
    rise = figure(share["value"] - was["value"], sum(known))
    change = ranks[1] - ranks[0]
    if rise["low"] > limits.growth_above and change < limits.gain_below:
        told = (
            f"since round {before['round']} the interaction has grown from "
            f"{_percent(was['value'])} to {_percent(share['value'])} of the score, and the "
            f"concordance has changed by {change:+.3f}, less than {limits.gain_below:g} (a change "
            "without an interval: part of it is chance)."
        )
        place = Place("round", after["round"])
        yield place.alert("growth-without-gain", rise, limits.growth_above, told)


def _gain(figures: Figures) -> Entry | None:
    """Return what the interaction adds to the concordance, or None if there is no interval.

    An error of 0 is one of too few pairs, none of which the interaction turned round.
    """
    found = figures["concordance"]
    value, error = found["gain"], found["standard_errors"]["gain"]
    return figure(value, error) if value is not None and error else None


def _p(value: float) -> str:
    return "p < 0.001" if value < 0.001 else f"p = {value:.3f}"


def _percent(share: float) -> str:
    return f"{100 * share:.3g}%"


def _shares(found: Entry) -> str:
    low, high = 100 * found["low"], 100 * found["high"]
    return f"{100 * found['value']:.1f}% ({low:.1f} to {high:.1f}%)"
