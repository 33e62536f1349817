"""What a site does with a model it receives: validate and train in a round, test at the end."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch

from client.audit import (
    NO_DONORS,
    REPLICATES,
    Terms,
    audit,
    embedding_means,
    own_background,
)
from client.heads import OwnHead
from client.replies import Answer
from client.resampling import TOO_FEW, resampling
from client.settings import Settings
from client.site import Site, open_network, open_patients, open_site
from fusion.interaction.scales import chosen_scales, time_scales
from fusion.masking import MARGINAL, needs_embeddings
from fusion.survival.bins import TimeGrid
from fusion.training.data import PatientData
from fusion.training.evaluation import Pooled, pool
from fusion.training.examination import Yardstick, examine, refer
from fusion.training.loop import train_round
from fusion.training.plan import SurvivalNetwork, load_weights, weights
from fusion.training.risk_sets import beside, tell_risk_set


class Task:
    """One request made ready: the site's patients, and the received model.

    Args:
        settings: Of this message.
        words: The request's scalars and lists.
        model: The received weights.

    Source: own.
    """

    def __init__(
        self, settings: Settings, words: Mapping[str, Any], model: Mapping[str, np.ndarray]
    ) -> None:
        self.settings, self.run, self.words = settings, settings.run, words
        self.site: Site = open_site(settings)
        self.data: PatientData = open_patients(settings, words["plan"])
        self.network: SurvivalNetwork = open_network(settings.run, words["plan"], self.site.device)
        self.head = OwnHead(settings, words, self.network, model)
        self.shared = model
        load_weights(self.network, {**self.head.arrays, **model})

    @property
    def yardstick(self) -> Yardstick:
        """What all sites measure with."""
        return Yardstick.from_words(dict(self.words), self.run.evaluation)


def train(
    task: Task, arrays: Mapping[str, np.ndarray], correction: Mapping[str, np.ndarray]
) -> Answer:
    """Validate the received model, audit it if that is due, then train it.

    Args:
        task: The request made ready.
        arrays: The other sites' part of the risk sets, if the objective shares them.
        correction: SCAFFOLD's, by name of parameter; empty for other strategies.

    Privacy: weights, sums over patients and the site's own figures leave; with SCAFFOLD the mean
        gradient too.

    Source: own.
    """
    rows = task.site.rows("train")
    validation = task.site.rows("validation") if task.head.known else []
    pooled = pool(task.network.model, task.data, validation)
    sums = examine(task.network, task.data, validation, task.yardstick, pooled)
    found = _audit(task, validation, pooled, {}, _terms(task)) if task.words["audit"] else Answer()
    sums |= found.sums
    grid = task.yardstick.time_grid
    sums |= tell_risk_set(task.network, task.data, rows, grid)
    network = beside(task.network, arrays, grid)
    number = int(task.words["round"])
    done = train_round(
        network, task.data, rows, task.run, round_number=number, correction=correction
    )
    weight = len(rows)
    if task.run.federation.weighting == "events":
        weight = int(task.site.cohort.event[rows].sum())
    figures = {"num-examples": float(weight), "steps": float(done.steps), "train-loss": done.loss}
    figures |= found.figures
    control = done.control if correction else None
    model = task.head.part(weights(task.network), number)
    return Answer(facts=found.facts, figures=figures, sums=sums, model=model, control=control)


def evaluate(task: Task, background: Mapping[str, np.ndarray]) -> Answer:
    """Examine the received model on one split; audit it on the same reading if that is asked.

    Args:
        task: The request made ready.
        background: What stands for a hidden modality at every site; empty = the site makes its
            own, if an audit is asked for.

    Privacy: sums over patients and the site's own figures leave.

    Source: own.
    """
    task.head.require()
    if task.words["split"] == "test":
        task.head.keep_for(task.shared)
    rows = task.site.rows(task.words["split"])
    pooled = pool(task.network.model, task.data, rows)
    sums = examine(task.network, task.data, rows, task.yardstick, pooled)
    if not task.words.get("audit", False):
        return Answer(sums=sums)
    found = _audit(task, rows, pooled, background, _terms(task))
    return replace(found, sums=sums | dict(found.sums))


def _terms(task: Task) -> Terms:
    """Return the terms of an audit: the closing one alone reads time and is resampled."""
    clip = task.run.audit.clip
    if not task.words.get("closing", False):
        return Terms(clip=clip)
    scales = time_scales(chosen_scales(task.run), task.network.objective, task.yardstick.baseline)
    return Terms(scales, clip, resampling(task.settings, task.site.cohort.name))


def _audit(
    task: Task,
    rows: Sequence[int],
    pooled: Pooled,
    shared: Mapping[str, np.ndarray],
    terms: Terms,
) -> Answer:
    """Return the audit's part of an answer, or why there is none."""
    model, training = task.network.model, task.site.rows("train")
    background = {name: torch.tensor(value) for name, value in shared.items()}
    background = background or own_background(task.run, model, task.data, training)
    if not background:
        return Answer(facts={"not-audited": NO_DONORS})
    marginal = task.run.audit.background == MARGINAL
    number = len(next(iter(background.values()))) if marginal else 0
    sums = audit(model, task.data, rows, background, pooled=pooled, terms=terms)
    lacking = terms.resampling is not None and REPLICATES not in sums
    return Answer(
        facts={"not-resampled": TOO_FEW} if lacking else {},
        figures={"donors": float(number)} if marginal else {},
        sums=sums,
    )


def reference(task: Task) -> Answer:
    """Return what the baseline hazard and the risk bins are made from.

    With `embedding-mean` also what the audit's background is made from; else no embedding leaves.

    Privacy: sums over training patients leave.

    Source: own.
    """
    task.head.require()
    rows = task.site.rows("train")
    grid = TimeGrid(task.run.evaluation.time_step, task.run.evaluation.time_bins)
    pooled = pool(task.network.model, task.data, rows)
    sums = refer(task.network, task.data, rows, grid, pooled)
    model = task.network.model
    if needs_embeddings(task.run.audit, model.modalities):
        sums["embedding-means"] = embedding_means(model, task.data, rows, pooled).to_array()
    return Answer(sums=sums)
