"""The bootstrap of an audit at the coordinator: replicates of all sites, or why there are none."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from fusion.interaction.bootstrap import Replicates, beside, without
from server.inbox import Answer

REPLICATES = "audit-replicates"
"""Release of an audit's bootstrap."""


@dataclass(frozen=True, eq=False)
class Bootstrap:
    """The bootstrap of an audit, as the sites answered it.

    Attributes:
        number: Replicates that were asked for; 0 = none.
        replicates: By site.
        refused: Sites that sent none, and why.

    Source: own.
    """

    number: int
    replicates: Mapping[str, Replicates]
    refused: Mapping[str, str]

    def beside(self, figures: dict[str, Any], sites: Sequence[str]) -> dict[str, Any]:
        """Return figures with what the bootstrap says of them, or why it says nothing.

        Args:
            figures: Of some sites' audit.
            sites: Their names; a bootstrap of some of them would be of other patients.
        """
        if not self.number:
            return figures
        lacking = [name for name in sites if name not in self.replicates]
        if lacking:
            told = self.refused.get(lacking[0], "they sent none")
            return without(figures, f"{len(lacking)} of {len(sites)} sites: {told}")
        parts = [self.replicates[name] for name in sites]
        return beside(figures, sum(parts[1:], start=parts[0]))


NO_BOOTSTRAP = Bootstrap(0, {}, {})
"""None was asked for."""


def readable_bootstrap(answer: Answer, modalities: tuple[str, ...], number: int) -> None:
    """Raise unless the replicates that a site sent, if any, can be added up.

    Args:
        answer: The site's.
        modalities: Of the model.
        number: Replicates that were asked for.

    Raises:
        FederationError: They do not fit the modalities or the number.

    Source: own.
    """
    if REPLICATES in answer.sums:
        Replicates.from_array(answer.sums[REPLICATES], modalities, number)


def gather(answers: Sequence[Answer], modalities: tuple[str, ...], number: int) -> Bootstrap:
    """Return what readable answers hold of a bootstrap.

    Args:
        answers: In order of site.
        modalities: Of the model.
        number: Replicates that were asked for; 0 = none.

    Returns:
        Replicates by site, and who sent none.

    Source: own.
    """
    if not number:
        return NO_BOOTSTRAP
    sent = {a.site: a.sums[REPLICATES] for a in answers if REPLICATES in a.sums}
    return Bootstrap(
        number,
        {site: Replicates.from_array(sums, modalities, number) for site, sums in sent.items()},
        {a.site: str(a.facts["not-resampled"]) for a in answers if "not-resampled" in a.facts},
    )
