"""A finished run attacked: what its promise, or the lack of one, is worth in practice."""

import hashlib
import logging
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

import numpy as np
from jaxtyping import Bool, Float64

from fusion.errors import ConcordError, ConfigError
from fusion.registry import nearest
from privacy.accountant import epsilon_of
from privacy.attacks.canaries import canary_epsilon, run_canaries
from privacy.attacks.membership import Membership, likelihood_ratios, membership
from privacy.attacks.one_run import OneRun, audit_delta, canary_scores, one_run
from privacy.attacks.shadows import stack
from privacy.attacks.step import measure_step
from privacy.plan import PrivacyPlan
from simulations.attacked_run import AttackedRun, AttackedSite
from simulations.leaked import leak_of
from simulations.shadow_runs import Shadows, confidences, train_shadows

log = logging.getLogger("concord.simulate")

ATTACKS = ("step", "canaries", "lira", "one-run", "leakage")
"""In the order they are made."""

OF_A_PLAN = ("step", "canaries")
"""Those of the noise alone: a run without a promise has none."""

NO_NOISE = "the run has no noise to test: the accountant's epsilon is none"
"""Why those are not made."""

CANARIES = 1000
LARGEST = 1e6

NOT_COVERED = (
    "Runs on the same patients before this one, such as those that chose settings.",
    "What the slide features and every other public part were trained on before.",
    "Sums and figures that left beside the model, and sites that only evaluated.",
    "An attacker who sees every round's update: membership is guessed from the final model alone.",
    "Better attacks: a bound from below proves that much is lost, never that no more is.",
)
"""What none of the attacks says anything about."""


@dataclass(frozen=True)
class Order:
    """Which attacks, and how large.

    Attributes:
        attacks: Names of `ATTACKS`.
        shadows: Shadow models beside the one whose halves are guessed.
        seed: Of coins, halves and the shadows' noise.
        canaries: Of each site.

    Raises:
        ConfigError: A name is not known, or there are too few shadow models.

    Source: own.
    """

    attacks: tuple[str, ...] = ATTACKS
    shadows: int = 32
    seed: int = 1
    canaries: int = CANARIES

    def __post_init__(self) -> None:
        for name in self.attacks:
            if name not in ATTACKS:
                raise ConfigError(
                    f"--attacks must be some of {', '.join(ATTACKS)}, got '{name}'. "
                    f"{nearest(name, ATTACKS)}"
                )
        if not self.attacks:
            raise ConfigError("--attacks must name an attack, got none. Leave it out for all.")
        if self.shadows < 8:
            raise ConfigError(f"--shadows must be >= 8, got {self.shadows}. Raise it.")


def attack(run: AttackedRun, order: Order) -> dict[str, Any]:
    """Return what attacks on a finished run come to, as `$defs/attack` of the schema says.

    Args:
        run: What is attacked.
        order: How.

    Privacy: figures over patients of a simulation; no row about one.

    Source: own.
    """
    started, reasons = time.monotonic(), dict[str, str]()
    if not run.private:
        reasons |= {name: NO_NOISE for name in OF_A_PLAN if name in order.attacks}
    wanted = [name for name in order.attacks if name not in reasons]
    shadows = _shadows(run, order, wanted, reasons)
    sites = [_site(site, run, order, wanted) for site in run.sites]
    pooled: dict[str, Any] = {"membership": None, "one_run": None}
    if shadows is not None:
        _tell_membership(run, shadows, wanted, sites, pooled)
    leak = leak_of(run, reasons) if "leakage" in wanted else None
    path = run.folder / run.result["model"]["file"]
    return {
        "schema_version": 1,
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "seconds": time.monotonic() - started,
        "model_sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
        "attacks": list(order.attacks),
        "seed": order.seed,
        "shadows": order.shadows,
        "canaries": order.canaries,
        "sites": sites,
        "pooled": pooled,
        "leakage": leak,
        "not_done": [f"{name}: {reason}" for name, reason in reasons.items()],
        "not_covered": list(NOT_COVERED),
    }


def membership_of(run: AttackedRun, *, shadows: int = 32, seed: int = 1) -> Membership | None:
    """Return how well the members of a run's model are told from its sites' other patients.

    Args:
        run: What is attacked.
        shadows: Shadow models.
        seed: Of their halves and noise.

    Returns:
        None where a site has too few of either.

    Raises:
        ConfigError: No shadow models can be trained of this run.

    Source: Carlini et al., S&P 2022.
    """
    found = train_shadows(run, shadows, seed)
    return membership(_ratios(run, found), _members(run))


