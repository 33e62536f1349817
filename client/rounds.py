"""What a site does with a model it receives: validate and train in a round, test at the end."""

from collections.abc import Mapping, Sequence

import numpy as np
import torch

from client import noised_sums
from client.audit import (
    NO_DONORS,
    REPLICATES,
    Terms,
    audit,
    complete,
    embedding_means,
    own_background,
)
from client.charging import account, open_ledger
from client.private_training import answer_once, request_of
from client.replies import Answer
from client.resampling import TOO_FEW, resampling
from client.task import Task
from fusion.interaction.classes import ClassScales
from fusion.interaction.scales import TimeScales, chosen_scales, time_scales
from fusion.masking import MARGINAL, needs_embeddings
from fusion.survival.bins import TimeGrid
from fusion.training.evaluation import Pooled, embed_mean_input, pool
from fusion.training.examination import examine, refer
from fusion.training.loop import train_round
from fusion.training.plan import weights
from fusion.training.risk_sets import beside, tell_risk_set
from privacy.disclosure import AUDIT, FIGURES, TRAIN_LOSS

OWN = ("concordance", "uno")
"""Figures of this site alone among what it reports of a model; the rest are sums over sites."""

NOT_LET = "its policy lets no audit out of a private run"
"""Why a site sends no audit."""

NO_BUDGET = "its ledger has not enough left for one"
"""Likewise."""

NOT_BOUNDED = "replicates are not among the sums with noise"
"""Why a site sends no replicates of a noised audit."""


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
    if task.consent.private:
        return answer_once(task, lambda: _validate(task))
    found = _validate(task)
    rows, grid = task.site.rows("train"), task.yardstick.time_grid
    rules = task.consent.disclosure
    sums = tell_risk_set(task.network, task.data, rows, grid, least=rules.minimum_cell)
    network = beside(task.network, arrays, grid)
    number = int(task.words["round"])
    done = train_round(
        network, task.data, rows, task.run, round_number=number, correction=correction
    )
    weight = len(rows)
    if task.run.federation.weighting == "events":
        weight = int(task.site.cohort.event[rows].sum())
    figures = {"num-examples": float(rules.told(weight)), "steps": float(done.steps)}
    facts = task.suppressed(TRAIN_LOSS, rows)
    figures |= {} if done.loss is None or facts else {"train-loss": done.loss}
    control = done.control if correction else None
    model = task.head.part(weights(task.network), number)
    return found.beside(Answer(facts, figures, sums, model, control))


def _validate(task: Task) -> Answer:
    """Return what validation patients say of the received model, and the audit if it is due."""
    return _examine(task, "validation", {}, _terms(task))


def _examine(task: Task, split: str, background: Mapping[str, np.ndarray], terms: Terms) -> Answer:
    """Return the figures of one split and its audit: exact, noised or over nobody, by policy."""
    known = task.site.rows(split) if task.head.known else []
    consent = task.consent
    rows, audited = consent.rows(split, known), consent.rows("audit", known)
    noised = _noised_rows(task, split)
    pooled = pool(task.network.model, task.data, noised or rows or audited)
    none = pooled.pick([])
    sums = examine(task.network, task.data, rows, task.yardstick, pooled if rows else none)
    added = task.run.privacy.secure_aggregation  # inside a sum over sites small numbers count
    told, hidden = consent.disclosure.to_facts(), task.suppressed(FIGURES, rows)
    hidden = {} if added else hidden
    if hidden:
        sums |= {name: np.array([0.0, 0.0, np.nan]) for name in OWN if name in sums}
    answer = Answer({**consent.exact(split), **told, **hidden}, sums=sums)
    if consent.noises(split) and not task.words.get("audit-only", False):
        answer = answer.beside(noised_sums.examined(task, split, noised, pooled))
    if not task.words.get("audit", False):
        return answer
    if consent.noises("audit"):
        return answer.beside(_noised_audit(task, noised, pooled, background))
    if not consent.lets("audit"):
        return answer.beside(Answer(facts={"not-audited": NOT_LET}))
    found = _audit(task, audited, pooled if audited else none, background, terms)
    return answer.beside(found).beside(Answer(facts=consent.exact("audit")))


def _noised_rows(task: Task, split: str) -> list[int]:
    """Return the patients of a split if any of its sums are noised, a lone one too."""
    wanted = task.consent.noises(split) or task.consent.noises("audit")
    return task.site.everyone(split) if wanted else []


def _noised_audit(
    task: Task, rows: Sequence[int], pooled: Pooled, shared: Mapping[str, np.ndarray]
) -> Answer:
    """Return the noised audit's part of an answer; without one it says why."""
    background = {name: torch.tensor(value) for name, value in shared.items()}
    background = background or embed_mean_input(task.network.model, task.data.plan.widths)
    found = noised_sums.audited(task, rows, pooled, background)
    if "withheld" in found.facts:
        return found.beside(Answer(facts={"not-audited": NO_BUDGET}))
    resampled = task.words.get("closing", False) and task.run.audit.bootstrap
    return found.beside(Answer(facts={"not-resampled": NOT_BOUNDED} if resampled else {}))


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
    return _accounted(task, _examine(task, task.words["split"], background, _terms(task)))


def _terms(task: Task) -> Terms:
    """Return the terms of an audit: the closing one alone reads time and is resampled."""
    clip = task.run.audit.clip
    if not task.words.get("closing", False):
        return Terms(clip=clip)
    scales: TimeScales | ClassScales = ClassScales(chosen_scales(task.run))
    if not task.network.model.classes:
        objective, baseline = task.network.survival, task.yardstick.baseline
        scales = time_scales(chosen_scales(task.run), objective, baseline)
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
    audited = [rows[place] for place in complete(pooled.present)]
    lacking = terms.resampling is not None and REPLICATES not in sums
    return Answer(
        {**({"not-resampled": TOO_FEW} if lacking else {}), **task.suppressed(AUDIT, audited)},
        figures={"donors": float(task.consent.disclosure.told(number))} if marginal else {},
        sums=sums,
    )


def reference(task: Task) -> Answer:
    """Return what the baseline hazard and the risk bins are made from.

    With `embedding-mean` also what the audit's background is made from; else no embedding leaves.

    Privacy: sums over training patients leave.

    Source: own.
    """
    task.head.require()
    consent, model = task.consent, task.network.model
    noised = task.site.everyone("train") if consent.private else []
    rows = consent.rows("reference", task.site.rows("train"))
    grid = TimeGrid(task.run.evaluation.time_step, task.run.evaluation.time_bins)
    pooled = pool(model, task.data, rows or noised)
    known = pooled if rows else pooled.pick([])
    sums = refer(task.network, task.data, rows, grid, known)
    wanted = needs_embeddings(task.run.audit, model.modalities)
    if wanted:
        sums["embedding-means"] = embedding_means(model, task.data, rows, known).to_array()
    answer = Answer(facts=consent.exact("reference"), sums=sums)
    if consent.noises("reference") and not task.words.get("audit-only", False):
        answer = answer.beside(noised_sums.referred(task, noised, pooled))
    if consent.noises("background") and wanted:
        answer = answer.beside(noised_sums.background(task, pooled))
    return _accounted(task, answer)


def _accounted(task: Task, answer: Answer) -> Answer:
    """Return an answer outside of rounds with the site's account, if it holds noised sums."""
    if "noised-releases" not in answer.facts:
        return answer
    ledger = open_ledger(task.settings, task.consent)
    return answer.beside(account(request_of(task, ""), ledger))
