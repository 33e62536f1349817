"""How well risks rank patients: Harrell's and Uno's concordance with their standard errors.

`fusion.survival.pairs` says which pairs are comparable.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from fusion.survival.curves import CensoringCurve
from fusion.survival.estimate import Estimate, Flags, Values, proportion, require_finite
from fusion.survival.pairs import Ranking, pair_sums


@dataclass(frozen=True)
class Concordance:
    """The share of comparable pairs that risks order rightly, and what it was counted from.

    Attributes:
        estimate: The share with its 95% interval.
        concordant: Weight of the rightly ordered pairs, ties in risk as one half.
        comparable: Weight of all comparable pairs; Harrell: their number.
        tau: Uno only: pairs whose earlier time (days) is below tau enter.
        censoring_source: Uno only: whose censoring the weights come from.

    Source: own.
    """

    estimate: Estimate
    concordant: float
    comparable: float
    tau: float | None = None
    censoring_source: str | None = None

    def as_dict(self) -> dict[str, Any]:
        """Return the estimate and `comparable_pairs` (Uno: `tau` and `censoring_source`).

        Source: own.
        """
        if self.tau is None:
            return self.estimate.as_dict() | {"comparable_pairs": self.comparable}
        known = {"tau": self.tau, "censoring_source": self.censoring_source}
        return self.estimate.as_dict() | known


def concordance(
    risk: Values, *, time: Values, event: Flags, weight: Values | None = None
) -> Concordance:
    """Return Harrell's concordance of `risk` with its infinitesimal-jackknife standard error.

    C = concordant / comparable is a ratio of two U-statistics; patient i moves it by
    u_i = (c_i - C a_i) / comparable, where c_i and a_i sum over i's pairs, and SE^2 = sum u_i^2.
    The 95% interval is symmetric on the logit scale; at 0 or 1 it is None with a reason.
    Depends on the censoring; when censoring is heavy and late, prefer `uno_concordance`.

    Args:
        risk: Any ranking score, higher = earlier event.
        time: Follow-up in days.
        event: True = event seen.
        weight: Number of identical patients each row stands for; one each if None.

    Returns:
        The concordance; its value is None with a reason when no pair is comparable.

    Raises:
        FederationError: A risk or time is not finite.

    Privacy: The result tells pairs of the patients given; over two or three patients it tells
        their order.

    Source: Harrell et al. 1996, Stat Med 15:361; variance: Therneau, survival vignette
        "Concordance" (infinitesimal jackknife).
    """
    known = np.ones(len(risk)) if weight is None else weight
    return concordance_of(Ranking(risk, time, event, known, event.astype(np.float64)))


def uno_concordance(
    risk: Values,
    *,
    time: Values,
    event: Flags,
    censoring: CensoringCurve,
    tau: float,
    weight: Values | None = None,
) -> Concordance:
    """Return Uno's concordance: pairs weighted by G(t_i-)^-2, earlier time below `tau`.

    Does not depend on the censoring when that is independent of risk. The standard error takes
    the censoring curve as known, which is slightly too wide when it is estimated here.

    Args:
        risk: Any ranking score, higher = earlier event.
        time: Follow-up in days.
        event: True = event seen.
        censoring: Curve G of the censoring, with its source.
        tau: Days; must lie where G is above 0.
        weight: Number of identical patients each row stands for; one each if None.

    Returns:
        The concordance with `tau` and `censoring_source`; pairs where G is 0 are left out.

    Raises:
        FederationError: A risk or time is not finite.

    Privacy: As `concordance`.

    Source: Uno et al. 2011, Stat Med 30:1105.
    """
    known = np.ones(len(risk)) if weight is None else weight
    pairs = uno_weights(time, event=event, censoring=censoring, tau=tau)
    found = concordance_of(Ranking(risk, time, event, known, pairs))
    return replace(found, tau=float(tau), censoring_source=censoring.source)


def uno_weights(time: Values, *, event: Flags, censoring: CensoringCurve, tau: float) -> Values:
    """Return G(t_i-)^-2 for events before `tau`, 0 for all others and where G is 0.

    Args:
        time: Follow-up in days.
        event: True = event seen.
        censoring: Curve G of the censoring.
        tau: Days.

    Returns:
        The weight of the pairs in which each patient is the earlier.

    Source: Uno et al. 2011, Stat Med 30:1105.
    """
    known = censoring.at(time)
    used = event & (time < tau) & (known > 0)
    return np.where(used, 1.0 / np.where(used, known, 1.0) ** 2, 0.0)


def concordance_from(
    concordant: float, *, comparable: float, standard_error: float | None
) -> Concordance:
    """Return the concordance that a site reported as three numbers.

    Args:
        concordant: Weight of the rightly ordered pairs.
        comparable: Weight of the comparable pairs.
        standard_error: That of the ratio, or None where the site had none.

    Returns:
        The concordance with its interval.

    Source: own.
    """
    if comparable <= 0:
        return Concordance(Estimate(None, reason="no pair of patients is comparable"), 0.0, 0.0)
    estimate = proportion(concordant / comparable, standard_error or 0.0)
    return Concordance(estimate, concordant, comparable)


def combine_within(concordances: Sequence[Concordance]) -> Estimate:
    """Return the mean of sites' concordances, weighted by their comparable pairs.

    No pair crosses sites, so telling hospitals apart earns nothing. The sites are independent:
    SE^2 = sum (w_k / sum w)^2 SE_k^2. A site whose pairs all agree has no standard error of its
    own and enters with 1/2, the largest that a figure in [0, 1] can have.

    Args:
        concordances: One a site; those without a comparable pair are left out.

    Returns:
        The mean with its standard error and 95% interval on the logit scale.

    Source: own (stratified concordance; weights as in Therneau, survival vignette "Concordance").
    """
    used = [one for one in concordances if one.comparable > 0]
    total = sum(one.comparable for one in used)
    if total <= 0:
        return Estimate(None, reason="no site has a comparable pair of patients")
    value = sum(one.concordant for one in used) / total
    spread = 0.0
    for one in used:
        error = one.estimate.standard_error
        spread += (one.comparable / total * (0.5 if error is None else error)) ** 2
    return proportion(value, float(np.sqrt(spread)))


def concordance_of(ranking: Ranking) -> Concordance:
    """Return concordant / comparable of a ranking, with its infinitesimal-jackknife error.

    Args:
        ranking: Patients or cells, and the weights of their pairs.

    Returns:
        The concordance; its value is None with a reason when no pair is comparable.

    Raises:
        FederationError: A risk or time is not finite.

    Privacy: As `concordance`.

    Source: Therneau, survival vignette "Concordance"; unknown order inside bins: own.
    """
    require_finite("Risk", ranking.risk)
    require_finite("Time", ranking.time)
    sums = pair_sums(ranking)
    weight = ranking.weight
    concordant = float(weight @ sums.concordant) / 2.0
    comparable = float(weight @ sums.comparable) / 2.0
    if comparable <= 0:
        return concordance_from(0.0, comparable=0.0, standard_error=None)
    influence = (sums.concordant - concordant / comparable * sums.comparable) / comparable
    error = float(np.sqrt(weight @ influence**2))
    return concordance_from(concordant, comparable=comparable, standard_error=error)
