"""The federated bootstrap: every site sums its patients B times, each time with other weights.

A replicate gives each patient a weight that is Poisson with mean 1, the limit of drawing as many
patients as there are with replacement. Weighted sums add over sites, and the spread of a figure
over the replicates is its standard error, without any smoothness of the figure.
"""

import hashlib
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from fusion.errors import FederationError
from fusion.interaction.estimates import Entry
from fusion.interaction.formulas import (
    averaged,
    correlated,
    ratio_of_sums,
    sizes_of_means,
    unexplained,
)
from fusion.interaction.quantities import blocks, moved, quantities
from fusion.interaction.sensitivity import clipped

BLOCKS = ("local", "published", "moebius", "signs", "ratio", "global", "variance")
"""Blocks of quantities that are summed; the others have no interval to check."""

ENDS = (0.025, 0.975)
"""Quantiles of the percentile interval."""

DEFINED = 0.95
"""A figure that fewer than this part of the replicates have gets no interval."""

POISSON = np.cumsum([math.exp(-1) / math.factorial(k) for k in range(20)])
"""Probability that a Poisson weight with mean 1 is at most k."""


def poisson_weights(
    patients: Sequence[str], *, number: int, secret: bytes
) -> Float[np.ndarray, "replicate patient"]:
    """Return a Poisson(1) weight for each patient and replicate.

    A patient's weights follow from the secret and the patient's own key alone: not from the other
    patients, their order or their number. More replicates begin with the same ones.

    Args:
        patients: A key for each, such as the identifier.
        number: Replicates B.
        secret: Whoever knows it knows the weights.

    Returns:
        Whole numbers >= 0.

    Privacy: From exact weighted sums with known weights every patient can be solved for, once B
        reaches the number of patients; keep the secret at the site.

    Source: own; SHAKE-256 (FIPS 202) as keyed generator, Poisson by inversion.
    """
    draws = [_uniform(secret, patient, number) for patient in patients]
    columns = [np.searchsorted(POISSON, draw, side="right") for draw in draws]
    return np.array(columns, dtype=np.float64).reshape(len(columns), number).T


def _uniform(secret: bytes, patient: str, number: int) -> Float[np.ndarray, " replicate"]:
    key = len(secret).to_bytes(4, "big") + secret + patient.encode()
    words = np.frombuffer(hashlib.shake_256(key).digest(8 * number), dtype="<u8")
    return (words >> np.uint64(11)) * 2.0**-53


@dataclass(frozen=True, eq=False)
class Replicates:
    """Weighted sums of the audit's quantities, one row a replicate; sites' replicates add up.

    Attributes:
        modalities: Names, in the order of the bits of a coalition.
        reference: What was subtracted from the additive parts.
        counts: Sum of the weights.
        sums: Weighted sums of the quantities, in the order of `BLOCKS`.

    Privacy: B times as many numbers as one tally tells of the same patients.

    Source: Hanley and MacGibbon 2006, "Creating non-parametric bootstrap samples using Poisson
    frequencies"; Chamandy et al. 2012 for sums over machines.
    """

    modalities: tuple[str, ...]
    reference: float
    counts: Float[np.ndarray, " replicate"]
    sums: Float[np.ndarray, "replicate quantity"]

    def __add__(self, other: "Replicates") -> "Replicates":
        """Return the replicates of both groups of patients.

        Raises:
            FederationError: The two differ in modalities or in the number of replicates.
        """
        if (self.modalities, self.sums.shape) != (other.modalities, other.sums.shape):
            raise FederationError(
                f"Replicates must agree in modalities and number to be added, got "
                f"{len(self.counts)} of {self.modalities} and {len(other.counts)} of "
                f"{other.modalities}. Audit one model with one audit.bootstrap."
            )
        reference = self.reference if self.counts.any() else other.reference
        a, b = self._shifted(reference), other._shifted(reference)
        return Replicates(self.modalities, reference, a.counts + b.counts, a.sums + b.sums)

    def to_array(self) -> Float[np.ndarray, " number"]:
        """Return the replicates as one vector for the wire; the modalities' names go beside it."""
        return np.concatenate([[self.reference], self.counts, self.sums.ravel()])

    @staticmethod
    def from_array(
        array: Float[np.ndarray, " number"], modalities: tuple[str, ...], number: int
    ) -> "Replicates":
        """Return the replicates that `to_array` wrote.

        Args:
            array: The vector.
            modalities: Names, in the order of the bits.
            number: Replicates B.

        Returns:
            The same replicates.

        Raises:
            FederationError: The length does not fit, a number is not finite or a weight < 0.
        """
        wanted = 1 + number * (1 + len(_columns(len(modalities))))
        sound = len(array) == wanted and np.isfinite(array).all()
        if not sound or (array[1 : 1 + number] < 0).any():
            raise FederationError(
                f"{number} replicates must be {wanted} finite numbers with weights >= 0, got "
                f"{len(array)} of which {int(np.isfinite(array).sum())} finite. Run the same "
                "version at every site."
            )
        sums = array[1 + number :].reshape(number, -1)
        return Replicates(modalities, float(array[0]), array[1 : 1 + number], sums)

    def means(self, block: str) -> Float[np.ndarray, "replicate entry"]:
        """Return a block's weighted means over patients; NaN in a replicate without weight."""
        counts = np.where(self.counts > 0, self.counts, np.nan)
        return self.sums[:, _places(len(self.modalities))[block]] / counts[:, None]

    def _shifted(self, reference: float) -> "Replicates":
        turn, add = moved(self.reference - reference)
        place, sums = _places(len(self.modalities))["variance"], self.sums.copy()
        sums[:, place] = sums[:, place] @ turn.T + np.outer(self.counts, add)
        return Replicates(self.modalities, reference, self.counts, sums)


