"""Before the first round: who takes part, what all can read alike, and the plan that follows."""

import hashlib
import logging
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from fusion.class_settings import CLASSIFICATION
from fusion.config import RunConfig, numbers
from fusion.errors import ConfigError, FederationError
from fusion.objectives.intervals import baseline_hazards, choose_intervals
from fusion.survival.bins import RiskGrid, TimeGrid
from fusion.survival.noised_counts import Counts, NoisedCounts, add_counts
from fusion.survival.tallies import OutcomeCounts
from fusion.training.plan import Plan
from server.classes import choose_classes, choose_weights
from server.components import common_components
from server.groups import choose_groups
from server.inbox import Answer, Failure, Inbox, request
from server.inputs import choose_inputs
from server.members import SPLITS, Census, Member, add_up, read_census, read_members
from server.scaling import common_scale

log = logging.getLogger("concord.server")


PUBLIC_RATE = 0.2
"""Events a patient-year that baselines start from where no site tells its counts."""


def describe(
    inbox: Inbox,
    hoped: int = 0,
    *,
    bins: int | None = None,
    run: str = "",
    labelled: bool | None = None,
) -> tuple[list[Member], list[Failure]]:
    """Return the sites that answered the opening question, and those that failed.

    Args:
        inbox: The way to the sites.
        hoped: Sites that would be good to have; see `Inbox.meet`.
        bins: Time bins of the run; None = as many as each site sends.
        run: Name of a private run.
        labelled: Whether the run predicts classes; None = as each site sends.

    Raises:
        FederationError: No site can train, or no event was seen anywhere.

    Source: own.
    """
    answers, failures = inbox.meet(hoped, run)
    members, refused = read_members(answers, bins, labelled)
    for failure in refused:
        log.warning("%s: %s", failure.site, failure.reason)
    failures = sorted([*failures, *refused], key=lambda failure: failure.site)
    if not any(member.trains for member in members):
        reasons = (
            "; ".join(f"{f.site}: {f.reason}" for f in failures) or "none has training patients"
        )
        raise FederationError(
            f"At least one site must be able to train, got none of {len(answers) + len(failures)} "
            f"({reasons}). Run `concord-site doctor` at each site."
        )
    counted = [member for member in members if member.counted and member.labels is None]
    if counted == members:
        _check_events(add_up(members))
    for member in counted:
        for split, patients, events in zip(SPLITS, member.patients, member.events, strict=True):
            if patients and not events:
                log.warning("%s has no event among %d %s patients", member.name, patients, split)
    return members, failures


def take_census(inbox: Inbox, members: Sequence[Member], bins: int | None = None) -> Census:
    """Return the counts of all sites, asked for as a sum where no site tells its own.

    Args:
        inbox: The way to the sites.
        members: The sites.
        bins: As in `describe`.

    Raises:
        FederationError: The sum could not be had, or no event was seen anywhere.

    Source: own.
    """
    if all(member.patients for member in members):
        return add_up(members)
    names = [member.name for member in members]

    def check(answer: Answer) -> None:
        read_census(answer, bins)

    answers, failures = inbox.ask("query.counts", request({}), names, check)
    if not answers:
        reasons = "; ".join(f"{f.site}: {f.reason}" for f in failures)
        raise FederationError(
            f"The sites' counts must come as one sum over them, got none ({reasons}). Mend what "
            "the sites report and start anew."
        )
    census = read_census(answers[0], bins)
    _check_events(census)
    return census


def _check_events(census: Census) -> None:
    if not census.events[0]:
        raise FederationError(
            f"The federation must have at least one event to train on, got 0 among "
            f"{census.patients[0]} training patients. Add sites or follow-up."
        )


