"""What a site sends of its audit: sums over patients, from which every cohort figure follows."""

import math
from dataclasses import dataclass, fields

import numpy as np
from jaxtyping import Bool, Float

from fusion.errors import FederationError
from fusion.interaction.noised import noised_moments
from fusion.interaction.quantities import RATIOS, blocks, moved, products, quantities
from fusion.interaction.ranking import ranked
from fusion.interaction.sensitivity import clipped
from fusion.interaction.shares import num_modalities
from fusion.modalities import FIGURE_WORDS


@dataclass(frozen=True, eq=False)
class AuditTally:
    """Mergeable sums of an audit; adding two sites' tallies gives that of all their patients.

    Attributes:
        modalities: Names, in the order of the bits of a coalition.
        count: Patients audited.
        excluded: Patients not audited, because they lack a modality.
        clipped: Patients whose contributions were cut to the bound.
        reference: What was subtracted from the additive parts, near v(empty).
        comparable: Comparable pairs within sites.
        sums: Sum over patients of each quantity, in the order of `quantities.blocks`.
        cross: Sum over patients of those products that `quantities.products` names.
        concordant: Rightly ordered comparable pairs within sites, ties as one half, of the full
            output, the additive part and each modality's main effect.
        variance: (Standard error of a site's concordance x its pairs)^2 for the same scores and,
            last, for the gain of the full output over the additive part.
        noise: Standard deviation of the noise on each number; 0 = exact. With noise only the
            counts and the sums of `NOISED` blocks are there, the rest is 0.

    Privacy: Sums only, but exact ones: over very few patients they can be solved for a patient,
        so a site answers only above its minimum number.

    Source: own.
    """

    modalities: tuple[str, ...]
    count: float
    excluded: float
    clipped: float
    reference: float
    comparable: float
    sums: Float[np.ndarray, " quantity"]
    cross: Float[np.ndarray, " product"]
    concordant: Float[np.ndarray, " score"]
    variance: Float[np.ndarray, " comparison"]
    noise: float = 0.0

    def __add__(self, other: "AuditTally") -> "AuditTally":
        """Return the tally of both groups of patients, pairs across the two not counted.

        Raises:
            FederationError: The two are of different modalities.
        """
        if self.modalities != other.modalities:
            raise FederationError(
                f"Audits must have the same modalities in the same order to be added, got "
                f"{self.modalities} and {other.modalities}. Audit one model at every site."
            )
        reference = self.reference if self.count else other.reference
        a, b = self._shifted(reference), other._shifted(reference)
        summed = {item: getattr(a, item) + getattr(b, item) for item in SUMMED}
        return AuditTally(
            modalities=self.modalities,
            count=self.count + other.count,
            excluded=self.excluded + other.excluded,
            clipped=self.clipped + other.clipped,
            reference=reference,
            noise=math.hypot(self.noise, other.noise),
            **summed,
        )

    def moments(
        self, block: str
    ) -> tuple[Float[np.ndarray, " entry"], Float[np.ndarray, "entry entry"]]:
        """Return the mean over patients of a block's quantities and their covariance.

        Args:
            block: A name of `quantities.blocks`.

        Returns:
            The mean, and the covariance between patients (divisor n - 1; NaN for one patient).
            Only its diagonal is known for blocks outside `quantities.RATIOS`; the rest is 0.
        """
        place = blocks(len(self.modalities))[block]
        total = self.sums[place]
        if self.noise:
            return noised_moments(total, self.count, self.noise)
        second = self._second()[place, place]
        if self.count < 2:
            return total / max(self.count, 1.0), np.full_like(second, np.nan)
        known = np.outer(total, total) / self.count
        centred = second - (known if block in RATIOS else np.diag(np.diag(known)))
        return total / self.count, centred / (self.count - 1)

    def to_array(self) -> Float[np.ndarray, " number"]:
        """Return the tally as one vector for the wire; the modalities' names go beside it."""
        head = [self.count, self.excluded, self.clipped, self.reference, self.comparable]
        return np.concatenate([head, self.sums, self.cross, self.concordant, self.variance])

    @staticmethod
    def from_array(
        array: Float[np.ndarray, " number"], modalities: tuple[str, ...], noise: float = 0.0
    ) -> "AuditTally":
        """Return the tally that `to_array` wrote.

        Args:
            array: The vector; under noise counts below 0 are 0, and so are all sums if the
                patients are no more than twice the noise.
            modalities: Names, in the order of the bits.
            noise: Standard deviation of the noise on each number.

        Returns:
            The same tally.

        Raises:
            FederationError: The length does not fit, or a number is not finite or a count < 0.
        """
        sizes = _sizes(len(modalities))
        wanted = HEAD + sum(sizes)
        if noise:
            array = array * (array[:1].sum() > 2.0 * noise)
            array[:HEAD] = np.maximum(array[:HEAD], 0.0)
        sound = len(array) == wanted and np.isfinite(array).all()
        if not sound or (array[[0, 1, 2, 4]] < 0).any():
            raise FederationError(
                f"Audit of {len(modalities)} modalities must be {wanted} finite numbers with "
                f"counts >= 0, got {len(array)} of which {int(np.isfinite(array).sum())} finite. "
                "Run the same version at every site."
            )
        parts = np.split(array, np.cumsum([HEAD, *sizes])[:-1])
        count, excluded, cut, reference, comparable = parts[0].tolist()
        sums, cross, concordant, variance = parts[1:]
        return AuditTally(
            modalities, count, excluded, cut, reference, comparable, sums, cross, concordant,
            variance, noise,
        )  # fmt: skip

    def _second(self) -> Float[np.ndarray, "quantity quantity"]:
        """Return the summed products as a symmetric matrix, 0 where none was summed."""
        rows, columns = products(len(self.modalities))
        matrix = np.zeros((len(self.sums), len(self.sums)))
        matrix[rows, columns] = matrix[columns, rows] = self.cross
        return matrix

    def _shifted(self, reference: float) -> "AuditTally":
        """Return the same tally with another reference (an affine map of the variance block)."""
        step, place = self.reference - reference, blocks(len(self.modalities))["variance"]
        if step == 0 or not self.count or self.noise:
            return self
        turn, add = moved(step)
        sums, second = self.sums.copy(), self._second()
        old = turn @ sums[place]
        mixed = np.outer(old, add)
        second[place, place] = (
            turn @ second[place, place] @ turn.T + mixed + mixed.T + self.count * np.outer(add, add)
        )
        sums[place] = old + self.count * add
        changed = {
            "reference": reference,
            "sums": sums,
            "cross": second[products(len(self.modalities))],
        }
        return AuditTally(**({f.name: getattr(self, f.name) for f in fields(self)} | changed))


