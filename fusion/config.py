"""The one home of a run's settings: frozen dataclasses, their defaults, how text becomes them.

On the wire and in files a key is kebab-case and dotted (`training.local-steps`); lists are
comma-separated text, because Flower's run config knows scalars only.
"""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, is_dataclass, replace
from pathlib import Path
from typing import Any, TypeAlias

from fusion.class_settings import check_classes
from fusion.errors import ConfigError
from fusion.lists import names, numbers, pairs, sizes
from fusion.masking import BACKGROUNDS, check_audit
from fusion.modalities import check_modalities
from fusion.private_settings import check_private
from fusion.registry import nearest
from fusion.sections import (
    AlertsConfig,
    AuditConfig,
    DataConfig,
    EvaluationConfig,
    FederationConfig,
    ModelConfig,
    ObjectiveConfig,
    PrivacyConfig,
    SplitConfig,
    TrainingConfig,
)
from fusion.secure_settings import check_secure

Scalar: TypeAlias = str | int | float | bool

__all__ = [
    "AlertsConfig",
    "AuditConfig",
    "DataConfig",
    "EvaluationConfig",
    "FederationConfig",
    "ModelConfig",
    "ObjectiveConfig",
    "RunConfig",
    "SplitConfig",
    "TrainingConfig",
    "flatten",
    "from_flat",
    "from_toml",
    "names",
    "numbers",
    "pairs",
    "sizes",
]


@dataclass(frozen=True)
class RunConfig:
    """Everything a run needs to know, the same at every site.

    Source: own.
    """

    seed: int = 1
    rounds: int = 20
    out: str = "runs/latest"
    """Folder the coordinator writes the result to."""
    resume: bool = False
    """Continue from the checkpoint in `out`."""
    threads: int = 1
    """Torch threads a site."""
    sites: str = ""
    """Simulation only: folder of the site folders, one a partition."""
    model: ModelConfig = field(default_factory=ModelConfig)
    data: DataConfig = field(default_factory=DataConfig)
    split: SplitConfig = field(default_factory=SplitConfig)
    objective: ObjectiveConfig = field(default_factory=ObjectiveConfig)
    training: TrainingConfig = field(default_factory=TrainingConfig)
    federation: FederationConfig = field(default_factory=FederationConfig)
    privacy: PrivacyConfig = field(default_factory=PrivacyConfig)
    evaluation: EvaluationConfig = field(default_factory=EvaluationConfig)
    audit: AuditConfig = field(default_factory=AuditConfig)
    alerts: AlertsConfig = field(default_factory=AlertsConfig)

    def __post_init__(self) -> None:
        check(self)


CHOICES: Mapping[str, tuple[str, ...]] = {
    "model.norm": ("layer", "batch"), "model.pooling": ("mean", "attention", "queries"),
    "model.ungrouped": ("leave-out", "group"), "objective.ties": ("efron", "breslow"),
    "objective.class-weights": ("balanced", "none"),
    "training.optimiser": ("adamw", "adam", "sgd"), "training.schedule": ("constant", "cosine"),
    "training.coordination": ("none", "project", "reflect"),
    "federation.personal": ("none", "head"), "federation.weighting": ("patients", "events"),
    "privacy.mode": ("none", "record-level"), "privacy.engine": ("factored", "functional", "hooks"),
    "evaluation.selection": ("concordance", "loss"),
    "audit.background": BACKGROUNDS, "audit.split": ("test", "validation", "train"),
}  # fmt: skip
"""Settings that take one of a few words."""

