"""A federation as a plain loop: the engine's work on patients, without apps, messages and files."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeAlias

import numpy as np
import torch
from flwr.app import RecordDict

from client.audit import Terms, audit, embedding_means, own_background
from client.components import multiply
from client.describe import describe, scale
from client.replies import Answer as SiteAnswer
from client.resampling import simulated
from client.settings import Settings, site_folders
from client.site import Site, forget_sites, open_patients, open_site
from fusion.class_settings import CLASSIFICATION
from fusion.config import RunConfig
from fusion.errors import ConfigError
from fusion.interaction.background import EmbeddingSums, zero_background
from fusion.interaction.scales import chosen_scales, time_scales
from fusion.masking import INPUT_MEAN, ZERO, needs_embeddings
from fusion.survival.baseline import BaselineSums, breslow
from fusion.survival.bins import RiskGrid, TimeGrid
from fusion.survival.moments import MomentSums
from fusion.training.data import PatientData
from fusion.training.evaluation import embed_mean_input, pool
from fusion.training.examination import Yardstick, examine, refer
from fusion.training.loop import train_round
from fusion.training.plan import Network, build_network, load_weights, weights
from fusion.training.risk_sets import beside, tell_risk_set
from server import opening
from server.aggregation import typed
from server.inbox import Answer, Check, Failure, Inbox
from server.risk_sets import collected, others_of
from server.scores import Score, add_up_survival

Arrays: TypeAlias = Mapping[str, np.ndarray]
Sums: TypeAlias = dict[str, np.ndarray]
Tokens: TypeAlias = Mapping[str, torch.Tensor]

AVERAGING = ("fedavg", "fedprox")
"""Strategies whose coordinator takes the weighted mean."""


@dataclass(frozen=True, eq=False)
class PlainRun:
    """What a plain loop ends with.

    Attributes:
        final: Weights after the last round.
        best: Weights of the round chosen on validation.
        best_round: That round.
        test: The chosen model's figures on all sites' test patients.

    Source: own.
    """

    final: Arrays
    best: Arrays
    best_round: int
    test: Score


def run_plain(config: RunConfig) -> PlainRun:
    """Do what `run_inline` does to the patients: opening, local steps, validations, audits.

    The measure of what the inline engine costs: no ClientApp, ServerApp, message, copy,
    checkpoint, result or report. Its weights are the engine's, bit for bit.

    Args:
        config: A run's settings; `federation.strategy` must be fedavg or fedprox, and
            `federation.personal` none.

    Returns:
        Weights and test figures.

    Raises:
        ConfigError: The strategy is another, or sites have heads of their own.
        ConcordError: The sites cannot train together.

    Privacy: reads patient data of all sites on one machine.

    Source: own; averaging: McMahan et al., AISTATS 2017.
    """
    if config.federation.strategy not in AVERAGING:
        raise ConfigError(
            f"federation.strategy must be one of {', '.join(AVERAGING)} in a plain loop, got "
            f"'{config.federation.strategy}'. Choose one of them."
        )
    if config.federation.personal != "none":
        raise ConfigError(
            f"federation.personal must be none in a plain loop, got '{config.federation.personal}'."
            " Run the engine."
        )
    if config.objective.name == CLASSIFICATION:
        raise ConfigError(
            f"objective.name must be one of survival in a plain loop, got '{CLASSIFICATION}'. Run "
            "the engine."
        )
    torch.set_num_threads(config.threads)
    folders = site_folders(Path(config.sites))
    try:
        return _Loop(config, [Settings(folder, config, 0) for folder in folders]).run()
    finally:
        forget_sites()


class _Desk(Inbox):
    """Asks the sites' functions directly what the coordinator wants to know at the opening."""

    def __init__(self, settings: Sequence[Settings]) -> None:
        self._sites = {open_site(one).cohort.name: one for one in settings}
        self.released, self.noised = {}, {}

    def meet(
        self,
        hoped: int = 0,  # noqa: ARG002 -- all are there
        run: str = "",
    ) -> tuple[list[Answer], list[Failure]]:
        """Return every site's description."""
        return [_told(name, describe(self._sites[name], run)) for name in sorted(self._sites)], []

    def ask(
        self,
        kind: str,
        content: RecordDict,
        sites: Sequence[str],
        check: Check,  # noqa: ARG002 -- our own functions answer
    ) -> tuple[list[Answer], list[Failure]]:
        """Return the sums of some sites behind common scaling or components."""
        words = dict(content.config_records["request"])
        answer = {"query.scaling": scale, "query.components": multiply}[kind]
        return [_told(name, answer(self._sites[name], words)) for name in sorted(sites)], []


