"""What the sites sent of an audit: their tallies on each scale, and who sent none and why."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from fusion.config import LARGEST, RunConfig
from fusion.errors import FederationError
from fusion.interaction.figures import PRIMARY, audit_figures
from fusion.interaction.scales import Scale, chosen_scales
from fusion.interaction.tallies import AuditTally
from fusion.masking import MARGINAL
from privacy import disclosure
from server.bootstrap import NO_BOOTSTRAP, Bootstrap, gather, readable_bootstrap
from server.inbox import Answer
from server.suppression import ALONE, is_alone, rules_of, suppressed

AUDIT = "audit"
"""Release of the audit on the log-hazard; those on other scales have a suffix."""

COMPARABLE = (
    "With donors as the background every site hides modalities behind its own training patients: "
    "figures of two sites compare only as far as their patients are alike, and the federation's "
    "are not those of all patients pooled."
)
"""What a reader must know of a background that is each site's own."""

ADDED = "known inside a sum over all sites only"
"""Why no single site has figures with secure aggregation."""

Tallies = Mapping[str, AuditTally]
"""By site."""

COUNTS = ("patients", "excluded", "uninformative")
"""Counts of patients among a site's figures."""

TRACED = ("patients", "modalities", "pairs", "signed", "concordance")
"""What a round keeps of each site's audit beside its primary shares."""


@dataclass(frozen=True, eq=False)
class Audit:
    """One audit, as the sites answered it.

    Attributes:
        tallies: For each release, `audit` first, the sites' tallies; empty = no site audited.
        refused: Sites that sent none, and why.
        donors: At each site, how many patients stood for hidden modalities, if they are its own.
        bootstrap: What they sent of it.
        kept: Sites whose own figures are left out, and why; they count in those of all sites.
        rules: How each site's counts are told.

    Source: own.
    """

    tallies: Mapping[str, Tallies]
    refused: Mapping[str, str]
    donors: Mapping[str, int]
    bootstrap: Bootstrap = NO_BOOTSTRAP
    kept: Mapping[str, str] = field(default_factory=dict)
    rules: Mapping[str, disclosure.Disclosure] = field(default_factory=dict)

    def figures(self, release: str = AUDIT) -> dict[str, Any]:
        """Return all sites' figures together, and how the sites differ."""
        own = self.tallies[release]
        parts = list(own.values())
        shown = {name: tally for name, tally in own.items() if name not in self.kept}
        found = audit_figures(sum(parts[1:], start=parts[0]), shown)
        return self.bootstrap.beside(found, list(own)) if release == AUDIT else found

    def sites(self) -> list[dict[str, Any]]:
        """Return each site's own figures, by name; counts as the site tells them."""
        shown = {k: tally for k, tally in self.tallies[AUDIT].items() if k not in self.kept}
        return [
            {"name": name, **self._counted(name, audit_figures(tally, {}))}
            for name, tally in shown.items()
        ]

    def _counted(self, name: str, figures: dict[str, Any]) -> dict[str, Any]:
        rules = self.rules.get(name, disclosure.OPEN)
        told = {key: rules.told(figures[key]) for key in COUNTS}
        return self.bootstrap.beside(figures | told, [name])

    def traced(self) -> list[dict[str, Any]]:
        """Return what a round keeps of each site: the figures that are followed over the rounds."""
        return [
            {"name": one["name"], "shares": {PRIMARY: one["shares"][PRIMARY]}}
            | {key: one[key] for key in TRACED}
            for one in self.sites()
        ]

    def document(self, config: RunConfig, *, split: str, number: int) -> dict[str, Any] | None:
        """Return what a result tells of a closing audit, or None if no site sent one.

        Args:
            config: The run's settings.
            split: Whose patients were audited.
            number: Round of the model.
        """
        if not self.tallies:
            return None
        background = config.audit.background
        return {
            "split": split,
            "background": background,
            "round": number,
            **self.figures(),
            "sites": self.sites(),
            "scales": self.by_scale(chosen_scales(config)),
            **self.notes(background, config.audit.donors),
        }

    def not_measured(self) -> list[str]:
        """Return what an audit of two or more modalities leaves open, in sentences."""
        missing = {**self.refused, **self.kept}
        refused = [f"Interaction at site {name}: {why}." for name, why in missing.items()]
        if not self.tallies:
            return ["Interaction of modalities: no site could audit.", *refused]
        return ["Interaction under other backgrounds than the one named.", *refused]

    def by_scale(self, scales: Sequence[Scale]) -> list[dict[str, Any]]:
        """Return the federation's figures on other scales, each with its warning."""
        return [
            {
                "scale": scale.name,
                "horizon_days": scale.horizon,
                "warning": scale.warning,
                **self.figures(scale.release),
            }
            for scale in scales
            if scale.release in self.tallies
        ]

    def notes(self, background: str, wanted: int) -> dict[str, Any]:
        """Return who was not audited, and what a background of each site's own brings with it.

        Args:
            background: Its name.
            wanted: Donors a site was asked for.
        """
        found: dict[str, Any] = {
            "not_audited": [{"name": name, "reason": why} for name, why in self.refused.items()],
            "suppressed": [{"name": name, "reason": why} for name, why in self.kept.items()],
        }
        if background == MARGINAL:
            found |= {"donors": dict(self.donors), "donors_wanted": wanted, "note": COMPARABLE}
        return found


