"""Which of a site's patients train, validate and test: seeded, and balanced by event."""

import numpy as np
from jaxtyping import Bool, Shaped

from fusion.readers.cohort import Cohort
from fusion.seeding import generator


def assign_split(
    cohort: Cohort, *, validation: float, test: float, seed: int
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

    Privacy: membership of patients; it stays at the site.

    Source: own (stratified by event, sizes by rounding half up).
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
        wanted = min(_rounded(share * number), max(int(free.sum()) - 1, 0))
        split[_drawn(free, cohort.event, wanted, rng)] = word
    return split


def _drawn(
    free: Bool[np.ndarray, " patient"],
    event: Bool[np.ndarray, " patient"],
    wanted: int,
    rng: np.random.Generator,
) -> np.ndarray:
    """Return `wanted` positions among `free`, with and without event in proportion."""
    seen, censored = np.flatnonzero(free & event), np.flatnonzero(free & ~event)
    share = len(seen) / max(len(seen) + len(censored), 1)
    with_event = min(max(_rounded(wanted * share), wanted - len(censored)), len(seen))
    return np.concatenate(
        [rng.permutation(seen)[:with_event], rng.permutation(censored)[: wanted - with_event]]
    )


def _rounded(number: float) -> int:
    return int(np.floor(number + 0.5))
