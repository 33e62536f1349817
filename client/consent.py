"""What a site lets a run do: its policy held against what the coordinator asks."""

import hashlib
import hmac
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np

from client.policy import FILE, MODEL_CHANGE, Policy, read_policy
from client.settings import Settings
from client.site_secret import site_secret
from client.uses import planned
from fusion.class_settings import CLASSIFICATION
from fusion.readers.cohort import Cohort
from privacy.calibration import plan_within
from privacy.disclosure import OPEN, SUPPRESSED, Disclosure
from privacy.errors import PrivacyError
from privacy.events import PrivacyEvent
from privacy.plan import PrivacyPlan

SECRET = "data-hash.key"
"""File in the site's state folder that the told hash of its data follows from."""


TIMED = ("counts", "validation", "reference", "test")
"""Names of `privacy.releases.NOISED` that are sums over time and event."""


@dataclass(frozen=True)
class Consent:
    """What a site answers to a run that its policy allows.

    Attributes:
        policy: The site's; None = it has none, and the run is not private.
        private: Whether the run promises anything.
        planned: What the run's noised sums will cost.

    Source: own.
    """

    policy: Policy | None
    private: bool
    planned: tuple[PrivacyEvent, ...] = ()

    @property
    def rules(self) -> Policy:
        """The policy of a site that has one.

        Raises:
            PrivacyError: There is none.
        """
        if self.policy is None:
            raise PrivacyError(NO_POLICY)
        return self.policy

    @property
    def disclosure(self) -> Disclosure:
        """What the site shows of itself alone, in every run; all, if it has no policy."""
        return OPEN if self.policy is None else self.policy.disclosure

    def suppressed(self, what: str, patients: int, events: int) -> dict[str, list[str]]:
        """Return the fact that keeps back figures of the site alone, if they are over too few."""
        return {SUPPRESSED: [what]} if self.disclosure.hides(patients, events) else {}

    @property
    def model_change(self) -> float:
        """Most that a round may move an array of a received model."""
        return MODEL_CHANGE if self.policy is None else self.policy.model_change

    def lets(self, release: str) -> bool:
        """Return whether sums without noise may leave, by a name of `privacy.releases.EXACT`."""
        return not self.private or release in self.rules.exact_releases

    def noises(self, release: str) -> bool:
        """Return whether sums may leave with noise, by a name of `privacy.releases.NOISED`."""
        return self.private and release in self.rules.noises

    def rows(self, release: str, rows: Sequence[int]) -> list[int]:
        """Return the patients that a release may be over: those given, or nobody at all.

        Sums over nobody are the same whoever the site's patients are.
        """
        return list(rows) if self.lets(release) else []

    def require(self, release: str, instead: str) -> None:
        """Raise unless sums without noise may leave.

        Raises:
            PrivacyError: The policy does not let them out of a private run.
        """
        if not self.lets(release):
            raise PrivacyError(
                f"Sums without noise must be allowed by the site's policy, got none for "
                f"'{release}' in allowed.exact-releases. {instead}"
            )

    def exact(self, *releases: str) -> dict[str, list[str]]:
        """Return the fact that names those of the releases that leave without noise."""
        allowed = [release for release in releases if self.lets(release)]
        return {"exact-releases": allowed} if self.private else {}

    def plan(self) -> PrivacyPlan:
        """Return the plan of a whole run: the policy's, with the noised sums that the run has.

        Raises:
            PrivacyError: There is no policy, or its noise cannot be found.
        """
        return _plan(self.rules, self.planned)


NO_POLICY = (
    f"A private run must find a {FILE} with budget.max-epsilon at the site, got none. Nothing is "
    "trained until the site writes one."
)


