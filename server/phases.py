"""A run from its first question to its last figure: opening, rounds, closing."""

import logging
import time
from dataclasses import dataclass, replace
from pathlib import Path
from secrets import token_hex
from typing import Any

from flwr.serverapp import Grid

from fusion.class_settings import CLASSIFICATION
from fusion.config import RunConfig
from fusion.errors import FederationError
from fusion.objectives.build import OBJECTIVES
from fusion.training.heads import head_names, without_head
from fusion.training.plan import build_network, weights
from privacy.compatibility import check_loss
from server.aggregation import Aggregator, check_strategy
from server.closing import refer, test
from server.inbox import Failure, Inbox
from server.members import Census, Member
from server.opening import Agreement, agree, describe, take_census
from server.progress import Progress, check_unchanged, load_progress
from server.result import Story, tell
from server.rounds import Company, first_record, last_validation, one_round
from server.secure_sums import open_inbox

log = logging.getLogger("concord.server")

NOT_THERE = "not there when the run was resumed"


def conduct(grid: Grid, config: RunConfig) -> dict[str, Any]:
    """Lead a run and return its result.

    Opening: the sites describe themselves, then send their scaling sums and, if components are
    wanted, sums of products. Each round: one exchange carries validation of the received model and
    the update. Closing: the last model is validated; the model chosen on validation gets its
    baseline and background from training patients; then it alone meets the test patients.

    Args:
        grid: Flower's way to the sites.
        config: The run's settings.

    Returns:
        The result, as `result.schema.json` describes it. The model file is written beside it.

    Raises:
        FederationError: The sites cannot train together.
        ConfigError: A setting does not fit the sites.
        PrivacyError: A private run is asked for with a loss that couples patients.

    Source: own.
    """
    folder, started = Path(config.out), time.monotonic()
    if config.privacy.private:
        check_loss(OBJECTIVES[config.objective.name], config.objective.name)
    inbox = open_inbox(grid, config)
    saved = _load(config) if config.resume else None
    run = saved.progress.run if saved else token_hex(16) if config.privacy.private else ""
    hoped = len(saved.agreement.data_hashes) if saved else 0
    classed = config.objective.name == CLASSIFICATION
    members, absent = describe(
        inbox, hoped, bins=config.evaluation.time_bins, run=run, labelled=classed
    )
    census = take_census(inbox, members, config.evaluation.time_bins)
    check_strategy(config.federation, sum(member.trains for member in members))
    start = _resume(members, saved) if saved else _begin(inbox, members, census, config, run)
    refused = {failure.site for failure in start.agreement.refused}
    taking_part = [member for member in members if member.name not in refused]
    company = Company(inbox, taking_part, start.agreement.plan, config, census, start.gone)
    aggregator = Aggregator(
        config.federation, parameters=company.parameters, weights=company.weights
    )
    progress, agreed = start.progress, start.agreement.to_dict()
    aggregator.moments = progress.moments
    while progress.round < config.rounds:
        progress = one_round(company, progress, aggregator)
        progress.save(folder, config, agreed)
    _check_trained(progress)
    progress = last_validation(company, progress)
    reference = refer(company, progress)
    examined = test(company, progress, reference)
    absent = [*absent, *start.gone, *start.agreement.refused]
    story = Story(company, start.agreement, progress, reference, examined, absent)
    return tell(story, seconds=time.monotonic() - started)


@dataclass(frozen=True, eq=False)
class _Start:
    agreement: Agreement
    progress: Progress
    gone: tuple[Failure, ...] = ()


def _begin(
    inbox: Inbox, members: list[Member], census: Census, config: RunConfig, run: str
) -> _Start:
    agreement = agree(inbox, members, config, census, run)
    network = build_network(agreement.plan, config)
    own = head_names(network, config)
    model, run = without_head(weights(network), own), run or (token_hex(16) if own else "")
    progress = Progress(0, model, model, records=(first_record(),), run=run)
    progress.save(Path(config.out), config, agreement.to_dict())
    return _Start(agreement, progress)


def _load(config: RunConfig) -> _Start:
    """Return a checkpoint, if the settings are those it began with."""
    progress, document = load_progress(Path(config.out))
    check_unchanged(config, document["config"])
    return _Start(Agreement.from_dict(document["agreement"]), progress)


def _resume(members: list[Member], saved: _Start) -> _Start:
    """Take up a checkpoint, if the data are those it began with."""
    hashes, progress = saved.agreement.data_hashes, saved.progress
    for member in members:
        if member.facts["data-hash"] != hashes.get(member.name):
            raise FederationError(
                f"A resumed run must find the data it began with, got other data at site "
                f"'{member.name}'. Start a new run."
            )
    log.info("resumed after round %d, which is kept with all before it", progress.round)
    left_out = {member.name for member in members}
    left_out |= {failure.site for failure in saved.agreement.refused}
    gone = tuple(Failure(name, NOT_THERE) for name in sorted(set(hashes) - left_out))
    progress = replace(progress, resumed=(*progress.resumed, progress.round))
    return _Start(saved.agreement, progress, gone)


def _check_trained(progress: Progress) -> None:
    """Raise if no round was ever completed: the model would be the initial one."""
    if not any(record["accepted"] and record["answered"] for record in progress.records[1:]):
        failed = progress.records[-1]["failed"]
        reasons = "; ".join(f"{one['site']}: {one['reason']}" for one in failed)
        raise FederationError(
            f"At least one round must be completed, got none of {progress.round} ({reasons}). "
            "Mend what the sites report and start anew."
        )
