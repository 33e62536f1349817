"""Patients by class and prediction, and by bins of log odds: sites' counts add up to the pooled."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int, Int64

from fusion.errors import FederationError
from fusion.survival.bins import RiskGrid
from fusion.survival.estimate import require_finite


@dataclass(frozen=True, eq=False)
class ClassCounts:
    """Patients of K classes, counted by what a model says of them.

    Attributes:
        confusion: Patients by true class (row) and predicted class (column).
        scores: For each class, patients by the bin of that class's log odds; last axis 0 = of
            another class, 1 = of this one. Bins are the same at every site.

    Privacy: counts only, but a cell can hold one patient.

    Source: own.
    """

    confusion: Int64[np.ndarray, "true predicted"]
    scores: Int64[np.ndarray, "class bin 2"]

    def __add__(self, other: "ClassCounts") -> "ClassCounts":
        """Return the counts of both groups of patients."""
        return ClassCounts(self.confusion + other.confusion, self.scores + other.scores)

    @property
    def patients(self) -> int:
        """Number of patients."""
        return int(self.confusion.sum())

    @property
    def of_class(self) -> Int64[np.ndarray, " class"]:
        """Patients of each true class."""
        return self.confusion.sum(axis=1)

    def to_array(self) -> Int64[np.ndarray, " number"]:
        """Return all counts as one vector for the wire."""
        return np.concatenate([self.confusion.ravel(), self.scores.ravel()])

    @staticmethod
    def from_array(array: Int[np.ndarray, " number"], *, classes: int, bins: int) -> "ClassCounts":
        """Return counts as they came from a site.

        Args:
            array: The vector.
            classes: K.
            bins: Of the log odds.

        Raises:
            FederationError: The length does not fit, a count is negative, or a patient is counted
                in one table and not in the other.
        """
        wanted, square = classes**2 + 2 * classes * bins, classes**2
        if array.shape == (wanted,) and (array >= 0).all():
            found = ClassCounts(
                array[:square].reshape(classes, classes).astype(np.int64),
                array[square:].reshape(classes, bins, 2).astype(np.int64),
            )
            if found._agrees():
                return found
        raise FederationError(
            f"Class counts must be {wanted} counts of the same patients, got shape {array.shape}. "
            "Run the same version at every site."
        )

    def _agrees(self) -> bool:
        own = self.scores.sum(axis=1)
        return bool((own[:, 1] == self.of_class).all() and (own.sum(1) == self.patients).all())


def count_classes(
    logits: Float[np.ndarray, "patient class"], label: Int[np.ndarray, " patient"], grid: RiskGrid
) -> ClassCounts:
    """Return the counts of some patients.

    Args:
        logits: What a model says of them.
        label: Their true classes, by place.
        grid: Shared bins, laid over the log odds of every class.

    Returns:
        Counts; the predicted class is that of the largest logit, of equal ones the first.

    Raises:
        FederationError: A logit is not finite.

    Privacy: reads one row a patient, returns counts.

    Source: own.
    """
    require_finite("Logits", logits)
    classes = logits.shape[1]
    confusion = np.zeros((classes, classes), np.int64)
    np.add.at(confusion, (label, logits.argmax(axis=1)), 1)
    table = np.zeros((classes, grid.count, 2), np.int64)
    for number, odds in enumerate(log_odds(logits).T):
        np.add.at(table[number], (grid.index(odds), (label == number).astype(int)), 1)
    return ClassCounts(confusion, table)


def log_odds(logits: Float[np.ndarray, "patient class"]) -> Float[np.ndarray, "patient class"]:
    """Return the log odds of each class against all others together.

    logit_c - log sum_{j != c} exp(logit_j): what ranks patients as the probability of c does.

    Args:
        logits: Of two or more classes.

    Source: own.
    """
    exact = logits.astype(np.float64)
    found = np.empty_like(exact)
    for number in range(exact.shape[1]):
        others = np.delete(exact, number, axis=1)
        found[:, number] = exact[:, number] - np.logaddexp.reduce(others, axis=1)
    return found


def no_patients(classes: int, grid: RiskGrid) -> ClassCounts:
    """Return counts of nobody.

    Source: own.
    """
    return count_classes(np.zeros((0, classes)), np.zeros(0, np.int64), grid)
