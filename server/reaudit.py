"""A finished model audited once more: opening for the sites, then the closing audit, no training.

The model's file holds what a run agrees on before it trains: plan, scaling, settings, and a
fingerprint of each site, so nothing of that is exchanged again.
"""

import hashlib
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from secrets import token_hex
from typing import Any

import numpy as np
from flwr.serverapp import Grid

from fusion.config import RunConfig
from fusion.errors import FederationError
from fusion.interaction.background import EmbeddingSums
from fusion.masking import EMBEDDING_MEAN
from fusion.models.build import MODELS
from fusion.training.finished import FinishedModel, read_finished
from server.alerts import find_alerts
from server.audits import Audit, collect
from server.budgets import tell_reaudit
from server.closing import network_of, shared_background
from server.counts import counts_of
from server.fitting import check_settings, objection
from server.inbox import Answer, Failure, request
from server.members import Member, read_members
from server.opening import take_census
from server.outgoing import Outgoing
from server.result import SCHEMA_VERSION, told, versions
from server.rounds import Company
from server.scores import readable
from server.secure_sums import open_inbox


@dataclass(frozen=True, eq=False)
class Revisit:
    """A finished model before the sites that can audit it.

    Attributes:
        company: The sites that take part.
        finished: The model.
        absent: The other sites, and why.
        run: By which the sites' ledgers know the audit of a private run's model.

    Source: own.
    """

    company: Company
    finished: FinishedModel
    absent: Sequence[Failure]
    run: str = ""

    @property
    def words(self) -> dict[str, Any]:
        """What every request tells of the model; it has a run's name only in the sites' ledgers."""
        plain = replace(self.company.yardstick(0.0, 1.0), baseline=self.finished.baseline)
        about = {
            "run": self.run,
            "audit_only": True,
            "model_round": self.finished.round,
            "plan": self.company.plan_text,
        }
        return plain.to_words() | about


def reaudit(grid: Grid, config: RunConfig) -> dict[str, Any]:
    """Audit the finished model `audit.model-file` at the connected sites and return the audit.

    Args:
        grid: Flower's way to the sites.
        config: The settings; of the model's run, but for the audit.

    Returns:
        The audit, as `$defs/reaudit` of result.schema.json describes it.

    Raises:
        ModelFileError: The file is not a finished model.
        ConfigError: A setting is not the model's.
        FederationError: No site can audit it.

    Source: own.
    """
    started, path = time.monotonic(), Path(config.audit.model_file)
    finished = read_finished(path)
    check_settings(config, finished.run)
    _check_auditable(finished)
    visit = _open(grid, config, finished)
    answers, failures = _ask(visit)
    audit = collect(answers, finished.plan.modalities, config.audit.bootstrap)
    visit = replace(visit, absent=[*visit.absent, *failures])
    if not audit.tallies:
        raise _nobody(visit.absent, audit)
    return _document(visit, audit, seconds=time.monotonic() - started)


def _check_auditable(finished: FinishedModel) -> None:
    modalities = finished.plan.modalities
    if len(modalities) < 2:
        raise FederationError(
            f"An audit must have a model of two or more modalities, got {', '.join(modalities)}. "
            "Audit another model."
        )
    if not finished.data:
        raise FederationError(
            "A model to be audited again must tell which data it was trained with, got a file "
            "without. Train it with this version."
        )


def _open(grid: Grid, config: RunConfig, finished: FinishedModel) -> Revisit:
    """Meet the sites and leave out those whose data do not fit the model."""
    inbox = open_inbox(grid, config)
    run = token_hex(16) if config.privacy.private else ""
    answers, failures = inbox.meet(run=run)
    members, refused = read_members(answers)
    found = [(member, objection(member, finished)) for member in members]
    absent = [*failures, *refused, *(Failure(member.name, why) for member, why in found if why)]
    fitting = [member for member, why in found if not why]
    if not fitting:
        raise _nobody(absent)
    company = Company(inbox, fitting, finished.plan, config, take_census(inbox, fitting))
    return Revisit(company, finished, absent, run)


def _ask(visit: Revisit) -> tuple[list[Answer], list[Failure]]:
    """Return the sites' audits of the model, and who sent none."""
    company, finished = visit.company, visit.finished
    background = _background(visit)
    settings, modalities = company.config.audit, company.plan.modalities
    words = visit.words | {"split": settings.split, "audit": True, "closing": True}
    content = request(words, model=finished.arrays, arrays=background or None)
    check = readable(company.yardstick(0.0, 1.0), modalities, settings.bootstrap)
    return company.inbox.ask("evaluate", content, company.everyone, check)


def _background(visit: Revisit) -> Mapping[str, np.ndarray]:
    """Return what stands for a hidden modality: out of the model's file if it is there."""
    company, finished = visit.company, visit.finished
    network = network_of(company, finished.arrays)
    if company.config.audit.background != EMBEDDING_MEAN:
        return shared_background(company, network, [])
    if finished.background:
        return finished.background

    def check(answer: Answer) -> None:
        EmbeddingSums.from_array(answer.sums["embedding-means"], network.model.shapes)

    trained = [name for name in company.trainers if name in finished.data]
    content = request(visit.words, model=finished.arrays)
    answers, failures = company.inbox.ask("query.reference", content, trained, check)
    if not answers:
        raise FederationError(
            f"The mean embedding must come from a site that trained, got none of {len(failures)}. "
            "Audit with audit.background=zero or input-mean."
        )
    return shared_background(company, network, answers)


def _nobody(absent: Sequence[Failure], audit: Audit | None = None) -> FederationError:
    """Return the error that no site could audit, with each one's reason."""
    reasons = {failure.site: failure.reason for failure in absent}
    reasons |= dict(audit.refused) if audit else {}
    told = "; ".join(f"{site}: {why}" for site, why in sorted(reasons.items()))
    return FederationError(
        f"At least one site must be able to audit the model, got none ({told or 'no site'}). "
        "Mend what the sites report and start anew."
    )


def _document(visit: Revisit, audit: Audit, *, seconds: float) -> dict[str, Any]:
    config, finished = visit.company.config, visit.finished
    found = audit.document(config, split=config.audit.split, number=finished.round)
    flat = told(config)
    return {
        "schema_version": SCHEMA_VERSION,
        "timings": {
            "created": datetime.now(UTC).isoformat(timespec="seconds"),
            "total_seconds": seconds,
        },
        "config": flat,
        "versions": versions(),
        "model": _model(visit),
        "sites": [_site(member, visit) for member in visit.company.members],
        "audit": found,
        "alerts": find_alerts([], found, config.alerts),
        "privacy": tell_reaudit(Outgoing.of(visit.company.inbox, {}, {}), config),
        "not_measured": [
            *audit.not_measured(),
            *(f"Site {failure.site}: {failure.reason}." for failure in visit.absent),
        ],
    }


def _model(visit: Revisit) -> dict[str, Any]:
    finished, path = visit.finished, Path(visit.company.config.audit.model_file)
    entry = MODELS[finished.run.model.name]
    return {
        "name": finished.run.model.name,
        "title": entry.title,
        "paper": entry.paper,
        "modalities": list(finished.plan.modalities),
        "objective": finished.run.objective.name,
        "round": finished.round,
        "file": path.name,
        "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
        "trained_at": sorted(finished.data),
    }


def _site(member: Member, visit: Revisit) -> dict[str, Any]:
    return {
        "name": member.name,
        "role": member.role,
        "in_run": member.name in visit.finished.data,
        **counts_of(member, visit.company.config.data),
        "data_hash": member.facts["data-hash"],
        "disclosure": member.disclosure,
    }
