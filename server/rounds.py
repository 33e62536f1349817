"""One round: send the model, take validation and update in one answer, join the updates."""

import logging
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from flwr.app import RecordDict

from fusion.config import RunConfig
from fusion.interaction.figures import PRIMARY
from fusion.masking import INPUT_MEAN, MARGINAL
from fusion.survival.bins import RiskGrid, TimeGrid
from fusion.training.examination import Yardstick
from fusion.training.plan import Plan, build_network
from server.advice import advise
from server.aggregation import Aggregator, sift
from server.attendance import events
from server.audits import collect
from server.budgets import say_budget, told_budgets, with_budget
from server.inbox import Answer, Failure, Inbox, request, to_record
from server.members import Census, Member
from server.progress import Progress
from server.risk_sets import collected, handed_out, with_risk_sets
from server.scores import Scored, add_up, readable
from server.turnout import Call, Turnout, gather

log = logging.getLogger("concord.server")


@dataclass(frozen=True, eq=False)
class Company:
    """Who works together on what: everything that stays the same over the rounds.

    Attributes:
        inbox: The way to the sites.
        members: The sites.
        plan: What they agreed on.
        config: The run's settings.
        census: Of all sites together.
        gone: Sites of the run that were not there when it was resumed.

    Source: own.
    """

    inbox: Inbox
    members: Sequence[Member]
    plan: Plan
    config: RunConfig
    census: Census
    gone: Sequence[Failure] = ()

    @cached_property
    def plan_text(self) -> str:
        """The plan as it travels."""
        return self.plan.to_text()

    @cached_property
    def parameters(self) -> frozenset[str]:
        """Names of the arrays that training steps on; the others are running means and counters."""
        network = build_network(self.plan, self.config)
        return frozenset(name for name, _ in network.named_parameters())

    @property
    def weights(self) -> dict[str, float]:
        """Each training site's weight in an average: its training patients or events."""
        by_events = self.config.federation.weighting == "events"
        return {
            member.name: float((member.events if by_events else member.patients)[0])
            for member in self.members
            if member.trains and member.patients
        }

    @property
    def trainers(self) -> list[str]:
        """Names of the sites that train."""
        return [member.name for member in self.members if member.trains]

    @property
    def everyone(self) -> list[str]:
        """Names of all sites."""
        return [member.name for member in self.members]

    def yardstick(self, centre: float, scale: float) -> Yardstick:
        """Return shared grids with risk bins around `centre`."""
        evaluation = self.config.evaluation
        return Yardstick(
            TimeGrid(evaluation.time_step, evaluation.time_bins),
            RiskGrid(centre, scale, evaluation.risk_bins),
            classes=self.plan.classes,
        )


def one_round(company: Company, progress: Progress, aggregator: Aggregator) -> Progress:
    """Return the progress after one more round, the received model's validation included."""
    started, number = time.monotonic(), progress.round + 1
    yardstick = company.yardstick(progress.centre, progress.scale)
    corrections = aggregator.corrections(progress.model)
    requests = _requests(company, progress, yardstick, corrections)
    check = readable(yardstick, company.plan.modalities)
    check = with_risk_sets(check, company.config.objective.name, yardstick.time_grid)
    check = with_budget(check, company.config)
    call = Call(number, requests, check, lambda came: sift(progress.model, came, corrections))
    attempts = company.config.federation.attempts
    turnout = gather(company.inbox, aggregator, call, attempts=attempts)
    answers, usable = turnout.answers, turnout.usable
    progress = validated(company, progress, add_up(answers, yardstick), answers)
    accepted = aggregator.enough(usable)
    model = aggregator.join(number, progress.model, usable) if accepted else progress.model
    record = _record(number, turnout, company.gone, accepted=accepted)
    if budgets := told_budgets(answers):  # of an update that is refused too: it has left its site
        record["privacy"] = budgets
    progress = replace(
        progress,
        round=number,
        model=model,
        moments=aggregator.moments,
        risk_sets=collected(usable) or progress.risk_sets,
        records=(*progress.records, record),
        seconds=(*progress.seconds, time.monotonic() - started),
    )
    _say(progress, company)
    return progress


def _requests(
    company: Company,
    progress: Progress,
    yardstick: Yardstick,
    corrections: Mapping[str, Mapping[str, np.ndarray]],
) -> dict[str, RecordDict]:
    """Return what each site is sent: the model, and what strategy or objective has for it alone."""
    words = yardstick.to_words() | progress.asked()
    words |= {
        "plan": company.plan_text,
        "round": progress.round + 1,
        "audit": _audit_is_due(company, progress),
    }
    content = request(words, model=progress.model)
    grid = yardstick.time_grid
    requests = handed_out(content, company.trainers, progress.risk_sets, grid)
    for site, correction in corrections.items():
        requests[site]["correction"] = to_record(correction)
    return requests