AT_LEAST: Mapping[str, float] = {
    "seed": 0, "rounds": 1, "threads": 1, "model.tokens": 1, "model.width": 1, "model.hidden": 1,
    "model.heads": 1, "model.rank": 1, "model.dropout": 0, "model.input-dropout": 0,
    "model.patch-tokens": 1, "model.consistency": 0, "data.max-patches": 1, "data.clip": 0,
    "split.validation": 0, "split.test": 0, "objective.intervals": 1, "training.local-steps": 1,
    "training.batch-patients": 0, "training.micro-batch": 1, "training.momentum": 0,
    "training.lr": 0, "training.weight-decay": 0, "training.l1": 0, "federation.proximal-mu": 0,
    "federation.server-lr": 0, "federation.trim": 0, "federation.byzantine": 0,
    "federation.quorum": 1, "federation.attempts": 1, "federation.expected-sites": 0,
    "federation.wait-seconds": 0, "privacy.max-update-norm": 0, "federation.deadline-seconds": 0.1,
    "evaluation.time-step": 30, "evaluation.time-bins": 2, "evaluation.risk-bins": 2,
    "audit.every": 0, "audit.donors": 2, "audit.bootstrap": 0, "audit.clip": 0,
    "alerts.collapse-below": 0, "alerts.divergence-above": 0, "alerts.interaction-above": 0,
    "alerts.growth-above": 0, "alerts.gain-below": 0, "alerts.redundancy-above": 0,
}  # fmt: skip
"""Smallest value of each number."""

FEWEST_REPLICATES = 100
"""Below this a bootstrap's 95% interval rests on fewer than three replicates at each end."""

LARGEST = 2**63
"""Bound of every number: what Flower's messages carry; it keeps out infinity too."""

KINDS: Mapping[type, str] = {
    bool: "true or false", int: "a whole number", float: "a number", str: "a text",
}  # fmt: skip
"""What each type is called in a message."""

BELOW: Mapping[str, float] = {
    "model.dropout": 1, "model.input-dropout": 1, "split.validation": 1, "split.test": 1,
    "training.momentum": 1, "federation.trim": 0.5, "threads": 2**10,
    "model.tokens": 2**10, "model.width": 2**14, "model.hidden": 2**14, "model.heads": 2**10,
    "model.rank": 2**12, "model.patch-tokens": 2**16, "objective.intervals": 2**10,
    "audit.bootstrap": 2**14, "evaluation.time-bins": 2**14, "evaluation.risk-bins": 2**14,
}  # fmt: skip
"""Bound that a number must stay under."""

AT_MOST: Mapping[str, float] = {key: 1 for key in AT_LEAST if key.startswith("alerts.")}
"""Largest value of each share that may reach it."""


def flatten(config: Any, prefix: str = "") -> dict[str, Scalar]:
    """Return the settings as dotted kebab-case keys with scalar values.

    Args:
        config: A `RunConfig` or one of its sections.
        prefix: Put before each key.

    Returns:
        One entry a setting, in the order of definition.

    Source: own.
    """
    flat: dict[str, Scalar] = {}
    for item in fields(config):
        value, key = getattr(config, item.name), prefix + item.name.replace("_", "-")
        flat |= flatten(value, f"{key}.") if is_dataclass(value) else {key: value}
    return flat


def from_flat(values: Mapping[str, Any], base: RunConfig | None = None) -> RunConfig:
    """Return `base` with the dotted settings of `values` put in.

    Args:
        values: Dotted kebab-case keys; text is read as the type of the default.
        base: Where the other settings come from; the defaults if None.

    Returns:
        A checked configuration.

    Raises:
        ConfigError: A key is unknown (the nearest is named) or a value does not fit.

    Source: own.
    """
    base = base or RunConfig()
    known = flatten(base)
    top: dict[str, Any] = {}
    sections: dict[str, dict[str, Any]] = {}
    for written, value in values.items():
        key = written.replace("_", "-")
        if key not in known:
            raise ConfigError(
                f"Setting must be a known key, got '{written}'. {_closest(key, known)}"
            )
        section, _, name = key.rpartition(".")
        target = sections.setdefault(section, {}) if section else top
        place = name.replace("-", "_")
        if place in target:
            raise ConfigError(f"Setting must be given once, got two for {key}. Remove one.")
        target[place] = _read(key, value, type(known[key]))
    for section, changes in sections.items():
        top[section] = replace(getattr(base, section), **changes)
    return replace(base, **top)


