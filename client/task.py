"""One request made ready: the site's patients, the received model, and what the site allows."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from client.consent import Consent, read_consent
from client.heads import OwnHead
from client.received import check_received
from client.settings import Settings
from client.site import Site, open_network, open_patients, open_site
from fusion.training.data import PatientData
from fusion.training.examination import Yardstick
from fusion.training.plan import Network, load_weights


class Task:
    """One request made ready: the site's patients, and the received model.

    Args:
        settings: Of this message.
        words: The request's scalars and lists.
        model: The received weights.

    Raises:
        PrivacyError: The site's policy does not allow the run.

    Source: own.
    """

    def __init__(
        self, settings: Settings, words: Mapping[str, Any], model: Mapping[str, np.ndarray]
    ) -> None:
        self.settings, self.run, self.words = settings, settings.run, words
        self.consent: Consent = read_consent(settings)
        check_received(settings, words, model, self.consent)
        self.site: Site = open_site(settings)
        self.data: PatientData = open_patients(settings, words["plan"])
        self.network: Network = open_network(settings.run, words["plan"], self.site.device)
        self.head = OwnHead(settings, words, self.network, model)
        self.shared = model
        load_weights(self.network, {**self.head.arrays, **model})

    def suppressed(self, what: str, rows: Sequence[int]) -> dict[str, list[str]]:
        """Return the fact that keeps back a figure of the site alone over some patients.

        Nothing if they are enough for the site's policy.
        """
        return self.consent.suppressed(what, len(rows), self._informative(rows))

    def _informative(self, rows: Sequence[int]) -> int:
        """Return events among some patients; of classes, patients beside the most frequent one."""
        if self.site.label is None:
            return int(self.site.cohort.event[list(rows)].sum())
        _, counts = np.unique(self.site.label.words[list(rows)], return_counts=True)
        return len(rows) - int(counts.max(initial=0))

    @property
    def yardstick(self) -> Yardstick:
        """What all sites measure with."""
        return Yardstick.from_words(dict(self.words), self.run.evaluation)
