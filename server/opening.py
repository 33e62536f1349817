"""Before the first round: who takes part, what all can read alike, and the plan that follows."""

import hashlib
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from fusion.config import RunConfig, names, numbers
from fusion.errors import ConfigError, FederationError
from fusion.models.build import MODELS
from fusion.objectives.intervals import baseline_hazards, choose_intervals
from fusion.registry import nearest
from fusion.survival.bins import RiskGrid, TimeGrid
from fusion.survival.tallies import OutcomeCounts
from fusion.training.plan import Plan
from server.components import common_components
from server.inbox import Answer, Failure, Inbox
from server.scaling import common_scale

log = logging.getLogger("concord.server")

SPLITS = ("train", "validation", "test")


@dataclass(frozen=True, eq=False)
class Member:
    """One site as it described itself.

    Attributes:
        name: The site's name.
        role: `train` or `evaluate-only`.
        patients: In train, validation and test.
        events: Likewise.
        missing: Patients without slides, without omics, and with part of the omics tables.
        outcomes: Training patients by time bin and event, as `OutcomeCounts`.
        facts: Encoder, widths, tables and names.

    Source: own.
    """

    name: str
    role: str
    patients: tuple[int, ...]
    events: tuple[int, ...]
    missing: tuple[int, ...]
    outcomes: np.ndarray
    facts: dict

    @property
    def trains(self) -> bool:
        """Whether the site has patients to train on; a lone one would show through every sum."""
        return self.role == "train" and self.patients[0] > 1


def describe(inbox: Inbox) -> tuple[list[Member], list[Failure]]:
    """Return the sites that answered the opening question, and those that failed.

    Raises:
        FederationError: No site can train, or no event was seen anywhere.

    Source: own.
    """
    answers, failures = inbox.meet()
    members = [_member(answer) for answer in answers]
    if not any(member.trains for member in members):
        reasons = (
            "; ".join(f"{f.site}: {f.reason}" for f in failures) or "none has training patients"
        )
        raise FederationError(
            f"At least one site must be able to train, got none of {len(answers) + len(failures)} "
            f"({reasons}). Run `concord-site doctor` at each site."
        )
    if not sum(member.events[0] for member in members):
        raise FederationError(
            f"The federation must have at least one event to train on, got 0 among "
            f"{sum(m.patients[0] for m in members)} training patients. Add sites or follow-up."
        )
    for member in members:
        for split, patients, events in zip(SPLITS, member.patients, member.events, strict=True):
            if patients and not events:
                log.warning("%s has no event among %d %s patients", member.name, patients, split)
    return members, failures


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

    Source: own.
    """

    plan: Plan
    dropped: int
    clipped: float | None
    features_hash: str
    data_hashes: dict[str, str]
    refused: tuple[Failure, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, for the checkpoint."""
        refused = [[failure.site, failure.reason] for failure in self.refused]
        return {**vars(self), "plan": self.plan.to_text(), "refused": refused}

    @classmethod
    def from_dict(cls, plain: dict[str, Any]) -> "Agreement":
        """Return the agreement that `to_dict` wrote."""
        refused = tuple(Failure(*pair) for pair in plain["refused"])
        return cls(**{**plain, "plan": Plan.from_text(plain["plan"]), "refused": refused})


def agree(inbox: Inbox, members: Sequence[Member], config: RunConfig) -> Agreement:
    """Return the plan of the run: names in common, scaling, time intervals.

    Raises:
        FederationError: The sites have different encoders, or no gene in common.
        ConfigError: A table or column in the settings exists nowhere.

    Source: own.
    """
    trainers = [member for member in members if member.trains]
    encoder, width = _encoder(members)
    tables = _tables(members, config)
    clinical = names(config.data.clinical)
    features, dropped = _features(members, tables)
    features = (*features, *(f"clinical:{column}" for column in clinical))
    readable = MODELS[config.model.name].takes or ("slides", "omics")
    slides = any(member.facts["feature-width"] for member in trainers)
    vectors = clinical or any(set(member.facts["tables"]) & set(tables) for member in trainers)
    modalities = tuple(
        m for m, there in (("slides", slides), ("omics", vectors)) if there and m in readable
    )
    sites = [member.name for member in trainers]
    scaled = common_scale(inbox, sites, config, features=features, width=width)
    left = {failure.site for failure in scaled.failures}
    sites = [name for name in sites if name not in left]
    found = common_components(inbox, sites, config, scaled.scaling)
    edges, rates = _intervals(members, config)
    plan = Plan(
        modalities=modalities,
        encoder=encoder,
        feature_width=width,
        tables=tables,
        clinical=clinical,
        scaling=scaled.scaling,
        edges=edges,
        rates=rates,
        projections=found.projections,
    )
    _say(plan, dropped)
    digest = hashlib.sha256("\n".join(features).encode()).hexdigest()
    hashes = {member.name: str(member.facts["data-hash"]) for member in members}
    refused = (*scaled.failures, *found.failures)
    return Agreement(plan, dropped, scaled.clipped, digest, hashes, refused)


