"""A run from its first question to its last figure: opening, rounds, closing."""

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from flwr.serverapp import Grid

from fusion.config import RunConfig
from fusion.training.plan import build_network, weights
from server.aggregation import Aggregator
from server.closing import refer, test
from server.inbox import Inbox
from server.opening import Agreement, agree, describe
from server.progress import Progress, load_progress
from server.result import Story, tell
from server.rounds import Company, first_record, last_validation, one_round


def conduct(grid: Grid, config: RunConfig) -> dict[str, Any]:
    """Lead a run and return its result.

    Opening: the sites describe themselves, then send their scaling sums. Each round: one exchange
    carries validation of the received model and the update. Closing: the last model is validated;
    the model chosen on validation gets its baseline and background from training patients; then
    it alone meets the test patients.

    Args:
        grid: Flower's way to the sites.
        config: The run's settings.

    Returns:
        The result, as `result.schema.json` describes it. The model file is written beside it.

    Raises:
        FederationError: The sites cannot train together.
        ConfigError: A setting does not fit the sites.

    Source: own.
    """
    folder, started = Path(config.out), time.monotonic()
    inbox = Inbox(grid, config.federation)
    members, absent = describe(inbox)
    start = _resume(folder) if config.resume else _begin(inbox, members, config)
    company = Company(inbox, members, start.agreement.plan, config)
    progress, aggregator = start.progress, Aggregator(config.federation)
    aggregator.moments = progress.moments
    while progress.round < config.rounds:
        progress = one_round(company, progress, aggregator)
        progress.save(folder, config, start.agreement.to_dict())
    progress = last_validation(company, progress)
    reference = refer(company, progress)
    examined = test(company, progress, reference)
    story = Story(company, start.agreement, progress, reference, examined, absent)
    return tell(story, seconds=time.monotonic() - started)


@dataclass(frozen=True, eq=False)
class _Start:
    agreement: Agreement
    progress: Progress


def _begin(inbox: Inbox, members: list, config: RunConfig) -> _Start:
    agreement = agree(inbox, members, config)
    model = weights(build_network(agreement.plan, config))
    return _Start(agreement, Progress(0, model, model, records=(first_record(),)))


def _resume(folder: Path) -> _Start:
    progress, document = load_progress(folder)
    return _Start(Agreement.from_dict(document["agreement"]), progress)
