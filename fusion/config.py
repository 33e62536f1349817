"""The one home of a run's settings: frozen dataclasses, their defaults, how text becomes them.

On the wire and in files a key is kebab-case and dotted (`training.local-steps`); lists are
comma-separated text, because Flower's run config knows scalars only.
"""

import math
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, is_dataclass, replace
from pathlib import Path
from typing import Any, TypeAlias

from fusion.errors import ConfigError
from fusion.registry import nearest

Scalar: TypeAlias = str | int | float | bool


@dataclass(frozen=True)
class ModelConfig:
    """Which fusion model, and how large."""

    name: str = "gated"
    tokens: int = 4
    """Tokens a modality; 1 is the published configuration."""
    width: int = 32
    """Width of a token."""
    hidden: int = 32
    """Width of the hidden layer of the fusion head, and of projections inside it."""
    heads: int = 4
    """Attention heads (cross_attention)."""
    rank: int = 16
    """Rank of the bilinear factors (bilinear)."""
    dropout: float = 0.25
    """Probability that an element is dropped inside the fusion head."""
    input_dropout: float = 0.25
    """Probability that an input feature is dropped before a modality's encoder."""
    norm: str = "layer"
    """`layer`, or `batch` (refused under differential privacy)."""
    pooling: str = "mean"
    """How patches become tokens: `mean` or `attention` (gated attention)."""


@dataclass(frozen=True)
class DataConfig:
    """What a model reads."""

    omics: str = "all"
    """Omics tables, comma-separated, or `all` that every site has."""
    clinical: str = ""
    """Clinical columns appended to the omics vector, comma-separated."""
    max_patches: int = 512
    """Patches a patient drawn anew for each training step; evaluation reads all."""
    clip: float = 5.0
    """Omics values are cut to [-clip, clip] before anything else; 0 = never."""
    scaling: str = "federated"
    """`federated` (mergeable sums over training patients) or a JSON file of public statistics."""


@dataclass(frozen=True)
class SplitConfig:
    """How each site's patients are divided, balanced by event."""

    validation: float = 0.16
    test: float = 0.20
    hold_out: str = ""
    """Names of sites that only evaluate, comma-separated."""


@dataclass(frozen=True)
class ObjectiveConfig:
    """What training minimises."""

    name: str = "discrete-time"
    ties: str = "efron"
    """`efron` or `breslow` (cox)."""
    intervals: int = 10
    """Time intervals of the shared baseline (discrete-time, piecewise-exponential)."""
    cuts: str = ""
    """Inner interval edges in days, comma-separated; empty = quantiles of all sites' events."""


@dataclass(frozen=True)
class TrainingConfig:
    """How one site trains in one round."""

    local_steps: int = 10
    batch_patients: int = 0
    """Patients whose gradient makes a step; 0 = all of the site's training patients."""
    micro_batch: int = 64
    """Patients held in memory at once; changes memory, never the result."""
    optimiser: str = "adamw"
    """`adamw`, `adam` or `sgd`."""
    lr: float = 5e-4
    weight_decay: float = 0.1
    schedule: str = "cosine"
    """Learning rate over the rounds: `constant` or `cosine` (to a tenth)."""


@dataclass(frozen=True)
class FederationConfig:
    """How the coordinator joins the sites' updates."""

    strategy: str = "fedavg"
    weighting: str = "patients"
    """`patients` or `events` of the training split."""
    proximal_mu: float = 0.01
    """Pull towards the global model (fedprox)."""
    server_lr: float = 0.1
    """Step of the coordinator's optimiser (fedadam, fedyogi)."""
    min_sites: int = 1
    """A round is complete with so many valid answers; with fewer it leaves the model as it was."""
    expected_sites: int = 0
    """Sites to wait for at the start; 0 = whoever is there once anyone is."""
    wait_seconds: float = 120.0
    """How long to wait for the expected sites."""
    timeout_seconds: float = 3600.0
    """How long one exchange may take."""


@dataclass(frozen=True)
class EvaluationConfig:
    """What is measured, on which shared grids."""

    time_step: float = 91.3125
    """Width of a time bin in days (a quarter of a year)."""
    time_bins: int = 60
    """Number of time bins; later times fall into the last."""
    risk_bins: int = 64
    """Number of risk bins of the mergeable counts."""
    horizons: str = "365.25,1095.75,1826.25"
    """Times in days at which calibration and predicted survival are stated."""
    selection: str = "concordance"
    """The validation figure that chooses the round: `concordance` or `loss`."""


