"""Which figures of single sites a result leaves out, so that no policy's minimum is passed by."""

from collections.abc import Mapping, Sequence
from typing import Any

from privacy.disclosure import SUPPRESSED, Disclosure
from server.inbox import Answer

KEPT = "suppressed"
"""How a site is marked whose own figures are left out, and how the reasons begin."""

BY_DIFFERENCE = (
    "suppressed: with the sum over all sites it would give away the one other site's that is"
)
"""Why a second site's figure is left out."""

ALONE = "suppressed: it would be over the patients of one site, whose policy shows none of it alone"
"""Why a figure over all sites is left out."""


def suppressed(
    answers: Sequence[Answer], what: str, patients: Mapping[str, float]
) -> dict[str, str]:
    """Return the sites whose own figures are left out, and why.

    Beside the sum over all sites, one site's missing figure would follow from the others'. So
    where one alone is kept back, that of the site with the fewest patients of the rest is too.

    Args:
        answers: Of the sites.
        what: Which figures, as the sites name them in the fact `suppressed`.
        patients: Behind each site's figures.

    Source: own; the rule is that of complementary suppression (Cox 1980, Suppression methodology
        and statistical disclosure control, JASA 75).
    """
    told = {a.site: rules_of(a).reason for a in answers if what in a.facts.get(SUPPRESSED, ())}
    rest = sorted(
        (number, site) for site, number in patients.items() if number and site not in told
    )
    if len(told) == 1 and rest:
        told[rest[0][1]] = BY_DIFFERENCE
    return told


def is_alone(kept: Mapping[str, str], patients: Mapping[str, float]) -> bool:
    """Return whether a sum over all sites is over the patients of one that shows none of it alone.

    Args:
        kept: The sites whose own figures are left out.
        patients: Behind each site's part of the sum.

    Source: own.
    """
    given = [site for site, number in patients.items() if number]
    return len(given) == 1 and given[0] in kept


def rules_of(answer: Answer) -> Disclosure:
    """Return the rules that a site's answer tells.

    Raises:
        PrivacyError: They cannot be read.

    Source: own.
    """
    return Disclosure.read(answer.facts)


def nothing(reason: str) -> dict[str, Any]:
    """Return a figure that is left out.

    Source: own.
    """
    return dict.fromkeys(("value", "low", "high", "standard_error")) | {"reason": reason}