@dataclass(frozen=True, eq=False)
class _Member:
    name: str
    site: Site
    data: PatientData
    trains: bool


class _Loop:
    """One run; `run` is the story."""

    def __init__(self, config: RunConfig, settings: Sequence[Settings]) -> None:
        self.config = config
        desk = _Desk(settings)
        self.described, _ = opening.describe(desk)
        self.plan = opening.agree(desk, self.described, config).plan
        self.network: Network = build_network(self.plan, config)
        by_name = {open_site(one).cohort.name: one for one in settings}
        self.members = [self._member(one, by_name[one.name]) for one in self.described]
        self.trainers = [member for member in self.members if member.trains]
        self.yardstick = self._grids(0.0, 1.0)
        self.best: tuple[float | None, int, Arrays] = (None, 0, {})
        self.risk_sets: Arrays = {}

    def run(self) -> PlainRun:
        """Train, choose on validation, test."""
        model: Arrays = weights(self.network)
        for number in range(1, self.config.rounds + 1):
            turns = [self._turn(member, model, number) for member in self.trainers]
            self.risk_sets = collected([answer for answer, _ in turns])
            self._judge(model, number - 1, [answer for answer, _ in turns])
            model = _mean(model, turns)
        last = [self._examined(member, model, "validation") for member in self.trainers]
        self._judge(model, self.config.rounds, last)
        _, number, best = self.best
        number, best = (number, best) if number else (self.config.rounds, model)
        return PlainRun(model, best, number, self._test(best))

    def _turn(self, member: _Member, received: Arrays, number: int) -> tuple[Answer, float]:
        """Validate the received model, audit it if due, train it."""
        every = self.config.audit.every
        due = bool(every) and number > 1 and (number - 1) % every == 0
        answer = self._examined(member, received, "validation", {} if due else None)
        rows, grid = member.site.rows("train"), self.yardstick.time_grid
        told = tell_risk_set(self.network, member.data, rows, grid)
        network = beside(self.network, others_of(member.name, self.risk_sets, grid), grid)
        train_round(network, member.data, rows, self.config, round_number=number)
        weight = float(len(rows))
        if self.config.federation.weighting == "events":
            weight = float(member.site.cohort.event[rows].sum())
        model, sums = weights(self.network), {**answer.sums, **told}
        return replace(answer, model=model, sums=sums), weight

    def _examined(
        self, member: _Member, model: Arrays, split: str, background: Tokens | None = None
    ) -> Answer:
        """Examine a model and, with a background, audit it; an empty one = the site makes it."""
        load_weights(self._at(member), dict(model))
        data, rows, network = member.data, member.site.rows(split), self.network
        pooled = pool(network.model, data, rows)
        sums = examine(network, data, rows, self.yardstick, pooled)
        if background is not None and len(self.plan.modalities) > 1:
            training = member.site.rows("train")
            held = background or own_background(self.config, network.model, data, training)
            if held:
                terms = self._terms(member.name, split)
                audit(network.model, data, rows, held, pooled=pooled, terms=terms)
        return Answer(member.name, {}, {}, sums, {})

    def _terms(self, site: str, split: str) -> Terms:
        """Return what an audit tells: at the end scales and bootstrap too."""
        clip = self.config.audit.clip
        if split != "test":
            return Terms(clip=clip)
        chosen = chosen_scales(self.config)
        scales = time_scales(chosen, self.network.survival, self.yardstick.baseline)
        return Terms(scales, clip, simulated(self.config, site))

    def _at(self, member: _Member) -> Network:
        """Return the network, moved to where the member computes."""
        return self.network.to(member.data.device)

    def _judge(self, model: Arrays, number: int, answers: Sequence[Answer]) -> None:
        """Remember the best model on validation; the next risk bins follow this one."""
        score = add_up_survival(answers, self.yardstick)
        if score.patients == 0:
            return
        self.yardstick = self._grids(score.moments.centre, score.moments.scale)
        merit = score.counts.concordance().estimate.value
        if self.config.evaluation.selection == "loss":
            merit = None if score.loss is None else -score.loss
        known = self.best[0]
        if number and merit is not None and (known is None or merit > known):
            self.best = (merit, number, model)

    def _test(self, best: Arrays) -> Score:
        """Take baseline and background from training patients, then meet the test patients."""
        load_weights(self.network, dict(best))
        grid, model = self.yardstick.time_grid, self.network.model
        rows = [member.site.rows("train") for member in self.trainers]
        pairs = list(zip(self.trainers, rows, strict=True))
        sums, means = [], []
        for member, own in pairs:
            pooled = pool(self._at(member).model, member.data, own)
            sums.append(refer(self.network, member.data, own, grid, pooled))
            if needs_embeddings(self.config.audit, model.modalities):
                means.append(embedding_means(model, member.data, own, pooled))
        self.yardstick = self._reference(sums)
        background = self._background(means)
        answers = [self._examined(member, best, "test", background) for member in self.members]
        return add_up_survival(answers, self.yardstick)

    def _background(self, means: Sequence[EmbeddingSums]) -> Tokens:
        """Return the shared background; nothing where each site has its own, or for no audit."""
        kind, model = self.config.audit.background, self.network.model
        if kind == INPUT_MEAN:
            return embed_mean_input(model, self.plan.widths)
        if kind == ZERO:
            return zero_background(model.shapes)
        return sum(means[1:], start=means[0]).mean() if means else {}

    def _reference(self, sums: Sequence[Sums]) -> Yardstick:
        moments = [MomentSums.from_array(one["risk-moments"]) for one in sums]
        total = sum(moments[1:], start=moments[0])
        plain = self._grids(total.centre, total.scale)
        hazards = [BaselineSums.from_array(one["baseline"]) for one in sums]
        baseline = breslow(sum(hazards[1:], start=hazards[0]), plain.time_grid)
        counts = opening.training_counts(self.described, self.config)
        censoring = counts.censoring_curve("training patients")
        tau = min(censoring.until(), float(plain.time_grid.edges[-2]))
        return replace(plain, censoring=censoring, tau=tau, baseline=baseline)

    def _grids(self, centre: float, scale_: float) -> Yardstick:
        settings = self.config.evaluation
        grid = TimeGrid(settings.time_step, settings.time_bins)
        return Yardstick(grid, RiskGrid(centre, scale_, settings.risk_bins))

    def _member(self, described: opening.Member, settings: Settings) -> _Member:
        data = open_patients(settings, self.plan.to_text())
        return _Member(described.name, open_site(settings), data, described.trains)


def _mean(current: Arrays, turns: Sequence[tuple[Answer, float]]) -> Arrays:
    """Return the mean of the updates, weighted; `current` if no update has weight."""
    total = sum(weight for _, weight in turns)
    if not total:
        return current
    found: dict[str, np.ndarray] = {}
    for answer, weight in ((answer, weight) for answer, weight in turns if weight > 0):
        for name, value in answer.model.items():
            part = value * (weight / total)
            found[name] = found[name] + part if name in found else part
    return {name: typed(found[name], value.dtype) for name, value in current.items()}


def _told(name: str, answer: SiteAnswer) -> Answer:
    return Answer(name, dict(answer.facts), {}, dict(answer.sums), {})