@dataclass(frozen=True)
class AuditConfig:
    """How the use of the modalities together is measured."""

    every: int = 0
    """Audit the received model every so many rounds (on validation); 0 = only the chosen model."""
    background: str = "embedding-mean"
    """What stands for a hidden modality at the end: `embedding-mean`, `input-mean` or `zero`."""


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
    evaluation: EvaluationConfig = field(default_factory=EvaluationConfig)
    audit: AuditConfig = field(default_factory=AuditConfig)

    def __post_init__(self) -> None:
        check(self)


CHOICES: Mapping[str, tuple[str, ...]] = {
    "model.norm": ("layer", "batch"),
    "model.pooling": ("mean", "attention"),
    "objective.ties": ("efron", "breslow"),
    "training.optimiser": ("adamw", "adam", "sgd"),
    "training.schedule": ("constant", "cosine"),
    "federation.weighting": ("patients", "events"),
    "evaluation.selection": ("concordance", "loss"),
    "audit.background": ("embedding-mean", "input-mean", "zero"),
}
"""Settings that take one of a few words."""

AT_LEAST: Mapping[str, float] = {
    "seed": 0, "rounds": 1, "threads": 1,
    "model.tokens": 1, "model.width": 1, "model.hidden": 1, "model.heads": 1, "model.rank": 1,
    "model.dropout": 0, "model.input-dropout": 0,
    "data.max-patches": 1, "data.clip": 0,
    "split.validation": 0, "split.test": 0,
    "objective.intervals": 1,
    "training.local-steps": 1, "training.batch-patients": 0, "training.micro-batch": 1,
    "training.lr": 0, "training.weight-decay": 0,
    "federation.proximal-mu": 0, "federation.server-lr": 0, "federation.min-sites": 1,
    "federation.expected-sites": 0, "federation.wait-seconds": 0, "federation.timeout-seconds": 0,
    "evaluation.time-step": 1, "evaluation.time-bins": 2, "evaluation.risk-bins": 2,
    "audit.every": 0,
}  # fmt: skip
"""Smallest value of each number."""

LARGEST = 2**63
"""Bound of every number: what Flower's messages carry; it keeps out infinity too."""

BELOW: Mapping[str, float] = {
    "model.dropout": 1, "model.input-dropout": 1, "split.validation": 1, "split.test": 1,
}  # fmt: skip
"""Bound that a number must stay under."""


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
                f"Setting must be a known key, got '{written}'. {nearest(key, known)}"
            )
        section, _, name = key.rpartition(".")
        target = sections.setdefault(section, {}) if section else top
        target[name.replace("-", "_")] = _read(key, value, type(known[key]))
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
        tree = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ConfigError(f"Config file must exist, got '{path}'. Check the path.") from None
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigError(f"Config file must be TOML, got '{path}': {error}. Mend it.") from None
    return from_flat(_dotted(tree), base)


def names(text: str) -> tuple[str, ...]:
    """Return the entries of a comma-separated setting, without blanks.

    Source: own.
    """
    return tuple(part.strip() for part in text.split(",") if part.strip())


def numbers(text: str, key: str) -> tuple[float, ...]:
    """Return the entries of a comma-separated setting as increasing positive numbers.

    Raises:
        ConfigError: An entry is no number, or they do not increase from above 0.

    Source: own.
    """
    try:
        found = tuple(float(part) for part in names(text))
    except ValueError:
        raise ConfigError(
            f"{key} must be numbers with commas between, got '{text}'. Write 365.25,1095.75."
        ) from None
    if not all(a < b < math.inf for a, b in zip((0.0, *found), found, strict=False)):
        raise ConfigError(f"{key} must increase from above 0, got '{text}'. Sort it.")
    return found


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
    numbers(config.objective.cuts, "objective.cuts")
    numbers(config.evaluation.horizons, "evaluation.horizons")


def _check_numbers(flat: Mapping[str, Any]) -> None:
    for key, least in AT_LEAST.items():
        if not flat[key] >= least:
            raise ConfigError(f"{key} must be >= {least:g}, got {flat[key]}. Raise it.")
        bound = BELOW.get(key, LARGEST)
        if not flat[key] < bound:
            raise ConfigError(f"{key} must be < {bound:g}, got {str(flat[key])[:25]}. Lower it.")


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
    raise ConfigError(
        f"{key} must be a {kind.__name__}, got {value!r}. Write it as a {kind.__name__}."
    )