def read_consent(settings: Settings) -> Consent:
    """Return what the site lets this run do.

    Args:
        settings: Of this message.

    Raises:
        PrivacyError: Its policy does not allow the run.
        ConfigError: The policy cannot be read.

    Source: own.
    """
    policy, run = read_policy(settings.folder), settings.run
    if run.privacy.private and (policy is None or not policy.max_epsilon):
        raise PrivacyError(NO_POLICY)
    if policy is not None:
        if not (run.privacy.private or policy.non_private_training):
            raise PrivacyError(
                "A run without differential privacy must be allowed by the site's policy, got "
                "budget.non-private-training = false. Set privacy.mode = record-level."
            )
        _check_allowed("model.name", run.model.name, policy.models)
        _check_allowed("objective.name", run.objective.name, policy.objectives)
        if run.rounds > policy.rounds:
            raise PrivacyError(
                f"rounds must be at most {policy.rounds} by the site's policy, got {run.rounds}. "
                "Lower rounds."
            )
    if policy is None or not run.privacy.private:
        return Consent(policy, private=False)
    if run.privacy.secure_aggregation:  # sums are added under masks, which know no noise of theirs
        policy = replace(policy, noised_releases=())
    _check_noised(policy, run.objective.name)
    return Consent(policy, private=True, planned=planned(policy.noises, run))


def told_hash(settings: Settings, cohort: Cohort, consent: Consent) -> str:
    """Return the hash by which a coordinator notices other data at a site.

    In a private run it is keyed with a secret of the site: else whoever knows all patients but
    one could try out who the last one is.

    Source: own.
    """
    if not consent.private:
        return cohort.fingerprint
    key = site_secret(settings.kept, SECRET, "data's hash")
    return hmac.new(key, cohort.fingerprint.encode(), hashlib.sha256).hexdigest()


def told_counts(
    consent: Consent, counts: Mapping[str, np.ndarray], *, trains: bool, added: bool = False
) -> dict[str, np.ndarray]:
    """Return what a site tells of its patients' numbers.

    With a policy they are rounded, and a split of one patient counts as empty. In a private run
    that keeps them: the policy's public size as the number of training patients, and zeros.

    Args:
        consent: What the policy lets out.
        counts: The true ones.
        trains: Whether the site has training patients by its role.
        added: Whether they are told inside a sum over sites only, so exactly.

    Source: own.
    """
    if consent.lets("counts"):
        return _rounded(counts, OPEN if added else consent.disclosure)
    public = {name: np.zeros_like(value) for name, value in counts.items()}
    public["patients"][0] = consent.rules.public_size if trains else 0
    return public


def _rounded(counts: Mapping[str, np.ndarray], rules: Disclosure) -> dict[str, np.ndarray]:
    """Return counts of this site alone as its rules tell them; the histogram is a sum of sites'."""
    if rules == OPEN:
        return dict(counts)
    shared = counts["patients"] != 1
    split = [name for name in ("patients", "events", "labels") if name in counts]
    told = {name: rules.told_counts(counts[name] * shared) for name in split}
    whole = [name for name in ("missing", "unlabelled") if name in counts]
    return {**counts, **told, **{name: rules.told_counts(counts[name]) for name in whole}}


def _check_noised(policy: Policy, objective: str) -> None:
    """Raise if sums are to leave with noise that a run of classes does not have."""
    timed = [name for name in policy.noises if name in TIMED]
    if objective == CLASSIFICATION and timed:
        raise PrivacyError(
            f"Sums with noise must be of an objective of survival, got {', '.join(timed)} in "
            f"[releases] of the site's policy for objective '{CLASSIFICATION}', whose counts of "
            "classes know no noise. Choose an objective of survival, or take them out of the "
            "policy."
        )


def check_parameters(consent: Consent, number: int) -> None:
    """Raise if a model has more parameters than the policy allows.

    Raises:
        PrivacyError: It has.

    Source: own.
    """
    if consent.policy is not None and number > consent.policy.parameters:
        raise PrivacyError(
            f"A model must have at most {consent.policy.parameters:,} parameters by the site's "
            f"policy, got {number:,}. Make it smaller."
        )


def _check_allowed(key: str, value: str, allowed: Sequence[str]) -> None:
    if allowed and value not in allowed:
        raise PrivacyError(
            f"{key} must be allowed by the site's policy, got '{value}'. Choose one of "
            f"{', '.join(allowed)}."
        )


@lru_cache(maxsize=8)
def _plan(policy: Policy, releases: tuple[PrivacyEvent, ...]) -> PrivacyPlan:
    like = PrivacyPlan(
        1.0,
        max_grad_norm=policy.max_grad_norm,
        steps=policy.steps,
        delta=policy.delta,
        sampling_rate=policy.sampling_rate,
        public_size=policy.public_size,
        releases=releases,
    )
    return plan_within(policy.epsilon, like)
