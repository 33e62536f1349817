"""How patients are dealt to hospitals that never were: one function a kind."""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd
from jaxtyping import Bool, Float, Int

from fusion.errors import ConfigError
from fusion.registry import Registry
from fusion.seeding import generator

ALPHA = 0.5
"""Concentration of the Dirichlet draws unless another is asked for."""

QUARTERS = (0.25, 0.5, 0.75)
"""Quantiles of the event times that part the classes of `dirichlet-time`."""

BETA_DRAWS = 10_000
"""Draws that the quantiles of `censoring` are taken from."""


@dataclass(frozen=True)
class Followed:
    """What an assignment may look at: one entry a patient, in order of identifier.

    Attributes:
        patients: Identifiers.
        time: Follow-up in days.
        event: True = event seen.
    """

    patients: tuple[str, ...]
    time: Float[np.ndarray, " patient"]
    event: Bool[np.ndarray, " patient"]


@dataclass(frozen=True)
class Deal:
    """How many hospitals to make, and how uneven.

    Attributes:
        sites: Number of hospitals.
        alpha: Concentration of the Dirichlet draws: large = alike, small = uneven.
        least: Fewest patients a hospital.
        seed: Decides every draw.
    """

    sites: int
    alpha: float
    least: int
    seed: int


@dataclass(frozen=True)
class Assignment:
    """One kind of assignment.

    Attributes:
        deal: Returns each patient's hospital as a number from 0.
        takes_alpha: True = `alpha` matters.
    """

    deal: Callable[[Followed, Deal, np.random.Generator], Int[np.ndarray, " patient"]]
    takes_alpha: bool = False


def assign(kind: str, followed: Followed, deal: Deal) -> pd.Series:
    """Return the hospital of each patient, `site-01` and so on; every patient has exactly one.

    Args:
        kind: A name in `ASSIGNMENTS`.
        followed: The patients.
        deal: How many hospitals, and how uneven.

    Returns:
        Names of hospitals, indexed by patient; a function of the arguments alone.

    Raises:
        ConfigError: The kind is unknown, a number is out of range, the patients are too few, or
            nobody has the event that the kind goes by.

    Privacy: patients' outcomes decide; the result stays on the machine.

    Source: own.
    """
    entry, number = ASSIGNMENTS[kind], len(followed.patients)
    if deal.sites < 1:
        raise ConfigError(f"--sites must be at least 1, got {deal.sites}. Raise it.")
    if not 0 < deal.alpha < math.inf:
        raise ConfigError(f"--alpha must be a finite number > 0, got {deal.alpha:g}. Choose 0.5.")
    if deal.sites * deal.least > number:
        raise ConfigError(
            f"--sites must leave each site {deal.least} patients, got {deal.sites} sites for "
            f"{number} patients. Lower --sites or --min-patients."
        )
    numbers = entry.deal(followed, deal, generator(deal.seed, "partition", kind))
    digits = max(2, len(str(deal.sites)))
    names = [f"site-{place + 1:0{digits}}" for place in numbers]
    return pd.Series(names, index=pd.Index(followed.patients), dtype=object)


def _shuffled(sizes: Int[np.ndarray, " site"], rng: np.random.Generator) -> np.ndarray:
    """Return hospitals of the given sizes in random order of patients."""
    return rng.permutation(np.repeat(np.arange(len(sizes)), sizes))