@dataclass(frozen=True)
class Agreement:
    """The plan, and what was left out to reach it.

    Attributes:
        plan: What every site applies.
        dropped: Features that some site has and some site lacks.
        clipped: Share of omics values cut by the clip.
        features_hash: SHA-256 of the agreed names.
        data_hashes: Each site's hash of its folder, to notice data that changed.
        refused: Sites that described themselves but cannot take part.
        released: Sums without noise that each site had sent by then in a private run: a resumed
            run does not ask for them again, and still has to name them.
        noised: Sums with noise, likewise.

    Source: own.
    """

    plan: Plan
    dropped: int
    clipped: float | None
    features_hash: str
    data_hashes: dict[str, str]
    refused: tuple[Failure, ...] = ()
    released: dict[str, list[str]] = field(default_factory=dict)
    noised: dict[str, list[str]] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, for the checkpoint."""
        refused = [[failure.site, failure.reason] for failure in self.refused]
        return {**vars(self), "plan": self.plan.to_text(), "refused": refused}

    @classmethod
    def from_dict(cls, plain: dict[str, Any]) -> "Agreement":
        """Return the agreement that `to_dict` wrote."""
        refused = tuple(Failure(*pair) for pair in plain["refused"])
        return cls(**{**plain, "plan": Plan.from_text(plain["plan"]), "refused": refused})


def agree(
    inbox: Inbox,
    members: Sequence[Member],
    config: RunConfig,
    census: Census | None = None,
    run: str = "",
) -> Agreement:
    """Return the plan of the run: names in common, scaling, time intervals.

    Args:
        inbox: The way to the sites.
        members: The sites.
        config: The run's settings.
        census: Of all sites together; added up from what they told of themselves, if None.
        run: Name of a private run.

    Raises:
        FederationError: The sites have different encoders, or no gene in common.
        ConfigError: A table or column in the settings exists nowhere.

    Source: own.
    """
    inputs = choose_inputs(members, config)
    groups = choose_groups(config, inputs)
    sites = [member.name for member in members if member.trains]
    scaled = common_scale(inbox, sites, config, inputs, run)
    left = {failure.site for failure in scaled.failures}
    sites = [name for name in sites if name not in left]
    found = common_components(inbox, sites, config, inputs, scaled.scaling)
    classed = config.objective.name == CLASSIFICATION
    edges, rates = ((), ()) if classed else _intervals([census or add_up(members)], config)
    classes = choose_classes(members, config.objective) if classed else ()
    counting = choose_weights(members, classes, config.objective) if classed else ()
    plan = Plan(
        modalities=inputs.modalities,
        encoder=inputs.encoder,
        feature_width=inputs.width,
        tables=inputs.tables,
        clinical=inputs.clinical,
        scaling=scaled.scaling,
        edges=edges,
        rates=rates,
        projections=found.projections,
        groups=groups,
        classes=classes,
        class_weights=counting,
    )
    _say(plan, inputs.dropped)
    digest = hashlib.sha256("\n".join(inputs.features).encode()).hexdigest()
    hashes = {member.name: str(member.facts["data-hash"]) for member in members}
    refused = (*scaled.failures, *found.failures)
    released, noised = (
        {site: sorted(names) for site, names in told.items()}
        for told in (inbox.released, inbox.noised)
    )
    return Agreement(
        plan, inputs.dropped, scaled.clipped, digest, hashes, refused, released, noised
    )


def _say(plan: Plan, dropped: int) -> None:
    """Log what the model reads."""
    if "slides" in plan.modalities:
        log.info("reads slides: %d features a patch from %s", plan.feature_width, plan.encoder)
    if plan.tables:
        log.info(
            "reads omics: %d features of tables %s; %d not shared by all sites left out",
            len(plan.scaling.names) - len(plan.clinical),
            ", ".join(plan.tables),
            dropped,
        )
    for name, one in plan.projections.items():
        log.info(
            "reads %d components of %s: %.0f%% of its variance", one.number, name, 100 * one.share
        )
    if plan.clinical:
        log.info("reads clinical columns: %s", ", ".join(plan.clinical))
    log.info("modalities: %s", ", ".join(plan.modalities))
    if plan.classes:
        told = zip(plan.classes, plan.class_weights, strict=True)
        log.info("predicts: %s", ", ".join(f"{name} (weight {one:.2f})" for name, one in told))


def _intervals(
    counted: Sequence[Census], config: RunConfig
) -> tuple[tuple[float, ...], tuple[float, ...]]:
    counts = training_counts(counted, config)
    outcomes = counts.table()[1:].astype(np.float64)
    edges = counts.time_grid.edges
    if counts.events_drowned:
        outcomes = np.zeros_like(outcomes)
    if not outcomes.sum() and not config.objective.cuts:
        raise ConfigError(
            "objective.cuts must be written where no site tells its counts, got none. Write public "
            'days, such as objective.cuts = "365,730,1460", or let a policy release `counts`.'
        )
    intervals = choose_intervals(
        outcomes[:, 1],
        edges=edges,
        number=config.objective.intervals,
        cuts=numbers(config.objective.cuts, "objective.cuts"),
    )
    if not outcomes.sum():
        return intervals.edges, (PUBLIC_RATE,) * len(intervals)
    rates = baseline_hazards(intervals, events=outcomes[:, 1], censored=outcomes[:, 0], edges=edges)
    return intervals.edges, tuple(rates.tolist())


def training_counts(counted: Sequence[Member | Census], config: RunConfig) -> Counts:
    """Return all training patients by time bin and event, of those who were counted.

    Source: own.
    """
    grid = TimeGrid(config.evaluation.time_step, config.evaluation.time_bins)
    grids: dict[str, Any] = {"time_grid": grid, "risk_grid": RiskGrid(0.0, 1.0, 2)}
    return add_counts(
        [
            NoisedCounts.from_array(one.outcomes, deviation=one.noise, **grids)
            if one.noise
            else OutcomeCounts.from_array(one.outcomes, **grids)
            for one in counted
        ]
    )
