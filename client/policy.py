"""The site's last word: what its `policy.toml` allows; no message changes it."""

import math
import os
import tomllib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fusion.errors import ConfigError
from fusion.registry import nearest
from privacy.disclosure import Disclosure
from privacy.entries import Limit
from privacy.errors import PrivacyError
from privacy.mechanisms import Noise
from privacy.releases import EXACT, NOISED

FILE = "policy.toml"

UNREADABLE = f"The site's {FILE} cannot be used as it is; its log says why. Nothing was trained."
"""What a coordinator is told of a policy that does not fit."""

MODEL_CHANGE = 1.0
"""`allowed.model-change` of a site that names none, or has no policy."""

WITHIN = {"background": "reference"}
"""Noised sums that are part of an exact one of another name."""


@dataclass(frozen=True)
class Policy:
    """What a hospital allows, whatever a message asks.

    Attributes:
        public_size: Rounded number of training patients that anybody may know; every mean and
            every normaliser of a private run is made with it.
        minimum_patients: Below, figures of this site alone are suppressed.
        minimum_events: Likewise.
        minimum_cell: Fewest patients that a count tells and that a bin of risk sets holds.
        round_counts_to: Counts of patients and events are told rounded to this.
        max_epsilon: Most that a patient may spend over all runs, ever; 0 = no private training.
        delta: At which epsilon is counted; 1 / public_size^1.1 unless named.
        non_private_training: Whether a run without differential privacy may train here.
        mirror: Another place for the head of the ledger; None = only beside it.
        epsilon: Most that one run may spend.
        sampling_rate: Probability of a patient to take part in a step; 1 = full batch.
        max_grad_norm: Most that one patient's gradient may be long.
        steps: Noisy steps of a whole run.
        models: Allowed, by name; empty = all.
        objectives: Allowed, by name; empty = all that do not couple patients, in a private run.
        exact_releases: Sums without noise that may leave a private run, outside of its promise;
            names of `privacy.releases.EXACT`.
        noised_releases: Sums that may leave with noise, inside the promise, and how much noise;
            names of `privacy.releases.NOISED`.
        rounds: Most rounds of a run.
        parameters: Most parameters of a model.
        model_change: Most that a round may move an array of the model that the site receives:
            root mean square of the differences, beside the model it accepted last.

    Raises:
        ConfigError: Two rules do not fit together.

    Source: own.
    """

    public_size: int
    minimum_patients: int = 10
    minimum_events: int = 5
    minimum_cell: int = 5
    round_counts_to: int = 10
    max_epsilon: float = 0.0
    delta: float = 0.0
    non_private_training: bool = False
    mirror: Path | None = None
    epsilon: float = 0.0
    sampling_rate: float = 1.0
    max_grad_norm: float = 1.0
    steps: int = 100
    models: tuple[str, ...] = ()
    objectives: tuple[str, ...] = ()
    exact_releases: tuple[str, ...] = ()
    noised_releases: tuple[tuple[str, Noise], ...] = ()
    rounds: int = 200
    parameters: int = 10_000_000
    model_change: float = MODEL_CHANGE

    @property
    def limit(self) -> Limit:
        """What the ledger holds the site to."""
        return Limit(self.max_epsilon, self.delta, self.steps, self.epsilon)

    @property
    def noises(self) -> dict[str, Noise]:
        """How much noise hides each sum that may leave with it."""
        return dict(self.noised_releases)

    @property
    def disclosure(self) -> Disclosure:
        """What the site shows of itself alone."""
        return Disclosure(
            self.minimum_patients, self.minimum_events, self.minimum_cell, self.round_counts_to
        )

    def __post_init__(self) -> None:
        if not self.max_epsilon:
            return
        if not 0 < self.delta * self.public_size < 1:
            raise _wrong(
                "budget.delta", f"be below 1 / public-size = {1 / self.public_size:g}", self.delta
            )
        if not 0 < self.epsilon <= self.max_epsilon:
            rule = f"be above 0 and at most max-epsilon = {self.max_epsilon:g}"
            raise _wrong("run.epsilon", rule, self.epsilon)
        for name in self.noises:
            if WITHIN.get(name, name) in self.exact_releases:
                rule = "name no sum that allowed.exact-releases lets out without noise"
                raise _wrong("releases", rule, name)