def from_toml(path: Path, base: RunConfig | None = None) -> RunConfig:
    """Return `base` with the settings of a TOML file put in.

    Args:
        path: A file of `key = value` lines, sections as tables.
        base: Where the other settings come from; the defaults if None.

    Returns:
        A checked configuration.

    Raises:
        ConfigError: The file is missing, not TOML, or holds a setting that does not fit.

    Source: own.
    """
    try:
        tree = tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except FileNotFoundError:
        raise ConfigError(f"Config file must exist, got '{path}'. Check the path.") from None
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError, RecursionError) as error:
        raise ConfigError(f"Config file must be TOML, got '{path}': {error}. Mend it.") from None
    return from_flat(_dotted(tree), base)


def check(config: RunConfig) -> None:
    """Raise unless every setting of `config` is in its range.

    Raises:
        ConfigError: Names the first setting out of range, its value and the rule.

    Source: own.
    """
    flat = flatten(config)
    for key, allowed in CHOICES.items():
        if flat[key] not in allowed:
            raise ConfigError(
                f"{key} must be one of {', '.join(allowed)}, got '{flat[key]}'. "
                f"{nearest(str(flat[key]), allowed)}"
            )
    _check_numbers(flat)
    if config.split.validation + config.split.test >= 1:
        raise ConfigError(
            f"split.validation + split.test must be < 1, got "
            f"{config.split.validation + config.split.test:g}. Leave patients to train on."
        )
    if 0 < config.audit.bootstrap < FEWEST_REPLICATES:
        told = f"audit.bootstrap must be 0 or >= {FEWEST_REPLICATES}, got {config.audit.bootstrap}"
        raise ConfigError(f"{told}. Raise it: an interval's ends need replicates beyond them.")
    numbers(config.objective.cuts, "objective.cuts")
    numbers(config.evaluation.horizons, "evaluation.horizons")
    check_audit(config.audit, config.evaluation)
    pairs(config.data.components, "data.components")
    sizes(config.model.layers, "model.layers")
    check_modalities(config.data)
    for fits in (check_private, check_secure, check_classes):
        fits(flat)


def _check_numbers(flat: Mapping[str, Any]) -> None:
    for key, least in AT_LEAST.items():
        if not flat[key] >= least:
            raise ConfigError(f"{key} must be >= {least:g}, got {flat[key]}. Raise it.")
        bound = BELOW.get(key, LARGEST)
        if not flat[key] < bound:
            raise ConfigError(f"{key} must be < {bound:g}, got {str(flat[key])[:25]}. Lower it.")
    for key, most in AT_MOST.items():
        if flat[key] > most:
            raise ConfigError(f"{key} must be <= {most:g}, got {flat[key]:g}. Lower it.")


def _closest(key: str, known: Mapping[str, Scalar]) -> str:
    """Return the setting of the same last word, or the nearest one."""
    word = key.rpartition(".")[2]
    same = [name for name in known if name.rpartition(".")[2] == word]
    return f"Did you mean '{same[0]}'?" if same else nearest(key, known)


def _dotted(tree: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in tree.items():
        flat |= (
            _dotted(value, f"{prefix}{key}.")
            if isinstance(value, Mapping)
            else {prefix + key: value}
        )
    return flat


def _read(key: str, value: Any, kind: type) -> Scalar:
    """Return `value` as `kind`; text is parsed, and a whole number serves as a float."""
    if isinstance(value, list) and kind is str:
        return ",".join(str(item) for item in value)
    if kind is bool and str(value).lower() in ("true", "false"):
        return str(value).lower() == "true"
    if kind is str and isinstance(value, str):
        return value
    number = isinstance(value, (str, int, kind)) and not isinstance(value, bool)
    if kind in (int, float) and number:
        try:
            return int(value) if kind is int else float(value)
        except (ValueError, OverflowError):
            pass
    raise ConfigError(f"{key} must be {KINDS[kind]}, got {str(value)[:80]!r}. Mend it.")
