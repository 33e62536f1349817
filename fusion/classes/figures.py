"""What counts of classes say: AUC, accuracy, recall and F1, each with its uncertainty."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float, Int64

from fusion.classes.counts import ClassCounts
from fusion.survival.concordance import Concordance, combine_within, concordance_from
from fusion.survival.estimate import Estimate, proportion


@dataclass(frozen=True)
class Auc:
    """One class against all others: the concordance of its log odds.

    Attributes:
        concordance: Pairs of a patient of the class and another one, how many are in the right
            order (those of one bin half), and the share with its interval.
        bin_error: Most that the share can be off from that of the exact log odds: half the pairs
            whose two patients share a bin. None without pairs.

    Source: DeLong et al., Biometrics 1988.
    """

    concordance: Concordance
    bin_error: float | None


def auc(table: Int64[np.ndarray, "bin 2"]) -> Auc:
    """Return the AUC of one class from patients by bin.

    With p_b patients of the class and n_b others in bin b, of the class's P and the others' N, the
    AUC is sum_b p_b (n_below(b) + n_b / 2) / (P N). Its variance is that of the share of others
    below a patient of the class, over P, plus that of the share of the class above another, over N.

    Args:
        table: Of `ClassCounts.scores`; column 1 = of the class.

    Returns:
        The AUC, absent where the class or its complement has nobody; no interval with one of
        either.

    Source: DeLong, DeLong and Clarke-Pearson, Biometrics 1988, with equal scores in a bin.
    """
    others, own = table.T.astype(np.float64)
    total, rest = own.sum(), others.sum()
    pairs = total * rest
    if pairs == 0:
        return Auc(concordance_from(0.0, comparable=0.0, standard_error=None), None)
    below = np.cumsum(others) - others / 2
    above = total - np.cumsum(own) + own / 2
    right = float(own @ below)
    variance = _variance(below / rest, own) / total + _variance(above / total, others) / rest
    error = float(np.sqrt(variance)) if min(total, rest) > 1 else None
    found = concordance_from(right, comparable=float(pairs), standard_error=error)
    return Auc(found, float(own @ others / (2 * pairs)))


def _variance(values: Float[np.ndarray, " bin"], weight: Float[np.ndarray, " bin"]) -> float:
    """Return the sample variance of values that so many patients have; 0 for one patient."""
    number = weight.sum()
    mean = weight @ values / number
    return float(weight @ (values - mean) ** 2 / max(number - 1, 1))


def class_figures(counts: ClassCounts, names: Sequence[str]) -> dict[str, Any]:
    """Return all figures of counted patients, JSON-safe.

    Args:
        counts: Of one site, or all sites' added up.
        names: Of the classes, in order.

    Returns:
        patients; auc (mean of the classes' AUC, with `bin_error`), balanced_accuracy, macro_f1 and
        accuracy, each with interval and the `classes` it is a mean over; classes: name, patients,
        predicted, auc, recall, precision and f1 of each. What cannot be had is None with a reason.

    Privacy: reads counts only.

    Source: definitions below; averages over classes that have patients.
    """
    aucs = [auc(table) for table in counts.scores]
    return {
        "patients": counts.patients,
        "auc": _mean_auc(aucs, names),
        "balanced_accuracy": _balanced(counts, names),
        "macro_f1": _macro_f1(counts, names),
        "accuracy": _share(float(np.trace(counts.confusion)), float(counts.patients)).as_dict(),
        "classes": [
            {
                "name": name,
                "patients": int(counts.of_class[number]),
                "predicted": int(counts.confusion[:, number].sum()),
                "auc": aucs[number].concordance.estimate.as_dict()
                | {"bin_error": aucs[number].bin_error},
                **_of_class(counts, number),
            }
            for number, name in enumerate(names)
        ],
    }


def mean_auc(counts: ClassCounts) -> Estimate:
    """Return the mean of the classes' AUC over the classes that have one.

    The classes share their patients, and counts do not tell the covariance: its standard error is
    the mean of theirs, which is never too little, and exact for two classes.

    Source: Hand and Till, Machine Learning 2001 (averages over classes); the bound is own.
    """
    return _averaged([auc(table).concordance.estimate for table in counts.scores])


def within_sites(parts: Sequence[ClassCounts]) -> Estimate:
    """Return the mean AUC of pairs inside sites: what telling sites apart cannot raise.

    Each class's AUC is the mean over sites weighted by pairs; then the mean over classes.

    Args:
        parts: Each site's counts.

    Source: own.
    """
    number = len(parts[0].scores) if parts else 0
    return _averaged(
        [
            combine_within([auc(p.scores[place]).concordance for p in parts])
            for place in range(number)
        ]
    )


def _averaged(found: Sequence[Estimate]) -> Estimate:
    values = [one.value for one in found if one.value is not None]
    errors = [one.standard_error for one in found if one.value is not None]
    if not values:
        return Estimate(None, reason="no class with patients beside patients of other classes")
    if None in errors:
        return Estimate(float(np.mean(values)), reason="a class has too few patients")
    return proportion(float(np.mean(values)), float(np.mean([e for e in errors if e is not None])))


def _mean_auc(aucs: Sequence[Auc], names: Sequence[str]) -> dict[str, Any]:
    found = [one.concordance.estimate for one in aucs]
    wrong = [one.bin_error for one in aucs if one.bin_error is not None]
    over = [name for name, one in zip(names, found, strict=True) if one.value is not None]
    return _averaged(found).as_dict() | {
        "bin_error": float(np.mean(wrong)) if wrong else None,
        "classes": over,
    }


def _share(part: float, whole: float) -> Estimate:
    """Return a share of patients with its binomial error."""
    if not whole:
        return Estimate(None, reason="no patient to count")
    value = part / whole
    return proportion(value, float(np.sqrt(value * (1 - value) / whole)))


def _of_class(counts: ClassCounts, number: int) -> dict[str, Any]:
    right = float(counts.confusion[number, number])
    own, said = float(counts.of_class[number]), float(counts.confusion[:, number].sum())
    return {
        "recall": _share(right, own).as_dict(),
        "precision": _share(right, said).as_dict(),
        "f1": 2 * right / (own + said) if own + said else None,
    }


def _balanced(counts: ClassCounts, names: Sequence[str]) -> dict[str, Any]:
    """Return the mean recall of the classes with patients; their errors are independent."""
    seen = np.flatnonzero(counts.of_class)
    over = {"classes": [names[place] for place in seen.tolist()]}
    if not len(seen):
        return Estimate(None, reason="no patient to count").as_dict() | over
    number = counts.of_class[seen]
    recall = np.diag(counts.confusion)[seen] / number
    error = float(np.sqrt((recall * (1 - recall) / number).sum())) / len(seen)
    return proportion(float(recall.mean()), error).as_dict() | over


def _macro_f1(counts: ClassCounts, names: Sequence[str]) -> dict[str, Any]:
    """Return the mean over classes of 2 n_cc / (n_c. + n_.c), its error by the delta method.

    Each cell's share p_ij moves class c's F1 by 2 [i = j = c] / s_c - 2 p_cc ([i = c] + [j = c]) /
    s_c^2, s_c = p_c. + p_.c; the cells are multinomial, and these slopes average to 0 over them.
    """
    shares = counts.confusion / max(counts.patients, 1)
    size = shares.sum(0) + shares.sum(1)
    seen = np.flatnonzero(size)
    over = {"classes": [names[place] for place in seen.tolist()]}
    if not len(seen):
        return Estimate(None, reason="no patient to count").as_dict() | over
    slope, value = np.zeros_like(shares), 0.0
    for c in seen:
        value += 2 * shares[c, c] / size[c] / len(seen)
        slope[c, c] += 2 / size[c] / len(seen)
        slope[c, :] -= 2 * shares[c, c] / size[c] ** 2 / len(seen)
        slope[:, c] -= 2 * shares[c, c] / size[c] ** 2 / len(seen)
    error = float(np.sqrt((shares * slope**2).sum() / counts.patients))
    return proportion(min(float(value), 1.0), error).as_dict() | over