def replicates(
    values: Float[np.ndarray, "patient coalition"],
    *,
    modalities: tuple[str, ...],
    weights: Float[np.ndarray, "replicate patient"],
    clip: float = 0.0,
) -> Replicates:
    """Return a site's weighted sums over its patients.

    Args:
        values: Log-hazards, patient x 2^M, of patients who have every modality.
        modalities: M names, in the order of the bits.
        weights: Of `poisson_weights`.
        clip: As for `tallies.audit_tally`.

    Returns:
        One row a replicate; of no patients, zeros.

    Privacy: Reads one row a patient, returns B sums.

    Source: own.
    """
    reference = float(values[:, 0].mean()) if len(values) else 0.0
    table = quantities(values.astype(np.float64), reference)
    table, _ = clipped(table, modalities=len(modalities), clip=clip)
    kept = table[:, _columns(len(modalities))]
    return Replicates(modalities, reference, weights.sum(axis=1), weights @ kept)


def beside(figures: Mapping[str, Any], found: Replicates) -> dict[str, Any]:
    """Return the figures of an audit with what the bootstrap says of each.

    Every share and `signed` gets an entry `bootstrap`: how many `replicates` have the figure, a
    `reason` if that is too few, and for `interaction`, each modality, `r2_additive` and so on a
    standard_error and the percentile interval low, high. Concordance has none: its error is by
    the infinitesimal jackknife, over pairs.

    Args:
        figures: Of `figures.audit_figures`, from the same patients.
        found: Replicates of the same patients.

    Returns:
        JSON-safe figures; those given stay as they are.

    Source: own; percentile interval of Efron 1979.
    """
    shares = dict(figures["shares"])
    for name, parts in _figures(found).items():
        shares[name] = shares[name] | {"bootstrap": _spread(parts)}
    signs = found.means("signs")
    signed = _spread({"synergy": signs[:, 0], "redundancy": signs[:, 1]})
    return {**figures, "shares": shares, "signed": figures["signed"] | {"bootstrap": signed}}


def without(figures: Mapping[str, Any], reason: str) -> dict[str, Any]:
    """Return the figures of an audit with the reason why the bootstrap is missing.

    Args:
        figures: Of `figures.audit_figures`.
        reason: A sentence's beginning.

    Source: own.
    """
    none = {"bootstrap": {"replicates": 0, "reason": reason}}
    shares = {name: entry | none for name, entry in figures["shares"].items()}
    return {**figures, "shares": shares, "signed": figures["signed"] | none}


def _figures(found: Replicates) -> dict[str, dict[str, np.ndarray]]:
    """Return every figure of every replicate, by definition and part."""
    parts = ("interaction", *found.modalities)
    formulas: Mapping[str, Callable[[Tensor], Tensor]] = {
        "local": averaged, "published": averaged, "moebius": averaged,
        "ratio": ratio_of_sums, "global": sizes_of_means,
    }  # fmt: skip
    known = {
        name: dict(zip(parts, _evaluated(formula, found.means(name)), strict=True))
        for name, formula in formulas.items()
    }
    moments = found.means("variance")
    spread = [*_evaluated(unexplained, moments), *_evaluated(correlated, moments)]
    names = ("interaction", "r2_additive_ssr", "r2_additive")
    return known | {"variance": dict(zip(names, spread, strict=True))}


def _evaluated(formula: Callable[[Tensor], Tensor], means: np.ndarray) -> np.ndarray:
    return formula(torch.from_numpy(np.ascontiguousarray(means))).numpy().T


def _spread(parts: Mapping[str, np.ndarray]) -> Entry:
    """Return each part's standard deviation over the replicates, and its quantiles."""
    defined = np.isfinite(np.stack(list(parts.values()))).all(axis=0)
    entry: Entry = {"replicates": int(defined.sum()), "reason": None}
    if defined.sum() < max(2.0, DEFINED * len(defined)):
        reason = f"only {int(defined.sum())} of {len(defined)} replicates have the figure"
        return entry | {"reason": reason}
    for name, values in parts.items():
        low, high = np.quantile(values[defined], ENDS).tolist()
        error = float(values[defined].std(ddof=1))
        entry[name] = {"standard_error": error, "low": low, "high": high}
    return entry


def _places(number: int) -> dict[str, slice]:
    """Return where each of `BLOCKS` lies in a replicate."""
    widths = [_width(name, number) for name in BLOCKS]
    ends = np.cumsum(widths).tolist()
    return {
        name: slice(end - width, end) for name, width, end in zip(BLOCKS, widths, ends, strict=True)
    }


def _columns(number: int) -> np.ndarray:
    """Return which of a patient's quantities are summed."""
    places = blocks(number)
    starts = [(places[name].start, _width(name, number)) for name in BLOCKS]
    return np.concatenate([np.arange(start, start + width) for start, width in starts])


def _width(name: str, number: int) -> int:
    """Return a block's width; of the signs only synergy and redundancy have an interval."""
    place = blocks(number)[name]
    return 2 if name == "signs" else place.stop - place.start
