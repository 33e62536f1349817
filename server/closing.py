"""After the last round: the chosen model's baseline and background, then test and audit, once."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from fusion.errors import FederationError
from fusion.interaction.background import EmbeddingSums
from fusion.masking import INPUT_MEAN, MARGINAL, ZERO, needs_embeddings
from fusion.survival.baseline import Baseline, BaselineSums, breslow
from fusion.survival.bounded import sane_baseline
from fusion.survival.curves import CensoringCurve
from fusion.training.evaluation import embed_mean_input
from fusion.training.examination import Yardstick
from fusion.training.heads import head_names, head_of
from fusion.training.plan import Network, build_network, load_weights
from server.audits import Audit, collect
from server.bounded_answers import moments_of
from server.inbox import Answer, Failure, request
from server.opening import training_counts
from server.progress import Progress
from server.rounds import Company
from server.scores import readable

CENSORING_SOURCE = "training patients of all sites, by time bin"


@dataclass(frozen=True, eq=False)
class Reference:
    """What the chosen model's test is measured with, from training patients alone.

    Attributes:
        network: The chosen model; where each site has a head of its own, with the initial one.
        yardstick: Risk bins, tau, and the two curves below.
        censoring: Of the federation's training patients.
        baseline: Breslow's, of the federation's training patients; both None for classes.
        background: What stands for a hidden modality at every site; empty = no audit, or each
            site has its own.

    Source: own.
    """

    network: Network
    yardstick: Yardstick
    censoring: CensoringCurve | None
    baseline: Baseline | None
    background: Mapping[str, np.ndarray]


@dataclass(frozen=True, eq=False)
class Test:
    """The sites' answers on test patients.

    Attributes:
        answers: In order of site.
        failures: Sites that gave none.
        audit: What they sent of it.

    Source: own.
    """

    __test__ = False

    answers: Sequence[Answer]
    failures: Sequence[Failure]
    audit: Audit


def refer(company: Company, progress: Progress) -> Reference:
    """Ask the training sites what the chosen model's baseline and background are made from.

    Raises:
        FederationError: No site answered.
    """
    network = network_of(company, progress.best)
    plain = company.yardstick(progress.centre, progress.scale)
    words = plain.to_words() | progress.asked(best=True) | {"plan": company.plan_text}
    content = request(words, model=progress.best)

    def check(answer: Answer) -> None:
        if not plain.classes:
            BaselineSums.from_array(answer.sums["baseline"].reshape(3, plain.time_grid.count))
        moments_of(answer)
        if needs_embeddings(company.config.audit, company.plan.modalities):
            EmbeddingSums.from_array(answer.sums["embedding-means"], network.model.shapes)

    answers, failures = company.inbox.ask("query.reference", content, company.trainers, check)
    if not answers:
        raise FederationError(
            f"At least one site must answer with its reference sums, got none of {len(failures)}. "
            "Resume the run when sites are back."
        )
    background = shared_background(company, network, answers)
    if plain.classes:
        return Reference(network, _risk_bins(company, answers), None, None, background)
    censoring = training_counts([company.census], company.config).censoring_curve(CENSORING_SOURCE)
    baseline = _baseline(answers, plain)
    yardstick = replace(
        _risk_bins(company, answers),
        censoring=censoring,
        tau=min(censoring.until(), float(plain.time_grid.edges[-2])),
        baseline=baseline,
    )
    return Reference(network, yardstick, censoring, baseline, background)


def network_of(company: Company, model: Mapping[str, np.ndarray]) -> Network:
    """Return the network with a model's weights; where sites keep heads, with the initial one.

    Source: own.
    """
    network = build_network(company.plan, company.config)
    head = head_of(network, head_names(network, company.config))
    load_weights(network, head | dict(model))
    return network


def test(company: Company, progress: Progress, reference: Reference) -> Test:
    """Examine and audit the chosen model on every site's test patients.

    Raises:
        FederationError: No site answered.
    """
    words = reference.yardstick.to_words() | progress.asked(best=True)
    own = company.config.audit.background == MARGINAL
    audited = len(company.plan.modalities) > 1 and bool(reference.background or own)
    words |= {"plan": company.plan_text, "split": "test", "audit": audited, "closing": True}
    content = request(words, model=progress.best, arrays=reference.background or None)
    modalities, number = company.plan.modalities, company.config.audit.bootstrap
    check = readable(reference.yardstick, modalities, number)
    answers, failures = company.inbox.ask("evaluate", content, company.everyone, check)
    if not answers:
        raise FederationError(
            f"At least one site must answer with its test figures, got none of {len(failures)}. "
            "Resume the run when sites are back."
        )
    return Test(answers, failures, collect(answers, modalities, number))


def _risk_bins(company: Company, answers: Sequence[Answer]) -> Yardstick:
    moments = [moments_of(answer) for answer in answers]
    total = sum(moments[1:], start=moments[0])
    return company.yardstick(total.centre, total.scale)


def _baseline(answers: Sequence[Answer], plain: Yardstick) -> Baseline:
    sums = [
        sane_baseline(answer.sums["baseline"], answer.noise("baseline"))
        if answer.noise("baseline")
        else BaselineSums.from_array(answer.sums["baseline"])
        for answer in answers
    ]
    return breslow(sum(sums[1:], start=sums[0]), plain.time_grid)


def shared_background(
    company: Company, network: Network, answers: Sequence[Answer]
) -> dict[str, np.ndarray]:
    """Return what stands for a hidden modality at every site, by the settings' name.

    Args:
        company: Whose settings name it.
        network: The model under audit.
        answers: The training sites' reference sums; read for a mean embedding only.

    Returns:
        Token x width by modality; nothing for a model of one modality, where each site has its
        own, or where every site's policy keeps the sums behind it.

    Raises:
        FederationError: No patient has some modality.

    Source: own.
    """
    kind, modalities = company.config.audit.background, company.plan.modalities
    if len(modalities) < 2 or kind == MARGINAL:
        return {}
    shapes = network.model.shapes
    if kind == ZERO:
        return {name: np.zeros(shape) for name, shape in shapes.items()}
    if kind == INPUT_MEAN:
        means = embed_mean_input(network.model, company.plan.widths)
        return {name: tokens.numpy() for name, tokens in means.items()}
    sums = [EmbeddingSums.from_array(a.sums["embedding-means"], shapes) for a in answers]
    total = sum(sums[1:], start=sums[0])
    noise = float(np.linalg.norm([a.noise("embedding-means") for a in answers]))
    if company.config.privacy.private and min(total.counts.values()) <= 2.0 * noise:
        return {}
    return {name: mean.numpy() for name, mean in total.mean().items()}