HEAD = 5
"""Numbers before the sums: count, excluded, clipped, reference, comparable."""

SUMMED = ("comparable", "sums", "cross", "concordant", "variance")


def audit_tally(
    values: Float[np.ndarray, "patient coalition"],
    *,
    modalities: tuple[str, ...],
    time: Float[np.ndarray, " patient"] | None,
    event: Bool[np.ndarray, " patient"] | None,
    excluded: int = 0,
    clip: float = 0.0,
) -> AuditTally:
    """Return a site's audit as sums over its patients.

    Args:
        values: Log-hazards or logits, patient x 2^M, of patients who have every modality.
        modalities: M names, in the order of the bits.
        time: Follow-up in days; None = the model predicts classes, and no pairs are compared.
        event: True = event seen; None likewise.
        excluded: Patients left out because they lack a modality.
        clip: Largest length of a patient's contributions in log-hazard; 0 = any, see
            `sensitivity.clipped`. Concordance is of the values as they are.

    Returns:
        The tally; of no patients, zeros.

    Raises:
        FederationError: The names do not fit the columns, or a value is not finite.

    Privacy: Reads one row a patient, returns sums.

    Source: own.
    """
    _check(values, modalities)
    reference = float(values[:, 0].mean()) if len(values) else 0.0
    table = quantities(values.astype(np.float64), reference)
    table, cut = clipped(table, modalities=len(modalities), clip=clip)
    rows, columns = products(len(modalities))
    if time is None or event is None:
        time, event = np.zeros(len(values)), np.zeros(len(values), np.bool_)
    comparable, concordant, variance = ranked(values, time=time, event=event)
    return AuditTally(
        modalities,
        float(len(values)),
        float(excluded),
        float(cut),
        reference,
        comparable,
        table.sum(axis=0),
        np.einsum("pq,pq->q", table[:, rows], table[:, columns]),
        concordant,
        variance,
    )


def _check(values: np.ndarray, modalities: tuple[str, ...]) -> None:
    if num_modalities(values) != len(modalities) or len(set(modalities)) != len(modalities):
        raise FederationError(
            f"Modalities must be {num_modalities(values)} different names for {values.shape[1]} "
            f"coalitions, got {modalities}. Name each modality once."
        )
    taken = sorted(name for name in modalities if name in FIGURE_WORDS or "+" in name)
    if taken:
        raise FederationError(
            f"A modality's name must be no word of the audit and hold no '+', got {taken}. "
            "Rename it."
        )
    if not np.isfinite(values).all():
        raise FederationError(
            f"Coalition values must be finite, got {int((~np.isfinite(values)).sum())} that are "
            "not. Train with a smaller training.lr."
        )


def _sizes(number: int) -> tuple[int, int, int, int]:
    """Return the lengths of sums, cross, concordant and variance for so many modalities."""
    width = max(place.stop for place in blocks(number).values())
    return width, len(products(number)[0]), number + 2, number + 3
