"""How often a run asks for each noised sum: part of its plan, before the first one leaves."""

from collections.abc import Mapping

from fusion.config import RunConfig
from fusion.masking import EMBEDDING_MEAN
from privacy.events import PrivacyEvent
from privacy.mechanisms import Noise
from privacy.releases import NOISED


def uses_of(run: RunConfig) -> dict[str, int]:
    """Return how often a whole run asks for each name of `privacy.releases.NOISED`.

    The model of every round is validated, the initial one too; it is audited where that is due,
    and the chosen one once more at the end. A patient is in one split only, yet every use is
    counted for everybody.

    Args:
        run: The run's settings.

    Source: own.
    """
    audits = run.rounds // run.audit.every if run.audit.every else 0
    found = dict.fromkeys(NOISED, 1)
    found |= {"validation": run.rounds + 1, "audit": audits + 1}
    found["scaling"] = int(run.data.scaling == "federated")
    found["background"] = int(run.audit.background == EMBEDDING_MEAN)
    return found


def planned(noises: Mapping[str, Noise], run: RunConfig) -> tuple[PrivacyEvent, ...]:
    """Return what a site's noised sums will cost in a whole run.

    Args:
        noises: Of the site's policy, by name.
        run: The run's settings.

    Source: own.
    """
    uses = uses_of(run)
    return tuple(noise.event(uses[name]) for name, noise in noises.items() if uses[name])
