"""Which of a site's patients train, validate and test: seeded, balanced by event or by class."""

import hashlib
import hmac
import json

import numpy as np
from jaxtyping import Bool, Int, Shaped

from fusion.readers.cohort import Cohort
from fusion.seeding import generator


def assign_split(
    cohort: Cohort,
    *,
    validation: float,
    test: float,
    seed: int,
    strata: Shaped[np.ndarray, " patient"] | None = None,
) -> Shaped[np.ndarray, " patient"]:
    """Return `train`, `validation` or `test` for each patient of a site.

    A site that only evaluates is all test. A split the site has fixed stays; if it fixed no
    validation, that is carved from its training patients. Sizes are rounded; train is never
    empty while there is a patient to train on.

    Args:
        cohort: The site's patients.
        validation: Share of all patients.
        test: Share of all patients.
        seed: The run's seed; with the site's name it decides the draw.
        strata: What is spread evenly; None = the event.

    Privacy: membership of patients; it stays at the site.

    Source: own (stratified, sizes by rounding half up).
    """
    number = len(cohort.patients)
    if cohort.role == "evaluate-only":
        return np.full(number, "test", "<U10")
    split = np.full(number, "train", "<U10")
    if cohort.fixed_split is not None:
        split = cohort.fixed_split.astype("<U10")
        if (split == "validation").any():
            return split
        test = 0.0
    rng = generator(seed, cohort.name, "split")
    for word, share in (("test", test), ("validation", validation)):
        free = split == "train"
        wanted = min(rounded(share * number), max(int(free.sum()) - 1, 0))
        spread = cohort.event if strata is None else strata
        split[draw_balanced(free, spread, number=wanted, rng=rng)] = word
    return split


def assign_alone(
    cohort: Cohort, *, validation: float, test: float, seed: int, key: bytes
) -> Shaped[np.ndarray, " patient"]:
    """Return what `assign_split` does, each patient's split by that patient alone.

    Under record-level privacy one patient more must not move another one to a different split.
    The price: sizes are what they happen to be, and nothing is spread evenly.

    Args:
        cohort: The site's patients.
        validation: Probability of each patient.
        test: Likewise.
        seed: The run's seed.
        key: A secret of the site: nobody else can tell from a name who is in which split.

    Privacy: membership of patients; it stays at the site.

    Source: own (a keyed hash of seed, site and name, read as a number in [0, 1)).
    """
    number = len(cohort.patients)
    if cohort.role == "evaluate-only":
        return np.full(number, "test", "<U10")
    told = [json.dumps([seed, cohort.name, "split", name]) for name in cohort.patients]
    places = np.array([_place(key, one) for one in told]).reshape(number)
    split = np.full(number, "train", "<U10")
    if cohort.fixed_split is not None:
        split = cohort.fixed_split.astype("<U10")
        test = 0.0
    free = split == "train"
    split[free & (places < test)] = "test"
    split[free & (places >= 1 - validation)] = "validation"
    return split


def _place(key: bytes, told: str) -> float:
    """Return 53 bits of HMAC-SHA256 as a number in [0, 1)."""
    found = hmac.new(key, told.encode(), hashlib.sha256).digest()
    return (int.from_bytes(found[:8]) >> 11) * 2.0**-53


def draw_balanced(
    free: Bool[np.ndarray, " patient"],
    strata: Shaped[np.ndarray, " patient"],
    *,
    number: int,
    rng: np.random.Generator,
) -> Int[np.ndarray, " drawn"]:
    """Return `number` positions among `free`, each stratum in proportion.

    Args:
        free: Who may be drawn.
        strata: What is spread evenly, such as whether an event was seen; the largest value is
            drawn first.
        number: How many to draw, at most all of `free`.
        rng: Decides who.

    Privacy: membership of patients; it stays at the site.

    Source: own.
    """
    drawn, left = [np.zeros(0, np.intp)], int(free.sum())
    for value in np.unique(strata[free])[::-1]:
        held = np.flatnonzero(free & (strata == value))
        wanted = rounded(number * len(held) / left)
        taken = min(max(wanted, number - (left - len(held))), len(held))
        drawn.append(rng.permutation(held)[:taken])
        number, left = number - taken, left - len(held)
    return np.concatenate(drawn)


def rounded(number: float) -> int:
    """Return the nearest whole number, halves up.

    Source: own.
    """
    return int(np.floor(number + 0.5))
