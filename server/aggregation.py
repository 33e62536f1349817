"""Updates into one model: each is checked first, then Flower's strategy does the arithmetic."""

import logging
from collections.abc import Callable, Collection, Mapping, Sequence

import numpy as np
from flwr.app import ArrayRecord, Message, MetricRecord, RecordDict
from flwr.serverapp.strategy import (
    FedAdagrad,
    FedAdam,
    FedAvg,
    FedMedian,
    FedTrimmedAvg,
    FedYogi,
    Krum,
)
from flwr.serverapp.strategy.fedopt import FedOpt

from fusion.config import FederationConfig
from fusion.errors import ConfigError
from fusion.registry import Registry
from privacy.disclosure import SUPPRESSED, TRAIN_LOSS
from server.controls import Controls
from server.inbox import Answer, Failure, to_record

log = logging.getLogger("concord.server")

WEIGHT = "num-examples"

STRATEGIES: Registry[Callable[[FederationConfig], FedAvg]] = Registry("federation.strategy")
STRATEGIES.add("fedavg", lambda _: FedAvg())
STRATEGIES.add("fedprox", lambda _: FedAvg())  # the pull is added at the sites
STRATEGIES.add("scaffold", lambda _: FedAvg())  # the drift is corrected at the sites
STRATEGIES.add("fedadagrad", lambda config: FedAdagrad(eta=config.server_lr))
STRATEGIES.add("fedadam", lambda config: FedAdam(eta=config.server_lr))
STRATEGIES.add("fedyogi", lambda config: FedYogi(eta=config.server_lr))
STRATEGIES.add("fedmedian", lambda _: FedMedian())
STRATEGIES.add("trimmed-mean", lambda config: FedTrimmedAvg(beta=config.trim))
STRATEGIES.add("krum", lambda config: Krum(num_malicious_nodes=config.byzantine))


class Aggregator:
    """Joins updates by the strategy that the settings name, and keeps its moments.

    Args:
        config: Strategy and its settings.
        parameters: Names of the arrays that training steps on. A strategy with an optimiser steps
            on these alone and averages the rest: a step could turn a running variance negative.
        weights: Each training site's weight in an average, for SCAFFOLD's control variates.

    Source: FedAvg: McMahan et al., AISTATS 2017; FedProx: Li et al., MLSys 2020; FedAdagrad,
        FedAdam and FedYogi: Reddi et al., ICLR 2021; median and trimmed mean: Yin et al., ICML
        2018; Krum: Blanchard et al., NeurIPS 2017; SCAFFOLD: Karimireddy et al., ICML 2020. Their
        arithmetic is Flower's, but for SCAFFOLD's control variates.
    """

    def __init__(
        self,
        config: FederationConfig,
        *,
        parameters: Collection[str],
        weights: Mapping[str, float],
    ) -> None:
        self._config, self._parameters = config, frozenset(parameters)
        self._strategy, self._average = STRATEGIES[config.strategy](config), FedAvg()
        scaffold = config.strategy == "scaffold"
        self._controls = Controls(weights, self._parameters) if scaffold else None

    def join(
        self, round_number: int, current: Mapping[str, np.ndarray], answers: Sequence[Answer]
    ) -> dict[str, np.ndarray]:
        """Return the next model; the order of the answers does not matter.

        Args:
            round_number: 1 for the first round.
            current: The model that was sent.
            answers: Checked updates.

        Returns:
            Arrays named, shaped and typed as `current`; `current` itself without an answer of
            positive weight.
        """
        weighty = _weighty(answers)
        if not weighty:
            return dict(current)
        if self._controls:
            self._controls.take(weighty)
        stepped, averaged = list(current), []
        if isinstance(self._strategy, FedOpt):
            stepped = [name for name in current if name in self._parameters]
            averaged = [name for name in current if name not in self._parameters]
            self._strategy.current_arrays = {name: current[name] for name in stepped}
        joined = _aggregated(self._strategy, round_number, weighty, stepped)
        joined |= _aggregated(self._average, round_number, weighty, averaged)
        return {name: typed(joined[name], value.dtype) for name, value in current.items()}

    @property
    def least(self) -> int:
        """The fewest updates that may change the model: the quorum, or what the strategy needs."""
        return max(self._config.quorum, fewest(self._config))

    def enough(self, answers: Sequence[Answer]) -> bool:
        """Return whether so many updates may change the model."""
        few = sum(len(answer.parts) for answer in answers) < self._config.quorum
        return not few and len(_weighty(answers)) >= fewest(self._config)

    def corrections(self, current: Mapping[str, np.ndarray]) -> dict[str, dict[str, np.ndarray]]:
        """Return what each site is to add to its gradients; empty but for SCAFFOLD."""
        return self._controls.corrections(current) if self._controls else {}

    @property
    def moments(self) -> dict[str, np.ndarray]:
        """The strategy's memory, for the checkpoint; empty where it has none."""
        if self._controls:
            return self._controls.moments
        if not isinstance(self._strategy, FedOpt) or not self._strategy.m_t:
            return {}
        pairs = (("m", self._strategy.m_t), ("v", self._strategy.v_t or {}))
        return {f"{kind}/{name}": value for kind, held in pairs for name, value in held.items()}

    @moments.setter
    def moments(self, held: Mapping[str, np.ndarray]) -> None:
        if self._controls:
            self._controls.moments = held
        if isinstance(self._strategy, FedOpt) and held:
            self._strategy.m_t = {k[2:]: v for k, v in held.items() if k.startswith("m/")}
            self._strategy.v_t = {k[2:]: v for k, v in held.items() if k.startswith("v/")}


