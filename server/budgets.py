"""What a private run cost the sites' patients, as each site's ledger tells it."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from decimal import ROUND_CEILING, Context, Decimal
from typing import Any

from fusion.config import RunConfig
from fusion.errors import FederationError
from privacy.releases import EXACT, NOISED
from server.advice import advise
from server.inbox import Answer, Check
from server.outgoing import Outgoing, joined, say_inside, say_outside

STEM = "budget:"
"""Before the names of what a site tells of its ledger and policy."""

FIGURES = (
    "epsilon", "epsilon-rdp", "run-epsilon", "run-epsilon-rdp", "max-epsilon", "delta",
    "planned-epsilon", "noise-multiplier", "max-grad-norm", "sampling-rate", "public-size",
    "steps", "planned-steps",
)  # fmt: skip
"""Their names."""

PLAIN = (
    "Trained without differential privacy: weights and exact sums over patients left each site, "
    "and no epsilon bounds what they tell."
)
"""The statement of a run without a promise."""

PLAIN_REAUDIT = (
    "Nothing was trained. Exact sums over patients left each site without differential privacy, "
    "and no epsilon bounds what they tell."
)
"""The statement of a re-audit of a model without a promise."""

NO_COST = (
    "Nothing was trained and no noise was drawn, so this re-audit spent nothing of any site's "
    "budget. The model was trained under record-level differential privacy; what that cost stands "
    "in the result of its run."
)
"""What a re-audit of a private model cost."""

NO_ATTACK = "What the weights and sums reveal of patients: no attack was run."
"""Stands among what was not measured, until a simulation's model is attacked."""

NOT_COVERED = (
    "Not covered: a patient who is at two sites, runs that a ledger does not know (plain ones, "
    "and other simulations), how public sizes, scaling and cuts were chosen, what the slide "
    "features were trained on before, names of columns, how long a site takes, and whether a "
    "folder could be read."
)
"""What the promise of a private run leaves out."""


def with_budget(check: Check, config: RunConfig) -> Check:
    """Return a check that an update of a private run tells what it cost, too.

    Args:
        check: Of the rest of an answer.
        config: The run's settings.

    Source: own.
    """

    def checked(answer: Answer) -> None:
        check(answer)
        told = [(name, part) for part in answer.parts for name in FIGURES]
        for name, part in told if config.privacy.private else ():
            value = part.figures.get(STEM + name)
            if not isinstance(value, (int, float)) or not 0 <= value < math.inf:
                raise FederationError(
                    f"A private update must tell its {name}, got {str(value)[:25]}. "
                    "Run the same version at every site."
                )

    return checked


def told_budgets(answers: Iterable[Answer]) -> list[dict[str, Any]]:
    """Return what each site of a private run told of its budget; nothing for another run.

    Source: own.
    """
    return [
        {"name": answer.site}
        | {_key(name): float(answer.figures[STEM + name]) for name in FIGURES}
        | {"exact_releases": exact_releases(answer)}
        | {"noised_releases": noised_releases(answer)}
        for answer in (part for one in answers for part in one.parts)
        if STEM + FIGURES[0] in answer.figures
    ]


def exact_releases(answer: Answer) -> list[str]:
    """Return which sums without noise an answer of a private run holds.

    Source: own.
    """
    return [str(name) for name in answer.facts.get("exact-releases", ()) if name in EXACT]


def noised_releases(answer: Answer) -> list[str]:
    """Return which sums with noise an answer of a private run holds.

    Source: own.
    """
    return [str(name) for name in answer.facts.get("noised-releases", ()) if name in NOISED]


def say_budget(budgets: Sequence[Mapping[str, Any]]) -> str:
    """Return the end of a round's line: what was spent and is left where least is left.

    Source: own.
    """
    if not budgets:
        return ""
    least = min(budgets, key=lambda one: one["max_epsilon"] - one["epsilon"])
    left = max(least["max_epsilon"] - least["epsilon"], 0.0)
    among = f", least of {len(budgets)}" if len(budgets) > 1 else ""
    return f"  epsilon {least['epsilon']:.2f} spent, {left:.2f} left ({least['name']}{among})"


def tell_privacy(
    records: Sequence[Mapping[str, Any]], left: Outgoing, config: RunConfig
) -> dict[str, Any]:
    """Return the result's part on privacy.

    Args:
        records: Of all rounds; what left in them counts, whoever remembers it.
        left: What left in all, as the answers said.
        config: The run's settings.

    Source: own.
    """
    if not config.privacy.private:
        return {"differential_privacy": False, "statement": PLAIN}
    exact, noised = (
        joined(told, *({one["name"]: one.get(key, ())} for one in _told(records)))
        for told, key in ((left.exact, "exact_releases"), (left.noised, "noised_releases"))
    )
    left = replace(left, exact=exact, noised=noised)
    sites = [_site(name, records, left) for name in _names(records, left)]
    parts = [_cost(sites), *_uncounted(records, left), *say_inside(left), say_outside(left)]
    return {
        "differential_privacy": True,
        "unit": "one patient, added or removed, with all slides, omics and the outcome",
        "statement": " ".join([*parts, *_gone(sites), NOT_COVERED]),
        "advice": advise(sites, config),
        "sites": sites,
    }


