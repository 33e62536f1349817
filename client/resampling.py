"""The weights of the audit's bootstrap at one site: who may know them, and when they are used."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from client.settings import Settings
from client.site_secret import site_secret
from fusion.config import RunConfig
from fusion.interaction.bootstrap import poisson_weights
from fusion.readers.cohort import Cohort

SECRET = "bootstrap.key"
"""File in the site's state folder that the weights follow from."""

TOO_FEW = "the bootstrap needs more audited patients at a site than it has replicates"
"""Why a site sends no replicates."""


@dataclass(frozen=True)
class Resampling:
    """How a site draws weights for its patients.

    Attributes:
        number: Replicates B.
        secret: What the weights follow from.
        more_than: Only more patients than this are resampled; nobody at all is always.

    Source: own.
    """

    number: int
    secret: bytes
    more_than: int

    def weights(
        self, cohort: Cohort, rows: Sequence[int]
    ) -> Float[np.ndarray, "replicate patient"] | None:
        """Return the weights of some patients, or None if they are too few.

        Args:
            cohort: The site's patients.
            rows: Which of them.

        Privacy: weights stay at the site.
        """
        if rows and len(rows) <= self.more_than:
            return None
        names = [cohort.patients[row] for row in rows]
        return poisson_weights(names, number=self.number, secret=self.secret)


def resampling(settings: Settings, site: str) -> Resampling | None:
    """Return how a site resamples its patients; None if the run does not ask for it.

    At a hospital the weights follow from a secret of its own, made once, and from the patient:
    whatever run asks, the same patient has the same weights, so that asking again tells no new
    sums of the same values. They are used only for more patients than there are replicates: with
    as many replicates as patients, exact sums can be taken apart even if the weights, small whole
    numbers, are not known. In a simulation, where coordinator and sites are one machine, weights
    follow from the run's seed, and any number of patients is resampled.

    Args:
        settings: Of this message.
        site: The site's name.

    Returns:
        Number of replicates, secret, and the rule.

    Raises:
        SiteError: The site's state folder cannot be written.

    Privacy: the secret stays at the site, readable by its owner alone.

    Source: own; Nguyen and Stern 1999, "The hardness of the hidden subset sum problem", and Coron
    and Gini 2020 for taking sums with unknown small weights apart.
    """
    number = settings.run.audit.bootstrap
    if settings.simulated:
        return simulated(settings.run, site)
    return (
        Resampling(number, site_secret(settings.kept, SECRET, "bootstrap"), number)
        if number
        else None
    )


def simulated(run: RunConfig, site: str) -> Resampling | None:
    """Return how a simulated site resamples its patients; None if the run does not ask for it.

    Args:
        run: The run's settings.
        site: The site's name.

    Source: own.
    """
    secret = hashlib.sha256(f"simulation {run.seed} {site}".encode()).digest()
    return Resampling(run.audit.bootstrap, secret, 0) if run.audit.bootstrap else None