def fewest(config: FederationConfig) -> int:
    """Return the fewest updates of positive weight that the strategy can join.

    Krum's guarantee against f malicious sites holds from 2 f + 3 on.

    Source: Blanchard et al., NeurIPS 2017.
    """
    return 2 * config.byzantine + 3 if config.strategy == "krum" else 0


def check_strategy(config: FederationConfig, sites: int) -> None:
    """Raise unless the strategy exists and can work with so many training sites.

    A trimmed mean that cuts nobody is worth a warning: it protects from nothing.

    Args:
        config: Strategy and its settings.
        sites: How many train.

    Raises:
        ConfigError: There is none of that name, or too few sites for Krum.

    Source: own.
    """
    strategy = STRATEGIES[config.strategy](config)
    if sites < fewest(config):
        raise ConfigError(
            f"Krum must have at least 2 f + 3 = {fewest(config)} training sites for f = "
            f"{config.byzantine} malicious ones, got {sites}. Lower federation.byzantine, add "
            "sites, or choose fedmedian."
        )
    if isinstance(strategy, FedTrimmedAvg) and int(config.trim * sites) == 0:
        log.warning(
            "trimmed-mean cuts no site: federation.trim = %g of %d is less than one, so it is "
            "the plain mean",
            config.trim,
            sites,
        )


def sift(
    current: Mapping[str, np.ndarray],
    answers: Sequence[Answer],
    corrections: Mapping[str, Mapping[str, np.ndarray]] | None = None,
) -> tuple[list[Answer], list[Failure]]:
    """Return the updates that fit the model, and the refused ones by name with the reason.

    Args:
        current: The model that was sent.
        answers: What came back.
        corrections: What was sent to each site beside it; its control variate must be alike.

    Returns:
        Usable answers and refusals, both in order of site.

    Source: own.
    """
    good, refused = [], []
    for answer in answers:
        sent = (corrections or {}).get(answer.site, {})
        fault = _fault(answer, current, sent)
        if fault:
            refused.append(Failure(answer.site, f"update refused: {fault}"))
        else:
            good.append(answer)
    return good, refused


def _fault(
    answer: Answer, model: Mapping[str, np.ndarray], correction: Mapping[str, np.ndarray]
) -> str | None:
    """Return what is wrong with an update, or None."""
    return (
        _wrong_figures(answer)
        or _wrong_arrays(answer.model, model)
        or _wrong_arrays(answer.control, correction, "control variate: ")
    )


def _wrong_figures(answer: Answer) -> str | None:
    rules = {"num-examples": "weight", "steps": "number of steps", "train-loss": "training loss"}
    for name, meaning in rules.items():
        value = answer.figures.get(name)
        signed = name == "train-loss"
        if signed and value is None and _keeps_loss(answer):
            continue
        if (
            not isinstance(value, (int, float))
            or not np.isfinite(value)
            or (value < 0 and not signed)
        ):
            rule = "finite" if signed else "a number >= 0"
            return f"its {meaning} must be {rule}, got {value}"
    return None


def _keeps_loss(answer: Answer) -> bool:
    """Return whether a site keeps its training loss: in a private run, or over too few."""
    return "budget:epsilon" in answer.figures or TRAIN_LOSS in answer.facts.get(SUPPRESSED, ())


def _wrong_arrays(
    came: Mapping[str, np.ndarray], sent: Mapping[str, np.ndarray], what: str = ""
) -> str | None:
    """Return how arrays differ from those that were sent, or None."""
    if set(came) != set(sent):
        odd = sorted(set(came) ^ set(sent))
        return f"{what}its arrays must be those of the model, {len(odd)} differ, such as '{odd[0]}'"
    for name, value in came.items():
        if value.shape != sent[name].shape or value.dtype != sent[name].dtype:
            return (
                f"{what}'{name}' must be {sent[name].dtype} of shape {sent[name].shape}, "
                f"got {value.dtype} of shape {value.shape}"
            )
        if not np.isfinite(value).all():
            return f"{what}'{name}' holds values that are not finite"
    return None


def typed(value: np.ndarray, kind: np.dtype) -> np.ndarray:
    """Return a joined array in the type of the model's; whole numbers are rounded, not cut.

    Source: own.
    """
    whole = np.issubdtype(kind, np.integer)
    return np.asarray(np.rint(value) if whole else value).astype(kind)


def _weighty(answers: Sequence[Answer]) -> list[Answer]:
    """Return the answers that count, in order of site."""
    return sorted((a for a in answers if a.figures[WEIGHT] > 0), key=lambda answer: answer.site)


def _aggregated(
    strategy: FedAvg, round_number: int, answers: Sequence[Answer], names: Sequence[str]
) -> dict[str, np.ndarray]:
    """Return what Flower's strategy makes of some of the updates' arrays."""
    if not names:
        return {}
    # Krum's distances are differences of squared lengths, which float32 cannot tell apart.
    exact = isinstance(strategy, Krum)
    replies = [_as_reply(answer, names, exact=exact) for answer in answers]
    arrays, _ = strategy.aggregate_train(round_number, replies)
    return {name: value.numpy() for name, value in (arrays or {}).items()}


def _as_reply(answer: Answer, names: Sequence[str], *, exact: bool) -> Message:
    """Return an update in the form that Flower's strategies read; some empty it as they go."""
    weight = MetricRecord({WEIGHT: float(answer.figures[WEIGHT])})
    if exact or not answer.record:
        kind = np.float64 if exact else None
        arrays = to_record({n: np.asarray(answer.model[n], kind) for n in names})
    else:
        arrays = ArrayRecord({name: answer.record[name] for name in names})
    content = RecordDict({"arrays": arrays, "metrics": weight})
    return Message(content, dst_node_id=0, message_type="train")
