"""A figure's mean over folds, and how much better one model is than another on the same folds."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from scipy.stats import t as student

LEVEL = 0.95


@dataclass(frozen=True)
class FoldMean:
    """A mean over folds, of a figure or of a difference, with its interval.

    Attributes:
        folds: How many folds there are; of a difference, how many both have.
        mean: Over them, of a difference first minus second; None = no fold.
        standard_error: Corrected for folds that share patients; None = fewer than two folds.
        low: Lower end of the 95% interval.
        high: Upper end.
    """

    folds: int
    mean: float | None
    standard_error: float | None
    low: float | None
    high: float | None


def paired_difference(
    first: Float[np.ndarray, " fold"], second: Float[np.ndarray, " fold"], *, test_to_train: float
) -> FoldMean:
    """Return the mean of first - second over folds with the corrected resampled t interval.

    With J folds and sample variance s^2 of the differences, the variance of their mean is taken as
    s^2 (1/J + n_test/n_train) instead of s^2/J, because the folds' training patients overlap and
    their figures are not independent; the quantile is Student's with J - 1 degrees of freedom.
    Made for random resampling; for whole hospitals held out it is the best at hand, and with few
    hospitals too hopeful.

    Args:
        first: One figure a fold.
        second: The other's figure on the same folds, in the same order.
        test_to_train: Test patients of a fold divided by its other patients, mean over folds.

    Returns:
        The difference; without an interval below two folds.

    Source: Nadeau and Bengio, Inference for the generalization error, Machine Learning 52 (2003);
        Bouckaert and Frank, PAKDD 2004, for repeated cross-validation.
    """
    return mean_over_folds(first - second, test_to_train=test_to_train)


def mean_over_folds(figures: Float[np.ndarray, " fold"], *, test_to_train: float) -> FoldMean:
    """Return the mean of a figure over folds, with the same interval as a paired difference.

    Args:
        figures: One a fold.
        test_to_train: Test patients of a fold divided by its other patients, mean over folds.

    Returns:
        The mean; without an interval below two folds.

    Source: as `paired_difference`.
    """
    folds = len(figures)
    if folds == 0:
        return FoldMean(0, None, None, None, None)
    mean = float(figures.mean())
    if folds == 1:
        return FoldMean(1, mean, None, None, None)
    error = float(figures.std(ddof=1) * np.sqrt(1.0 / folds + test_to_train))
    reach = float(student.ppf(0.5 + LEVEL / 2.0, folds - 1)) * error
    return FoldMean(folds, mean, error, mean - reach, mean + reach)