def _say(plan: Plan, dropped: int) -> None:
    """Log what the model reads."""
    if "slides" in plan.modalities:
        log.info("reads slides: %d features a patch from %s", plan.feature_width, plan.encoder)
    if "omics" in plan.modalities:
        log.info(
            "reads omics: %d features of tables %s; %d not shared by all sites left out",
            len(plan.scaling.names) - len(plan.clinical),
            ", ".join(plan.tables) or "none",
            dropped,
        )
    for name, one in plan.projections.items():
        log.info(
            "reads %d components of %s: %.0f%% of its variance", one.number, name, 100 * one.share
        )
    if plan.clinical:
        log.info("clinical columns appended to the omics vector: %s", ", ".join(plan.clinical))


def _member(answer: Answer) -> Member:
    return Member(
        name=answer.site,
        role=answer.facts["role"],
        patients=tuple(int(n) for n in answer.sums["patients"]),
        events=tuple(int(n) for n in answer.sums["events"]),
        missing=tuple(int(n) for n in answer.sums["missing"]),
        outcomes=answer.sums["outcome-histogram"],
        facts=dict(answer.facts),
    )


def _encoder(members: Sequence[Member]) -> tuple[str, int]:
    """Return the one encoder and feature width of all sites that have slides."""
    found = {
        (m.facts["encoder"], int(m.facts["feature-width"])): m.name
        for m in members
        if m.facts["feature-width"]
    }
    if len(found) > 1:
        seen = ", ".join(f"{name}: {e} ({w})" for (e, w), name in sorted(found.items()))
        raise FederationError(
            f"All sites must use one slide feature encoder, got {seen}. Extract features with the "
            "same encoder everywhere."
        )
    return next(iter(found), ("", 0))


def _tables(members: Sequence[Member], config: RunConfig) -> tuple[str, ...]:
    """Return the omics tables in use: those asked for, or those that all sites with omics have."""
    held = [set(m.facts["tables"]) for m in members if m.facts.get("tables")]
    common = sorted(set.intersection(*held)) if held else []
    if config.data.omics == "all":
        return tuple(common)
    asked = names(config.data.omics)
    for table in asked:
        if table not in common:
            raise ConfigError(
                f"data.omics must name tables that every site has, got '{table}'. "
                + (nearest(table, common) if common else "No table is at every site.")
            )
    return asked


def _features(members: Sequence[Member], tables: Sequence[str]) -> tuple[tuple[str, ...], int]:
    """Return the genes that all sites with a table share, and how many were left out."""
    agreed: list[str] = []
    dropped = 0
    for table in tables:
        held = [set(m.facts[f"features:{table}"]) for m in members if table in m.facts["tables"]]
        common = set.intersection(*held)
        if not common:
            raise FederationError(
                f"Sites must share genes, got none in common in table '{table}' of {len(held)} "
                "sites. Use the same gene names everywhere."
            )
        dropped += len(set.union(*held)) - len(common)
        agreed += [f"{table}:{gene}" for gene in sorted(common)]
    return tuple(agreed), dropped


def _intervals(
    members: Sequence[Member], config: RunConfig
) -> tuple[tuple[float, ...], tuple[float, ...]]:
    counts = training_counts(members, config)
    outcomes = counts.counts[1:].sum(axis=2).astype(np.float64)
    edges = counts.time_grid.edges
    intervals = choose_intervals(
        outcomes[:, 1],
        edges=edges,
        number=config.objective.intervals,
        cuts=numbers(config.objective.cuts, "objective.cuts"),
    )
    rates = baseline_hazards(intervals, events=outcomes[:, 1], censored=outcomes[:, 0], edges=edges)
    return intervals.edges, tuple(rates.tolist())


def training_counts(members: Sequence[Member], config: RunConfig) -> OutcomeCounts:
    """Return all training patients by time bin and event.

    Source: own.
    """
    grid = TimeGrid(config.evaluation.time_step, config.evaluation.time_bins)
    total = np.sum([member.outcomes for member in members], axis=0)
    return OutcomeCounts.from_array(total, time_grid=grid, risk_grid=RiskGrid(0.0, 1.0, 2))
