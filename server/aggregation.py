"""Updates into one model: each is checked first, then Flower's strategy does the arithmetic."""

from collections.abc import Mapping, Sequence

import numpy as np
from flwr.app import Message, MetricRecord, RecordDict
from flwr.serverapp.strategy import FedAdam, FedAvg, FedYogi
from flwr.serverapp.strategy.fedopt import FedOpt

from fusion.config import FederationConfig
from fusion.registry import Registry
from server.inbox import Answer, Failure, to_record

STRATEGIES: Registry[type[FedAvg]] = Registry("federation.strategy")
STRATEGIES.add("fedavg", FedAvg)
STRATEGIES.add("fedprox", FedAvg)  # the pull is added at the sites; the coordinator averages
STRATEGIES.add("fedadam", FedAdam)
STRATEGIES.add("fedyogi", FedYogi)


class Aggregator:
    """Joins updates by the strategy that the settings name, and keeps its moments.

    Args:
        config: Strategy and its settings.

    Source: FedAvg: McMahan et al., AISTATS 2017; FedProx: Li et al., MLSys 2020; FedAdam and
        FedYogi: Reddi et al., ICLR 2021; all arithmetic is Flower's.
    """

    def __init__(self, config: FederationConfig) -> None:
        kind = STRATEGIES[config.strategy]
        self._strategy = kind(weighted_by_key="num-examples")
        if isinstance(self._strategy, FedOpt):
            self._strategy.eta = config.server_lr

    def join(
        self, round_number: int, current: Mapping[str, np.ndarray], answers: Sequence[Answer]
    ) -> dict[str, np.ndarray]:
        """Return the next model.

        Args:
            round_number: 1 for the first round.
            current: The model that was sent.
            answers: Checked updates, in order of site.

        Returns:
            Arrays named, shaped and typed as `current`; `current` itself without an answer of
            positive weight.
        """
        weighty = [answer for answer in answers if answer.figures["num-examples"] > 0]
        if not weighty:
            return dict(current)
        if isinstance(self._strategy, FedOpt):
            self._strategy.current_arrays = dict(current)
        replies = [_as_reply(answer) for answer in weighty]
        arrays, _ = self._strategy.aggregate_train(round_number, replies)
        joined = {name: value.numpy() for name, value in (arrays or {}).items()}
        return {name: joined[name].astype(value.dtype) for name, value in current.items()}

    @property
    def moments(self) -> dict[str, np.ndarray]:
        """The strategy's memory, for the checkpoint; empty where it has none."""
        if not isinstance(self._strategy, FedOpt) or not self._strategy.m_t:
            return {}
        pairs = (("m", self._strategy.m_t), ("v", self._strategy.v_t or {}))
        return {f"{kind}/{name}": value for kind, held in pairs for name, value in held.items()}

    @moments.setter
    def moments(self, held: Mapping[str, np.ndarray]) -> None:
        if isinstance(self._strategy, FedOpt) and held:
            self._strategy.m_t = {k[2:]: v for k, v in held.items() if k.startswith("m/")}
            self._strategy.v_t = {k[2:]: v for k, v in held.items() if k.startswith("v/")}


def sift(
    current: Mapping[str, np.ndarray], answers: Sequence[Answer]
) -> tuple[list[Answer], list[Failure]]:
    """Return the updates that fit the model, and the refused ones by name with the reason.

    Args:
        current: The model that was sent.
        answers: What came back.

    Returns:
        Usable answers and refusals, both in order of site.

    Source: own.
    """
    good, refused = [], []
    for answer in answers:
        fault = _fault(current, answer)
        if fault:
            refused.append(Failure(answer.site, f"update refused: {fault}"))
        else:
            good.append(answer)
    return good, refused


def _fault(current: Mapping[str, np.ndarray], answer: Answer) -> str | None:
    """Return what is wrong with an update, or None."""
    return _wrong_figures(answer) or _wrong_arrays(current, answer)


def _wrong_figures(answer: Answer) -> str | None:
    rules = {"num-examples": "weight", "steps": "number of steps", "train-loss": "training loss"}
    for name, meaning in rules.items():
        value = answer.figures.get(name)
        signed = name == "train-loss"
        if (
            not isinstance(value, (int, float))
            or not np.isfinite(value)
            or (value < 0 and not signed)
        ):
            rule = "finite" if signed else "a number >= 0"
            return f"its {meaning} must be {rule}, got {value}"
    return None


def _wrong_arrays(current: Mapping[str, np.ndarray], answer: Answer) -> str | None:
    if set(answer.model) != set(current):
        odd = sorted(set(answer.model) ^ set(current))
        return f"its arrays must be those of the model, {len(odd)} differ, such as '{odd[0]}'"
    for name, value in answer.model.items():
        if value.shape != current[name].shape or value.dtype != current[name].dtype:
            return (
                f"'{name}' must be {current[name].dtype} of shape {current[name].shape}, "
                f"got {value.dtype} of shape {value.shape}"
            )
        if not np.isfinite(value).all():
            return f"'{name}' holds values that are not finite"
    return None


def _as_reply(answer: Answer) -> Message:
    """Return an update in the form that Flower's strategies read."""
    weight = MetricRecord({"num-examples": float(answer.figures["num-examples"])})
    arrays = answer.record or to_record(answer.model)
    content = RecordDict({"arrays": arrays, "metrics": weight})
    return Message(content, dst_node_id=0, message_type="train")
