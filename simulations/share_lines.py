"""The audit of coalition values as a person reads it."""

from collections.abc import Mapping, Sequence
from typing import Any

from fusion.commands import table
from fusion.interaction.figures import PRIMARY
from server.summary import interval

SHARES = ("local", "ratio", "global", "published", "moebius")
RANKING = "concordance within sites"


def share_lines(found: Mapping[str, Any]) -> str:
    """Return the figures of `audit_values` as tables and lines of text.

    Source: own.
    """
    blocks = [_head(found), table(_definitions(found)), "\n".join(_fit(found))]
    blocks.append(table(_concordance(found)) if found["concordance"]["reason"] is None else "")
    if found["sites"]:
        blocks += [table(_sites(found)), _between(found["heterogeneity"][PRIMARY])]
    blocks.append("\n".join(f"note: {told}" for told in [*found["reasons"], *found["notes"]]))
    return "\n\n".join(block for block in blocks if block)


def _head(found: Mapping[str, Any]) -> str:
    still = found["uninformative"]
    rest = f", {still} of them moved by no modality" if still else ""
    return f"Patients: {found['patients']}{rest}. Modalities: {', '.join(found['modalities'])}."


def _definitions(found: Mapping[str, Any]) -> list[Sequence[str]]:
    names = found["modalities"]
    rows: list[Sequence[str]] = [("definition", "interaction (95% interval)", *names)]
    for share in SHARES:
        entry = found[share]
        cells = [_with_error(entry, name) for name in names]
        title = f"{share} (primary)" if share == PRIMARY else share
        rows.append((title, interval(entry), *cells))
    rows.append(("variance", interval(found["variance"]), *("" for _ in names)))
    return rows


def _fit(found: Mapping[str, Any]) -> list[str]:
    fit, signed = found["variance"], found["signed"]
    r2 = {key: fit[f"r2_additive_{key}"] for key in ("low", "high")} | {"value": fit["r2_additive"]}
    return [
        f"additive part and full output, squared correlation (r2_additive): {interval(r2)}",
        f"of the local interaction: synergy {_with_error(signed, 'synergy')}, "
        f"redundancy {_with_error(signed, 'redundancy')}",
    ]


def _concordance(found: Mapping[str, Any]) -> list[Sequence[str]]:
    names = ("full", "additive", *found["modalities"], "gain")
    ways = [(RANKING if found["sites"] else "concordance", found["concordance"])]
    if found["sites"]:
        ways.append(("concordance, all pairs", found["concordance_pooled"]))
    rows: list[Sequence[str]] = [("", "pairs", *names)]
    for title, entry in ways:
        cells = [_with_error(entry, name) for name in names]
        rows.append((title, f"{entry['comparable_pairs']:,}", *cells))
    return rows


def _sites(found: Mapping[str, Any]) -> list[Sequence[str]]:
    rows: list[Sequence[str]] = [
        ("site", "patients", "local (95% interval)", "variance (95% interval)", "concordance")
    ]
    for site in found["sites"]:
        figures = (interval(site["local"]), interval(site["variance"]))
        ranked = _with_error(site["concordance"], "full")
        rows.append((site["name"], str(site["patients"]), *figures, ranked))
    return rows


def _between(entry: Mapping[str, Any]) -> str:
    if entry["reason"] is not None:
        return f"{PRIMARY} between sites: not measured ({entry['reason']})"
    return (
        f"{PRIMARY} between the {entry['sites']} sites of {entry['min_patients']} patients or "
        f"more: Cochran's Q {entry['cochran_q']:.2f}, p {entry['p_value']:.3g}, "
        f"I2 {entry['i_squared']:.2f}; their mean {interval(entry['random_effects'])}"
    )


def _with_error(entry: Mapping[str, Any], name: str) -> str:
    """Return a figure as '0.312 ± 0.008', its standard error where there is one."""
    value, error = entry[name], entry["standard_errors"][name]
    if value is None:
        return "-"
    return f"{value:.3f}" if error is None else f"{value:.3f} ± {error:.3f}"
