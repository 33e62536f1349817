"""What left the sites of a private run beside the model, and in whose promise."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from privacy.releases import EXACT, NOISED
from server.inbox import Inbox


@dataclass(frozen=True)
class Outgoing:
    """What left each site, by its name, as the sites said.

    Attributes:
        exact: Sums without noise, outside of the promise.
        noised: Sums with noise, inside of it.
        withheld: Sums with noise that a ledger did not let out, and why.
        accounts: What each site said last of its budget, by figure.

    Source: own.
    """

    exact: Mapping[str, Iterable[str]] = field(default_factory=dict)
    noised: Mapping[str, Iterable[str]] = field(default_factory=dict)
    withheld: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    accounts: Mapping[str, Mapping[str, float]] = field(default_factory=dict)

    @staticmethod
    def of(
        inbox: Inbox, exact: Mapping[str, Iterable[str]], noised: Mapping[str, Iterable[str]]
    ) -> "Outgoing":
        """Return what came into an inbox, and what had come before a run was resumed."""
        return Outgoing(
            joined(exact, inbox.released),
            joined(noised, inbox.noised),
            inbox.withheld,
            inbox.accounts,
        )


def joined(*told: Mapping[str, Iterable[str]]) -> dict[str, set[str]]:
    """Return all that each site released, from several tellings.

    Source: own.
    """
    sites = {site for one in told for site in one}
    return {site: {name for one in told for name in one.get(site, ())} for site in sites}


def say_inside(left: Outgoing) -> list[str]:
    """Return the sentence on sums that left with noise; none if there are none.

    Source: own.
    """
    told, meant = _listed(left.noised, NOISED)
    if not told:
        return []
    return [
        "With noise, and counted in that cost, left by the sites' own policies: "
        f"{told} ({meant}). Figures made of them are marked, and their intervals hold the noise."
    ]


def say_outside(left: Outgoing) -> str:
    """Return the sentence on sums that left without noise.

    Source: own.
    """
    told, meant = _listed(left.exact, EXACT)
    if not told and any(left.noised.values()):
        return "No sum without noise left a site."
    if not told:
        return "No sum without noise left a site, so nothing was measured on their patients."
    return (
        "Outside of that promise, sums without noise left by the sites' own policies, and no "
        f"epsilon bounds what they tell: {told} ({meant})."
    )


def _listed(released: Mapping[str, Iterable[str]], known: Mapping[str, str]) -> tuple[str, str]:
    """Return which sums left which site, and what their names mean."""
    told = {site: sorted(names) for site, names in sorted(released.items()) if names}
    used = [name for name in known if any(name in names for names in told.values())]
    parts = (f"{site}: {', '.join(names)}" for site, names in told.items())
    return " | ".join(parts), "; ".join(f"{name} = {known[name]}" for name in used)