def readable_audit(answer: Answer, modalities: tuple[str, ...], number: int = 0) -> None:
    """Raise unless what a site sent of an audit can be added up.

    Args:
        answer: The site's.
        modalities: Of the model.
        number: Replicates of the bootstrap that were asked for.

    Raises:
        FederationError: A tally or the replicates do not fit, or the donors are no count.

    Source: own.
    """
    donors = answer.figures.get("donors", 2)
    if not isinstance(donors, (int, float)) or not 2 <= donors < LARGEST:
        raise FederationError(
            f"Donors must be a count from 2 on, got {str(donors)[:25]}. "
            "Run the same version at every site."
        )
    for release in _releases(answer):
        AuditTally.from_array(answer.sums[release], modalities, answer.noise(release))
    readable_bootstrap(answer, modalities, number)


def collect(answers: Sequence[Answer], modalities: tuple[str, ...], number: int = 0) -> Audit:
    """Return what readable answers hold of an audit.

    Args:
        answers: In order of site.
        modalities: Of the model.
        number: Replicates of the bootstrap that were asked for.

    Returns:
        Tallies by release and site.

    Source: own.
    """
    tallies: dict[str, dict[str, AuditTally]] = {}
    for answer in answers:
        for release in _releases(answer):
            noise = answer.noise(release)
            tally = AuditTally.from_array(answer.sums[release], modalities, noise)
            tallies.setdefault(release, {})[answer.site] = tally
    patients = {site: tally.count for site, tally in tallies.get(AUDIT, {}).items()}
    kept = suppressed(answers, disclosure.AUDIT, patients)
    kept |= {answer.site: ADDED for answer in answers if answer.added}
    alone = [part for answer in answers for part in answer.parts]
    refused = {a.site: str(a.facts["not-audited"]) for a in alone if "not-audited" in a.facts}
    if is_alone(kept, patients) and not any(answer.added for answer in answers):
        return Audit({}, refused | dict.fromkeys(patients, ALONE), {})
    return Audit(
        tallies,
        refused,
        {a.site: int(a.figures["donors"]) for a in answers if "donors" in a.figures},
        gather(answers, modalities, number),
        kept,
        {answer.site: rules_of(answer) for answer in answers},
    )


def _releases(answer: Answer) -> list[str]:
    return [name for name in answer.sums if name.partition(":")[0] == AUDIT]
