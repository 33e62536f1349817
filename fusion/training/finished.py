"""A finished model's file: weights, and all that applying them to patients needs."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from fusion.config import RunConfig, from_flat
from fusion.errors import ModelFileError
from fusion.readers.findings import listed
from fusion.survival.baseline import Baseline
from fusion.training.checkpoint import load_arrays
from fusion.training.plan import Plan


@dataclass(frozen=True, eq=False)
class FinishedModel:
    """What the file of a finished run holds.

    Attributes:
        arrays: Weights by name; without those of the heads that the sites keep.
        plan: What the model reads, and how it is scaled.
        run: The settings it was trained with.
        baseline: Hazard of the federation's training patients; None for a model of classes.
        background: Mean embedding of the federation's training patients, token x width, by
            modality; empty where the run's audit used another background, or none.
        local: Whether each site has a head of its own beside it.
        round: After which it was taken.
        data: Each site's name and `Member.fingerprint`; empty in files of before these were kept.

    Source: own.
    """

    arrays: dict[str, np.ndarray]
    plan: Plan
    run: RunConfig
    baseline: Baseline | None
    background: dict[str, np.ndarray]
    local: bool
    round: int
    data: dict[str, str]


def read_finished(path: Path) -> FinishedModel:
    """Return what the file of a finished run holds.

    Args:
        path: `model.safetensors` of a run.

    Returns:
        Its contents, checked.

    Raises:
        ModelFileError: The file is not a model of this version, or a number in it is not finite.

    Source: own.
    """
    arrays, card = load_arrays(path)
    try:
        plan = Plan.from_text(card["plan"])
        found = FinishedModel(
            arrays,
            plan,
            from_flat(card["config"]),
            None if plan.classes else _baseline(card["baseline"]),
            _background(card.get("background", {})),
            bool(card.get("local")),
            int(card["round"]),
            {name: str(found) for name, found in card.get("data", {}).items()},
        )
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        reason = f"no {error}" if isinstance(error, KeyError) else str(error).rstrip(".")
        raise ModelFileError(
            f"Model file must hold its plan, settings and baseline, got '{path}' ({reason}). "
            "Use the model.safetensors of a finished run."
        ) from None
    lost = [name for name, value in arrays.items() if not np.isfinite(value).all()]
    if lost:
        raise ModelFileError(
            f"Weights must be finite numbers, got NaN or infinity in {listed(lost)} of '{path}'. "
            "Use the model.safetensors of a finished run."
        )
    return found


def _baseline(told: Mapping[str, Sequence[float]]) -> Baseline:
    """Return the baseline hazard that a model file holds.

    Raises:
        ValueError: It is not two lists of finite numbers, equally long.
    """
    times, hazard = (np.asarray(told[key], np.float64) for key in ("times", "cumulative_hazard"))
    if times.ndim != 1 or not np.isfinite(np.stack([times, hazard])).all():
        raise ValueError("a baseline that is not two lists of finite numbers")
    return Baseline(times, hazard)


def _background(told: Any) -> dict[str, np.ndarray]:
    """Return the mean embeddings that a model file holds.

    Raises:
        ValueError: One is not tokens of finite numbers.
    """
    means = {name: np.asarray(tokens, np.float64) for name, tokens in told.items()}
    if not all(mean.ndim == 2 and np.isfinite(mean).all() for mean in means.values()):
        raise ValueError("a background that is not tokens of finite numbers")
    return means