def _even(number: int, sites: int) -> Int[np.ndarray, " site"]:
    """Return sizes that differ by one at most, the larger ones first."""
    return np.full(sites, number // sites) + (np.arange(sites) < number % sites)


def _iid(followed: Followed, deal: Deal, rng: np.random.Generator) -> np.ndarray:
    return _shuffled(_even(len(followed.patients), deal.sites), rng)


def _by_quantity(followed: Followed, deal: Deal, rng: np.random.Generator) -> np.ndarray:
    """Give each hospital `least` patients, and the others by Dirichlet, largest remainder first."""
    spare = len(followed.patients) - deal.sites * deal.least
    exact = spare * rng.dirichlet(np.full(deal.sites, deal.alpha))
    whole = np.floor(exact).astype(np.int64)
    largest = np.argsort(whole - exact, kind="stable")[: spare - whole.sum()]
    whole[largest] += 1
    return _shuffled(deal.least + whole, rng)


def _by_time(followed: Followed, deal: Deal, rng: np.random.Generator) -> np.ndarray:  # noqa: ARG001 -- sorting draws nothing
    """Cut the patients, sorted by follow-up, into runs: early hospitals and late ones."""
    numbers = np.empty(len(followed.patients), np.int64)
    order = np.argsort(followed.time, kind="stable")
    numbers[order] = np.repeat(np.arange(deal.sites), _even(len(order), deal.sites))
    return numbers


def _by_event_time(followed: Followed, deal: Deal, rng: np.random.Generator) -> np.ndarray:
    """Skew the quarters of follow-up, parted at the quartiles of the times of events."""
    if not followed.event.any():
        raise ConfigError(
            "--by dirichlet-time must find an event to go by, got none. Choose --by quantity."
        )
    edges = np.quantile(followed.time[followed.event], QUARTERS)
    _, classes, sizes = np.unique(
        np.searchsorted(edges, followed.time), return_inverse=True, return_counts=True
    )
    wishes = rng.dirichlet(deal.alpha * sizes / len(classes), size=deal.sites)
    return _in_turn(classes, wishes, rng)


def _by_censoring(followed: Followed, deal: Deal, rng: np.random.Generator) -> np.ndarray:
    """Aim at event shares that are even quantiles of a Beta: the first site is most censored.

    Drawn shares could all be alike by chance; quantiles are as far apart as alpha says.
    """
    share = float(followed.event.mean())
    if not 0 < share < 1:
        raise ConfigError(
            "--by censoring must find events and censorings, got only one of them. Choose "
            "--by quantity."
        )
    drawn = rng.beta(deal.alpha * share, deal.alpha * (1 - share), size=BETA_DRAWS)
    events = np.quantile(drawn, (np.arange(deal.sites) + 0.5) / deal.sites)
    return _in_turn(followed.event.astype(np.int64), np.stack([1 - events, events], axis=1), rng)


def _in_turn(
    classes: Int[np.ndarray, " patient"],
    wishes: Float[np.ndarray, "site class"],
    rng: np.random.Generator,
) -> np.ndarray:
    """Deal one patient after another to the hospitals in turn, of classes as each wishes.

    A class that has run out is passed over. Sizes differ by one at most, so that only the mixture
    is uneven.

    Source: Hsu, Qi and Brown, arXiv 1909.06335; dealing in turn is own.
    """
    sites, kinds = wishes.shape
    stacks = [rng.permutation(np.flatnonzero(classes == kind)) for kind in range(kinds)]
    numbers, left = np.empty(len(classes), np.int64), np.bincount(classes, minlength=kinds)
    for turn in range(len(classes)):
        wanted = wishes[turn % sites] * (left > 0)
        wanted = wanted if wanted.sum() > 0 else left
        drawn = int(rng.choice(kinds, p=wanted / wanted.sum()))
        left[drawn] -= 1
        numbers[stacks[drawn][left[drawn]]] = turn % sites
    return numbers


ASSIGNMENTS: Registry[Assignment] = Registry("--by")
ASSIGNMENTS.add("iid", Assignment(_iid))
ASSIGNMENTS.add("dirichlet-time", Assignment(_by_event_time, takes_alpha=True))
ASSIGNMENTS.add("quantity", Assignment(_by_quantity, takes_alpha=True))
ASSIGNMENTS.add("censoring", Assignment(_by_censoring, takes_alpha=True))
ASSIGNMENTS.add("time", Assignment(_by_time))