def _shadows(
    run: AttackedRun, order: Order, wanted: Sequence[str], reasons: dict[str, str]
) -> Shadows | None:
    """Return one model more than asked for: the last one's halves are the coins of one-run."""
    asked = [name for name in ("lira", "one-run") if name in wanted]
    if not asked:
        return None
    try:
        return train_shadows(run, order.shadows + 1, order.seed)
    except ConcordError as error:
        reasons |= dict.fromkeys(asked, str(error))
        return None


def _site(
    site: AttackedSite, run: AttackedRun, order: Order, wanted: Sequence[str]
) -> dict[str, Any]:
    """Return what the noise of one site is worth."""
    told: dict[str, Any] = dict.fromkeys(("epsilon", "delta", "step", "canaries", "one_run"))
    told = {"name": site.name, **told, "membership": None}
    if site.plan is None or site.account is None:
        return told
    told |= {"epsilon": site.account["run_epsilon"], "delta": site.plan.delta}
    engine = run.config.privacy.engine
    if "step" in wanted:
        figures = measure_step(site.plan, engine=engine)
        told["step"] = [asdict(one) | {"holds": one.holds} for one in figures]
    if {"canaries", "one-run"} & set(wanted):
        log.info("%s: %d canaries, %d steps", site.name, order.canaries, site.plan.steps)
        told |= _canaries(site.plan, order, engine, wanted)
    return told


def _canaries(
    plan: PrivacyPlan, order: Order, engine: str, wanted: Sequence[str]
) -> dict[str, Any]:
    run = run_canaries(plan, number=order.canaries, seed=order.seed, engine=engine)
    told: dict[str, Any] = {}
    if "canaries" in wanted:
        found = {
            k: min(v, LARGEST) for k, v in asdict(canary_epsilon(run, delta=plan.delta)).items()
        }
        told["canaries"] = found | {"canaries": order.canaries, "steps": plan.steps}
    if "one-run" in wanted:
        scores = canary_scores(
            run.responses,
            noise_multiplier=plan.noise_multiplier,
            sampling_rate=plan.sampling_rate,
        )
        guessed = one_run(scores, run.inserted, delta=audit_delta(order.canaries))
        told["one_run"] = _guesses(guessed, [plan])
    return told


def _guesses(found: OneRun, plans: Sequence[PrivacyPlan | None]) -> dict[str, Any]:
    """Return a bound beside the accountant's epsilon at the same delta; the largest of several."""
    known = [plan for plan in plans if plan is not None]
    most = max((epsilon_of(plan.events(), delta=found.delta) for plan in known), default=None)
    return asdict(found) | {"epsilon": most}


def _tell_membership(
    run: AttackedRun,
    shadows: Shadows,
    wanted: Sequence[str],
    sites: Sequence[dict[str, Any]],
    pooled: dict[str, Any],
) -> None:
    """Put the figures of shadow models where they belong."""
    if "lira" in wanted:
        rest = Shadows(shadows.inside[:-1], shadows.confidence[:-1])
        scores, members, start = _ratios(run, rest), _members(run), 0
        pooled["membership"] = _told(membership(scores, members))
        for site, told in zip(run.sites, sites, strict=True):
            own = slice(start, start + len(site.pool))
            told["membership"] = _told(membership(scores[own], members[own]))
            start = own.stop
    if "one-run" in wanted:
        scores = likelihood_ratios(
            shadows.confidence[-1], shadows.confidence[:-1], shadows.inside[:-1]
        )
        known = ~np.isnan(scores)
        guessed = one_run(
            scores[known], shadows.inside[-1][known], delta=audit_delta(int(known.sum()))
        )
        pooled["one_run"] = _guesses(guessed, [site.plan for site in run.sites])


def _ratios(run: AttackedRun, shadows: Shadows) -> Float64[np.ndarray, " patient"]:
    target = confidences(run, stack(run.network(trained=True), 1))[0]
    return likelihood_ratios(target, shadows.confidence, shadows.inside)


def _members(run: AttackedRun) -> Bool[np.ndarray, " patient"]:
    return np.concatenate([np.arange(len(s.pool)) < len(s.members) for s in run.sites])


def _told(found: Membership | None) -> dict[str, Any] | None:
    if found is None:
        return None
    shares = [{"false_alarms": rate, **asdict(one)} for rate, one in found.found.items()]
    return asdict(found) | {"found": shares}
