"""Scaling from a file of public statistics, for sites that must not send even sums."""

import json
from pathlib import Path
from typing import Any

import numpy as np

from fusion.errors import ConfigError
from fusion.readers.findings import counted, listed
from fusion.readers.scaling import Scaling


def read_public_scaling(path: Path, *, names: tuple[str, ...], width: int, clip: float) -> Scaling:
    """Return the scaling that a JSON file of public statistics gives.

    The file reads `{"omics": {"rna:TP53": {"mean": 0.1, "sd": 1.2}, ...}, "slides": {"mean":
    [...], "sd": [...]}}`; it may hold more features than are asked for.

    Args:
        path: The file.
        names: Omics features needed, in order.
        width: Numbers a patch; 0 = no slides.
        clip: Omics values are cut to [-clip, clip] before scaling; 0 = never.

    Returns:
        A scaling of exactly these features.

    Raises:
        ConfigError: The file is missing, not JSON, or lacks a feature or a finite number.

    Source: own.
    """
    tree = _tree(path)
    omics, slides = tree.get("omics", {}), tree.get("slides", {})
    absent = [name for name in names if name not in omics]
    if absent:
        raise ConfigError(
            f"Scaling file must cover every feature, got none for {listed(absent)} "
            f"({counted(len(absent), 'feature')}) in '{path}'. Add them, or use "
            'data.scaling = "federated".'
        )
    mean, sd = ([omics[name].get(key) for name in names] for key in ("mean", "sd"))
    return Scaling(
        names=names,
        mean=_numbers(mean, len(names), "omics mean", path),
        sd=_numbers(sd, len(names), "omics sd", path),
        slide_mean=_numbers(slides.get("mean", []) if width else [], width, "slides.mean", path),
        slide_sd=_numbers(slides.get("sd", []) if width else [], width, "slides.sd", path),
        clip=clip,
    )


def _tree(path: Path) -> dict[str, Any]:
    try:
        tree = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise ConfigError(
            f"Scaling file must be readable JSON, got '{path}' ({error}). Mend data.scaling."
        ) from None
    sections = [tree, *(tree.values() if isinstance(tree, dict) else ())]
    features = tree.get("omics", {}) if isinstance(tree, dict) else {}
    sections += features.values() if isinstance(features, dict) else ()
    if not all(isinstance(section, dict) for section in sections):
        raise ConfigError(
            f"Scaling file must hold tables `omics` and `slides`, got something else in '{path}'. "
            'Write {"omics": {"rna:TP53": {"mean": 0, "sd": 1}}}.'
        )
    return tree


def _numbers(values: Any, length: int, what: str, path: Path) -> np.ndarray:
    try:
        found = np.array(values, np.float64).reshape(-1)
    except (TypeError, ValueError):
        found = np.full(1, np.nan)
    wrong = not np.isfinite(found).all() or (what.endswith("sd") and (found < 0).any())
    if len(found) != length or wrong:
        raise ConfigError(
            f"Scaling file must give {length} finite numbers for {what} (none below 0 for sd), got "
            f"{counted(len(found), 'number')} in '{path}'. Mend it."
        )
    return found