def read_policy(folder: Path) -> Policy | None:
    """Return what the `policy.toml` of a site folder allows; None if there is none.

    Args:
        folder: A site folder.

    Raises:
        ConfigError: The file is not TOML, a key is not known, or a value is out of its range.

    Source: own.
    """
    path = folder / FILE
    if not os.path.lexists(path):  # a link that leads nowhere is a policy that cannot be read
        return None
    try:
        tree = tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError, RecursionError) as error:
        raise _error(f"{FILE} must be TOML, got '{error}'. Mend that line.") from None
    noised = tuple(_noises(tree.pop("releases", {})))
    values = {"noised_releases": noised} | dict(_values(tree))
    if "public_size" not in values:
        raise _wrong("cohort.public-size", "be the rounded number of patients", "nothing")
    values.setdefault("delta", values["public_size"] ** -1.1)
    values.setdefault("epsilon", values.get("max_epsilon", 0.0))
    return Policy(**values)


def _values(tree: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    for section, told in tree.items():
        if section not in KEYS:
            raise _unknown(section, [*KEYS, "releases"])
        if not isinstance(told, Mapping):
            raise _wrong(section, f"be a section [{section}]", told)
        for key, value in told.items():
            if key not in KEYS[section]:
                raise _unknown(f"{section}.{key}", [f"{section}.{name}" for name in KEYS[section]])
            rule, read = KEYS[section][key]
            try:
                yield key.replace("-", "_"), read(value)
            except (TypeError, ValueError):
                raise _wrong(f"{section}.{key}", rule, value) from None


def _noises(told: object) -> Iterator[tuple[str, Noise]]:
    if not isinstance(told, Mapping):
        raise _wrong("releases", "be a section [releases]", told)
    for name, text in told.items():
        if name not in NOISED:
            raise _unknown(f"releases.{name}", [f"releases.{known}" for known in NOISED])
        if not isinstance(text, str):
            raise _wrong(f"releases.{name}", "be mechanism:multiplier", text)
        try:
            yield name, Noise.parse(text)
        except PrivacyError as error:
            raise _error(f"releases.{name} in {FILE}: {error}") from None


def _unknown(name: str, known: Iterable[str]) -> ConfigError:
    return _error(f"Key in {FILE} must be known, got '{name}'. {nearest(name, known)}")


def _wrong(name: str, rule: str, value: object) -> ConfigError:
    return _error(f"{name} in {FILE} must {rule}, got {value!r}. Change it.")


def _error(message: str) -> ConfigError:
    return ConfigError(message, public=UNREADABLE)


def _whole(least: int) -> Callable[[object], int]:
    def read(value: object) -> int:
        if not isinstance(value, int) or isinstance(value, bool) or value < least:
            raise ValueError
        return value

    return read


def _number(above: float, most: float = math.inf) -> Callable[[object], float]:
    def read(value: object) -> float:
        if not isinstance(value, (int, float)) or isinstance(value, bool):
            raise TypeError
        if not above < value <= most or math.isinf(value):
            raise ValueError
        return float(value)

    return read


def _flag(value: object) -> bool:
    if not isinstance(value, bool):
        raise TypeError
    return value


def _texts(value: object) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
        raise TypeError
    return tuple(value)


def _exact(value: object) -> tuple[str, ...]:
    told = _texts(value)
    if not set(told) <= set(EXACT):
        raise ValueError
    return told


def _path(value: object) -> Path:
    if not isinstance(value, str) or not Path(value).is_absolute():
        raise ValueError
    return Path(value)


KEYS: Mapping[str, Mapping[str, tuple[str, Callable[[Any], Any]]]] = {
    "cohort": {
        "public-size": ("be a whole number >= 2", _whole(2)),
        "minimum-patients": ("be a whole number >= 2", _whole(2)),
        "minimum-events": ("be a whole number >= 0", _whole(0)),
        "minimum-cell": ("be a whole number >= 2", _whole(2)),
        "round-counts-to": ("be a whole number >= 1", _whole(1)),
    },
    "budget": {
        "max-epsilon": ("be a number > 0", _number(0.0)),
        "delta": ("be a number in (0, 1)", _number(0.0, math.nextafter(1.0, 0.0))),
        "non-private-training": ("be true or false", _flag),
        "mirror": ("be an absolute path", _path),
    },
    "run": {
        "epsilon": ("be a number > 0", _number(0.0)),
        "sampling-rate": ("be a number in (0, 1]", _number(0.0, 1.0)),
        "max-grad-norm": ("be a number > 0", _number(0.0)),
        "steps": ("be a whole number >= 1", _whole(1)),
    },
    "allowed": {
        "models": ("be a list of names", _texts),
        "objectives": ("be a list of names", _texts),
        "exact-releases": (f"be a list of some of {', '.join(EXACT)}", _exact),
        "rounds": ("be a whole number >= 1", _whole(1)),
        "parameters": ("be a whole number >= 1", _whole(1)),
        "model-change": ("be a number > 0", _number(0.0)),
    },
}
"""Section and key of policy.toml to its rule and its reader."""
