"""The model that a site receives: built alike, and not far from the one it accepted before."""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import torch

from client.consent import Consent, check_parameters
from client.settings import Settings
from fusion.config import RunConfig
from fusion.errors import ConcordError, OutputError, SiteError
from fusion.training.checkpoint import digest_arrays, load_arrays, save_arrays
from fusion.training.heads import head_names, without_head
from fusion.training.plan import Plan, build_network, weights
from privacy.errors import PrivacyError

FOLDER = "received"
"""In the state folder: the last accepted model of each run, by Flower's number of the run."""

KEPT = 5
"""Runs of which it is kept."""


@dataclass(frozen=True)
class Outline:
    """A run's network without room for its values, as every site builds it for itself.

    Attributes:
        arrays: Those that travel, by name; shape and type alone mean something.
        trained: Names of those that training steps on.
        parameters: How many numbers training steps on, a head that stays at the site included.

    Source: own.
    """

    arrays: Mapping[str, np.ndarray]
    trained: frozenset[str]
    parameters: int


@dataclass(frozen=True)
class Accepted:
    """What a site remembers of a run between two messages.

    Attributes:
        round: Of the model that was accepted last; 0 = the initial one.
        arrays: That model.
        asked: Hash of the model that each round was to train, by round.

    Source: own.
    """

    round: int
    arrays: Mapping[str, np.ndarray]
    asked: Mapping[str, str] = field(default_factory=dict)


def check_received(
    settings: Settings, words: Mapping[str, Any], model: Mapping[str, np.ndarray], consent: Consent
) -> None:
    """Raise unless a received model is one that this run can have come to.

    Names, shapes and types are those of the network that plan and settings build. At a deployed
    site each array that training steps on lies within `allowed.model-change` (root mean square of
    the differences) times the rounds between, of the model accepted last; the first one, of the
    initial network, which the site builds from the run's seed. A round is trained from one model
    only.

    Args:
        settings: Of this message.
        words: Its words.
        model: The received arrays.
        consent: What the site allows.

    Raises:
        PrivacyError: It is another network's, too large, too far away, or a round comes again with
            another model.
        SiteError: What is remembered cannot be read or written.

    Source: own.
    """
    run, number = settings.run, words["model-round"]
    top = words.get("round", number)
    if not (0 <= number <= run.rounds and number <= top <= number + 1 and top <= run.rounds):
        raise _refused("Rounds", f"follow each other up to {run.rounds}", f"{number} and {top}")
    network = outline(words["plan"], run)
    check_parameters(consent, network.parameters)
    check_alike(model, network.arrays, "A received model")
    if settings.simulated:  # coordinator and sites are one person
        return
    path = settings.kept / FOLDER / f"{settings.run_id}.safetensors"
    before = _read(path) or Accepted(0, weights(build_network(_plan(words["plan"]), run)))
    _check_distance(model, before, network.trained, (number, consent.model_change))
    asked = dict(before.asked)
    if "round" in words and asked.setdefault(str(top), digest_arrays(model)) != digest_arrays(
        model
    ):
        raise _refused("A round", "be asked with one model", f"another one for round {top}")
    _keep(path, Accepted(number, model, asked))


def check_alike(came: Mapping[str, np.ndarray], like: Mapping[str, np.ndarray], what: str) -> None:
    """Raise unless arrays have the names, shapes and types of others.

    Raises:
        PrivacyError: Names the first that differs.

    Source: own.
    """
    odd = sorted(set(came) ^ set(like))
    if odd:
        raise _refused(what, "have the arrays of the run's network", f"{len(odd)} others: {odd[0]}")
    for name, value in came.items():
        if (value.shape, value.dtype) != (like[name].shape, like[name].dtype):
            rule = f"have '{name}' as {like[name].dtype} of shape {like[name].shape}"
            raise _refused(what, rule, f"{value.dtype} of shape {value.shape}")


@lru_cache(maxsize=2)
def outline(plan_text: str, run: RunConfig) -> Outline:
    """Return a run's network without making room for it.

    Raises:
        PrivacyError: The plan cannot be read.

    Source: own.
    """
    with torch.device("meta"):
        network = build_network(_plan(plan_text), run)
    arrays = {name: _empty(value) for name, value in network.state_dict().items()}
    return Outline(
        without_head(arrays, head_names(network, run)),
        frozenset(name for name, _ in network.named_parameters()),
        sum(parameter.numel() for parameter in network.parameters()),
    )


def _empty(value: torch.Tensor) -> np.ndarray:
    """Return an array of a tensor's shape and type that takes no room."""
    return np.broadcast_to(torch.zeros((), dtype=value.dtype, device="cpu").numpy(), value.shape)


def _plan(text: str) -> Plan:
    try:
        return Plan.from_text(text)
    except (AttributeError, KeyError, TypeError, ValueError, RecursionError) as error:
        if isinstance(error, ConcordError):
            raise
        raise _refused("A plan", "be one that Concord wrote", type(error).__name__) from None


def _check_distance(
    model: Mapping[str, np.ndarray],
    before: Accepted,
    trained: frozenset[str],
    told: tuple[int, float],
) -> None:
    number, change = told
    bound = change * max(1, abs(number - before.round))
    for name in sorted(trained & set(model)):
        moved = model[name].astype(np.float64) - before.arrays[name]
        distance = float(np.sqrt(np.mean(moved**2))) if moved.size else 0.0
        if not distance <= bound:
            raise _refused(
                "A received model",
                f"lie within {bound:g} of the one of round {before.round}, array by array",
                f"{distance:.3g} in '{name}'",
            )


def _read(path: Path) -> Accepted | None:
    if not path.is_file():
        return None
    try:
        arrays, told = load_arrays(path)
        return Accepted(int(told["round"]), arrays, told["asked"])
    except (ConcordError, KeyError, TypeError, ValueError) as error:
        raise SiteError(
            f"The model accepted last must be readable, got '{path}' ({error}). Remove the file: "
            "the run goes on from its initial model.",
            public="What the site remembers of this run is damaged.",
        ) from None


def _keep(path: Path, accepted: Accepted) -> None:
    told = {"round": accepted.round, "asked": dict(accepted.asked)}
    try:
        save_arrays(path, accepted.arrays, told)
    except OutputError as error:
        raise SiteError(
            f"The site's state folder must be one that can be written, got '{path.parent}' "
            f"({error}). Make room there.",
            public="The site's state folder cannot be written.",
        ) from None
    older = sorted(path.parent.glob("*.safetensors"), key=lambda one: one.stat().st_mtime)
    for one in older[:-KEPT]:
        with suppress(FileNotFoundError):  # another process was faster
            one.unlink()


def _refused(what: str, rule: str, got: str) -> PrivacyError:
    return PrivacyError(f"{what} must {rule}, got {got[:120]}. The site has refused it.")