def tell_reaudit(left: Outgoing, config: RunConfig) -> dict[str, Any]:
    """Return a re-audit's part on privacy: what it cost, and what it let out.

    Args:
        left: What left in all, as the answers said.
        config: The settings, those of the model's run.

    Source: own.
    """
    if not config.privacy.private:
        return {"differential_privacy": False, "statement": PLAIN_REAUDIT}
    parts = [_cost_of_audit(left), *say_inside(left), say_outside(left), NOT_COVERED]
    return {
        "differential_privacy": True,
        "statement": " ".join(parts),
        "sites": [
            {
                "name": name,
                "exact_releases": sorted(names),
                "noised_releases": sorted(left.noised.get(name, ())),
                "withheld": dict(left.withheld.get(name, {})),
            }
            for name, names in sorted(left.exact.items())
        ],
    }


def _cost_of_audit(left: Outgoing) -> str:
    if not left.accounts:
        return NO_COST
    site, most = max(left.accounts.items(), key=lambda one: one[1]["run-epsilon"])
    delta = max(account["delta"] for account in left.accounts.values())
    return (
        f"The model was trained before; this audit cost each patient at most epsilon "
        f"{_above(most['run-epsilon'])} at delta {_above(delta, digits=3)} (site {site})."
    )


def _told(records: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    return [one for record in records for one in record.get("privacy", ())]


def _key(name: str) -> str:
    return name.replace("-", "_")


def _names(records: Sequence[Mapping[str, Any]], left: Outgoing) -> list[str]:
    told = {one["name"] for one in _told(records)} | set(left.accounts)
    return sorted(told | {one["site"] for record in records for one in record["failed"]})


def _site(name: str, records: Sequence[Mapping[str, Any]], outgoing: Outgoing) -> dict[str, Any]:
    """Return a site's last account, what left there, and why it left the run if it did."""
    own = [one for one in _told(records) if one["name"] == name]
    account: dict[str, Any] = dict.fromkeys(map(_key, FIGURES)) | (own[-1] if own else {})
    account |= {_key(key): value for key, value in outgoing.accounts.get(name, {}).items()}
    failed = {r["round"]: f["reason"] for r in records for f in r["failed"] if f["site"] == name}
    answered = [record["round"] for record in records[1:] if name in record["answered"]]
    gone = [number for number in failed if number > max(answered, default=0)]
    left = {"round": min(gone), "reason": failed[min(gone)]} if gone else None
    return account | {
        "name": name,
        "exact_releases": sorted(outgoing.exact.get(name, ())),
        "noised_releases": sorted(outgoing.noised.get(name, ())),
        "withheld": dict(outgoing.withheld.get(name, {})),
        "left": left,
    }


def _cost(sites: Sequence[Mapping[str, Any]]) -> str:
    known = [site for site in sites if site["epsilon"] is not None]
    if not known:
        return "Record-level differential privacy was asked for, and no site trained."
    run, ever = (max(known, key=lambda site: site[key]) for key in ("run_epsilon", "epsilon"))
    # the largest of each: a site with less epsilon can have more delta
    delta = max(site["delta"] for site in known)
    return (
        "Trained under record-level differential privacy: one patient more or less, with all "
        f"slides, omics and the outcome. This run cost each patient at most epsilon "
        f"{_above(run['run_epsilon'])} at delta {_above(delta, digits=3)} (site {run['name']}); "
        f"with all earlier private runs in a site's ledger at most {_above(ever['epsilon'])} "
        f"(site {ever['name']})."
    )


def _above(value: float, *, digits: int | None = None) -> str:
    """Return a bound for a sentence, rounded up: to three decimals, or to so many digits."""
    exact = Decimal(str(value))
    if digits is None:
        return f"{exact.quantize(Decimal('0.001'), rounding=ROUND_CEILING):.3f}"
    return f"{Context(prec=digits, rounding=ROUND_CEILING).plus(exact):g}"


def _uncounted(records: Sequence[Mapping[str, Any]], left: Outgoing) -> list[str]:
    """Return sentences on what a site may have paid for after its last account, and did not pay."""
    denied = [
        f"{site} did not let out {', '.join(sorted(told))}: {min(told.values())}"
        for site, told in sorted(left.withheld.items())
    ]
    last = {one["name"]: record["round"] for record in records for one in record.get("privacy", ())}
    late = {
        failure["site"]
        for record in records
        for failure in record["failed"]
        if record["round"] > last.get(failure["site"], -1)
    }
    if not late:
        return denied
    return [
        *denied,
        f"Of {', '.join(sorted(late))} no account came after rounds that failed there; if they "
        "were charged, the site's ledger tells.",
    ]


def _gone(sites: Sequence[Mapping[str, Any]]) -> list[str]:
    return [
        f"Site {site['name']} left in round {site['left']['round']}: {site['left']['reason']}"
        for site in sites
        if site["left"]
    ]