def last_validation(company: Company, progress: Progress) -> Progress:
    """Return the progress with the last round's model validated, audited if due, a round chosen.

    Without validation figures the last round is chosen.
    """
    yardstick = company.yardstick(progress.centre, progress.scale)
    words = yardstick.to_words() | progress.asked()
    due = _audit_is_due(company, progress)
    words |= {"plan": company.plan_text, "split": "validation", "audit": due}
    content = request(words, model=progress.model)
    check = readable(yardstick, company.plan.modalities)
    answers, _ = company.inbox.ask("evaluate", content, company.trainers, check)
    progress = validated(company, progress, add_up(answers, yardstick), answers)
    log.info("%s", _examined(progress.records[-1]))
    if progress.best_round:
        return progress
    return replace(progress, best=progress.model, best_round=progress.round)


def validated(
    company: Company, progress: Progress, score: Scored, answers: Sequence[Answer]
) -> Progress:
    """Put the validation figures of the current model into its record; remember the best model.

    The risk bins of the next exchange follow this model's validation risks.
    """
    if score.patients == 0:
        return progress
    progress = progress.with_last_record(
        **score.record(),
        loss={**progress.records[-1]["loss"], "validation": score.loss},
        audit=_audit(answers, company),
    )
    centre, scale = score.grid
    progress = replace(progress, centre=centre, scale=scale)
    by_loss = company.config.evaluation.selection == "loss"
    merit = (None if score.loss is None else -score.loss) if by_loss else score.ranking.value
    better = merit is not None and (progress.best_score is None or merit > progress.best_score)
    if progress.round == 0 or not better:
        return progress
    return replace(progress, best=progress.model, best_round=progress.round, best_score=merit)


def first_record() -> dict[str, Any]:
    """Return the record of the initial model.

    Source: own.
    """
    return _record(0, Turnout((), (), (), 0), (), accepted=True)


def _audit_is_due(company: Company, progress: Progress) -> bool:
    every = company.config.audit.every
    due = every > 0 and progress.round > 0 and progress.round % every == 0
    return due and len(company.plan.modalities) > 1


def _record(
    number: int, turnout: Turnout, gone: Sequence[Failure], *, accepted: bool
) -> dict[str, Any]:
    """Return what the result tells of a round; its model's validation comes with the next one."""
    usable, failed = turnout.usable, [*turnout.failures, *gone]
    weights = [answer.figures["num-examples"] for answer in usable]
    losses = [answer.figures.get("train-loss") for answer in usable]
    pairs = [(w, x) for w, x in zip(weights, losses, strict=True) if x is not None]
    total = sum(weight for weight, _ in pairs)
    mean = sum(w * x for w, x in pairs) / total if total else None
    return {
        "round": number,
        "answered": [part.site for answer in usable for part in answer.parts],
        "failed": [{"site": one.site, "reason": one.reason} for one in failed],
        "accepted": accepted,
        "attempts": turnout.attempts,
        "loss": {"train": mean, "validation": None},
        "steps": max((int(answer.figures["steps"]) for answer in usable), default=0),
        "concordance": {"value": None, "low": None, "high": None},
        "sites": [],
        "audit": None,
    }


def _audit(answers: Sequence[Answer], company: Company) -> dict[str, Any] | None:
    """Return the round's audit on validation patients, if it was due and a site could.

    The mean embedding needs an exchange of its own, so a round takes the mean input instead.
    """
    found, settings = collect(answers, company.plan.modalities), company.config.audit
    if not found.tallies:
        return None
    background = MARGINAL if settings.background == MARGINAL else INPUT_MEAN
    head = {"split": "validation", "background": background}
    notes = found.notes(background, settings.donors)
    return head | found.figures() | notes | {"sites": found.traced()}


def _say(progress: Progress, company: Company) -> None:
    """Log a line a person can follow: round, elapsed, who answered, how the model before ranks."""
    done = progress.records[-1]
    for event in events(progress.records):
        if event["round"] == done["round"]:
            log.warning("%s", event["sentence"])
    log.info(
        "round %d/%d  %.1f s  answered %d/%d  %s%s",
        done["round"],
        company.config.rounds,
        sum(progress.seconds),
        len(done["answered"]),
        len(company.trainers),
        _examined(progress.records[-2]),
        say_budget(done.get("privacy", ())),
    )
    _warn(done, company.config)


def _warn(record: Mapping[str, Any], config: RunConfig) -> None:
    """Log, after the first round, what a private run should have been instead."""
    if record["round"] == 1:
        for advice in advise(record.get("privacy", ()), config, epsilon="max_epsilon"):
            log.warning("%s", advice)


def _examined(record: Mapping[str, Any]) -> str:
    """Return what validation, and the audit if it was due, said of one round's model."""
    sites = " ".join(
        f"{s['name']} {s['concordance']:.2f}" if s["concordance"] is not None else f"{s['name']} -"
        for s in record["sites"]
    )
    value = record["concordance"]["value"]
    told = f"validation of round {record['round']}: {'-' if value is None else f'{value:.3f}'}"
    nobody = "no validation patients" if value is None else "sites added up"
    return f"{told}{_interaction(record['audit'])}  [{sites or nobody}]"


def _interaction(audit: Mapping[str, Any] | None) -> str:
    if audit is None:
        return ""
    share = audit["shares"][PRIMARY]
    if share["value"] is None:
        return "  interaction -"
    ends = [share[key] for key in ("low", "high")]
    told = f" ({100 * ends[0]:.1f}-{100 * ends[1]:.1f} %)" if None not in ends else ""
    return f"  interaction {100 * share['value']:.1f} %{told}"
