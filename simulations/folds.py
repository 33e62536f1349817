"""Who trains, validates and tests in each fold, and at which site."""

from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Bool, Int, Shaped

from fusion.errors import ConfigError
from fusion.readers.folds import draw_balanced, rounded
from fusion.seeding import generator
from simulations.partition import POOLED

Words = Shaped[np.ndarray, " patient"]


@dataclass(frozen=True, eq=False)
class Fold:
    """One division of all patients; every model and setting sees the same one.

    Attributes:
        protocol: `random`, `hospital`, `file` or `sites`: where the division comes from.
        repeat: Number of the repeat, from 1.
        number: Number of the fold within it, from 1.
        seed: Of the runs on it.
        site: Each patient's site; trainers and test sites are sites apart even of one name.
        split: `train`, `validation` or `test` of each patient.

    Privacy: membership of patients; stays on the machine.

    Source: own.
    """

    protocol: str
    repeat: int
    number: int
    seed: int
    site: Words
    split: Words

    @property
    def name(self) -> str:
        """A short name, for folders."""
        return f"{self.protocol}-{self.repeat}-{self.number}"

    @property
    def tests(self) -> Bool[np.ndarray, " patient"]:
        """True for the test patients."""
        return self.split == "test"

    def trainers(self) -> list[str]:
        """Return the sites that train, by name."""
        return [str(name) for name in np.unique(self.site[~self.tests])]

    def settled(self) -> "Fold":
        """Return the fold without a patient whom a site could not count.

        A site keeps silent about a lone patient, so that the settings would see different
        patients. A lone validation patient of a site trains; a lone patient among trainers or
        among testers joins the pooled small site, or the largest one if that would be alone too.

        Source: own.
        """
        site, split = self.site.astype("<U64"), self.split.astype("<U10")
        for name in self.trainers():
            lone = (site == name) & (split == "validation")
            if lone.sum() == 1:
                split[lone] = "train"
        for side in (self.tests, ~self.tests):
            _join_lone(site, side)
        return replace(self, site=site, split=split)


def random_folds(
    strata: Words, *, folds: int, rng: np.random.Generator
) -> Int[np.ndarray, " patient"]:
    """Return the fold, from 1, that tests each patient; each stratum is spread evenly.

    Args:
        strata: Whether the event was seen, or the class.
        folds: How many.
        rng: Decides who.

    Raises:
        ConfigError: There are fewer than two patients a fold.

    Source: own (stratum by stratum, the largest value first, each where the last one stopped).
    """
    if len(strata) < 2 * folds:
        raise ConfigError(
            f"--folds must leave two patients to test in each, got {folds} folds of {len(strata)} "
            "patients. Lower it."
        )
    values = np.unique(strata)[::-1]
    order = np.concatenate([rng.permutation(np.flatnonzero(strata == one)) for one in values])
    found = np.empty(len(strata), int)
    found[order] = np.arange(len(strata)) % folds + 1
    return found


def hospital_folds(
    hospital: Words,
    strata: Words,
    *,
    folds: int,
    rng: np.random.Generator,
) -> Int[np.ndarray, " patient"]:
    """Return the fold, from 1, that tests each patient; a hospital lies whole in one fold.

    Hospitals come large ones first, their sizes shaken by a random factor between 1/2 and 2 so
    that repeats differ; each goes to the fold with the smallest share of patients and events, or
    of patients of each class.

    Args:
        hospital: Each patient's hospital.
        strata: Whether the event was seen, or the class.
        folds: How many.
        rng: Decides the order.

    Raises:
        ConfigError: There are fewer hospitals than folds.

    Source: own (greedy balancing).
    """
    names, of = np.unique(hospital, return_inverse=True)
    if len(names) < folds:
        raise ConfigError(
            f"--folds must be at most the number of hospitals, got {folds} folds of {len(names)} "
            "hospitals. Lower it."
        )
    sizes, weight = np.bincount(of), np.bincount(of) / len(of)
    for one in [True] if strata.dtype == bool else np.unique(strata):
        held = np.bincount(of, weights=strata == one)
        weight = weight + held / max(held.sum(), 1.0)
    order = np.argsort(-sizes * 2.0 ** rng.uniform(-1.0, 1.0, len(names)))
    load, fold = np.zeros(folds), np.empty(len(names), int)
    for place in order:
        fold[place] = np.argmin(load)
        load[fold[place]] += weight[place]
    return fold[of] + 1


def carve_validation(site: Words, strata: Words, fold: Fold, *, share: float) -> Fold:
    """Return the fold with a share of each training site's patients as validation.

    Args:
        site: Of each patient.
        strata: Whether the event was seen, or the class.
        fold: Its test patients are fixed; all others train.
        share: Of the patients who do not test.

    Source: own (strata spread evenly within each site).
    """
    split = np.where(fold.tests, "test", "train").astype("<U10")
    for name in np.unique(site):
        free = (site == name) & ~fold.tests
        rng = generator(fold.seed, fold.protocol, fold.number, str(name), "validation")
        number = rounded(share * int(free.sum()))
        split[draw_balanced(free, strata, number=number, rng=rng)] = "validation"
    return replace(fold, site=site, split=split).settled()


def small_pooled(hospital: Words, *, min_patients: int) -> Words:
    """Return each patient's site: the own hospital, or one for all hospitals that are small.

    Args:
        hospital: Each patient's hospital.
        min_patients: Hospitals with fewer are small.

    Source: own.
    """
    names, counts = np.unique(hospital, return_counts=True)
    small = names[counts < min_patients]
    return np.where(np.isin(hospital, small), POOLED, hospital)


def _join_lone(site: Words, side: Bool[np.ndarray, " patient"]) -> None:
    """Give lone patients among `side` a site with company, in place."""
    names, counts = np.unique(site[side], return_counts=True)
    site[side & np.isin(site, names[counts == 1])] = POOLED
    pooled = side & (site == POOLED)
    if pooled.sum() == 1 and counts.max(initial=0) > 1:
        site[pooled] = names[np.argmax(counts)]
