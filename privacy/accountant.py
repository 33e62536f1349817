"""What events cost together: epsilon of one patient, by privacy loss distributions."""

import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache, partial

import dp_accounting
from dp_accounting.pld import PLDAccountant
from dp_accounting.rdp import RdpAccountant

from privacy.errors import PrivacyError
from privacy.events import PrivacyEvent, merged

EXACT = PLDAccountant
"""By privacy losses in steps of 0.0001: what counts."""

ROUGH = partial(PLDAccountant, value_discretization_interval=1e-3)
"""By steps ten times as wide: an upper bound too, ten times as fast, for a search."""


@dataclass(frozen=True)
class Spent:
    """What a history of events has cost each patient of a site.

    Attributes:
        epsilon: By privacy loss distributions, rounded up by their discretisation: what counts.
        epsilon_rdp: By Renyi orders; a looser bound, a check from another proof.
        delta: What both hold at.

    Source: own.
    """

    epsilon: float
    epsilon_rdp: float
    delta: float


def epsilon_of(events: Sequence[PrivacyEvent], *, delta: float, rough: bool = False) -> float:
    """Return epsilon at delta of all events together; 0 for none.

    One patient more or less (add or remove), all their slides, genes and their outcome. Events
    are taken to depend on each other in any way (adaptive composition); those of another site
    are not to be counted, unless a patient is at both.

    Args:
        events: The whole history, planned events included.
        delta: In (0, 1).
        rough: For a search, not for what counts: a looser bound in a tenth of the time.

    Returns:
        An upper bound: discretisation rounds privacy loss up.

    Raises:
        PrivacyError: delta is out of its range.

    Source: Doroshenko et al. 2022, "Connect the dots"; computed by dp-accounting.
    """
    check_delta(delta)
    return _epsilon(ROUGH if rough else EXACT, merged(events), delta)


def spent(events: Sequence[PrivacyEvent], *, delta: float) -> Spent:
    """Return epsilon of all events together by both accountants.

    Raises:
        PrivacyError: delta is out of its range.

    Source: as `epsilon_of`; Mironov 2017 for Renyi orders.
    """
    by_renyi = _epsilon(RdpAccountant, merged(events), delta)
    return Spent(epsilon_of(events, delta=delta), by_renyi, delta)


def check_delta(delta: float) -> None:
    """Raise unless delta is in (0, 1).

    Raises:
        PrivacyError: It is not.

    Source: own.
    """
    if not 0 < delta < 1:
        raise PrivacyError(f"delta must be in (0, 1), got {delta}. Use less than 1 / patients.")


@lru_cache(maxsize=1024)  # a charge and what is told after it count the same history
def _epsilon(
    kind: Callable[[], dp_accounting.PrivacyAccountant],
    events: tuple[PrivacyEvent, ...],
    delta: float,
) -> float:
    if not events:
        return 0.0
    accountant = kind()
    with _quiet():
        for event in events:
            accountant.compose(_library_event(event), event.count)
        return float(accountant.get_epsilon(delta))


def _library_event(event: PrivacyEvent) -> dp_accounting.DpEvent:
    """Return one application of the event in dp-accounting's words."""
    if event.mechanism == "laplace":
        return dp_accounting.LaplaceDpEvent(event.noise_multiplier)
    gaussian = dp_accounting.GaussianDpEvent(event.noise_multiplier)
    if event.sampling_rate == 1.0:
        return gaussian
    return dp_accounting.PoissonSampledDpEvent(event.sampling_rate, gaussian)


@contextmanager
def _quiet() -> Iterator[None]:
    """Silence notes on Renyi orders that are left out: fewer orders only loosen the bound."""
    log = logging.getLogger("absl")
    before = log.level
    log.setLevel(logging.ERROR)
    try:
        yield
    finally:
        log.setLevel(before)
