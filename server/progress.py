"""How far a run has come: enough to continue it bit for bit, in one file."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from fusion.config import RunConfig, flatten
from fusion.errors import ConfigError, ModelFileError
from fusion.training.checkpoint import load_arrays, save_arrays

FILE = "checkpoint.safetensors"

KINDS = ("model", "best", "moments", "risk_sets")
PLAIN = ("round", "best_round", "best_score", "centre", "scale", "run")
LISTS = ("records", "seconds", "resumed")
"""What a checkpoint holds as arrays, as single values and as lists."""


@dataclass(frozen=True, eq=False)
class Progress:
    """The state between two rounds.

    Attributes:
        round: Rounds done; 0 = only the initial model exists.
        model: Weights after that round.
        best: Weights of the best validated round so far.
        best_round: Which round that was; 0 = none validated yet.
        best_score: Its validation figure, higher is better; None = none.
        moments: The strategy's memory.
        risk_sets: Each site's part of the risk sets, from the last round that anyone answered;
            empty if the objective does not share them.
        centre: Mean validation risk of the last examined model, for the next risk bins.
        scale: Its standard deviation.
        records: What the result tells of each round.
        seconds: What each round took.
        resumed: After which rounds the run was interrupted and taken up again.
        run: A random name, by which sites keep their own heads and their
            ledgers; empty if they have neither.

    Source: own.
    """

    round: int
    model: Mapping[str, np.ndarray]
    best: Mapping[str, np.ndarray]
    best_round: int = 0
    best_score: float | None = None
    moments: Mapping[str, np.ndarray] = field(default_factory=dict)
    risk_sets: Mapping[str, np.ndarray] = field(default_factory=dict)
    centre: float = 0.0
    scale: float = 1.0
    records: tuple[dict[str, Any], ...] = ()
    seconds: tuple[float, ...] = ()
    resumed: tuple[int, ...] = ()
    run: str = ""

    def asked(self, *, best: bool = False) -> dict[str, str | int]:
        """Return which run and round a model is of, so that a site puts its own head to it."""
        return {"run": self.run, "model_round": self.best_round if best else self.round}

    def with_last_record(self, **changes: Any) -> "Progress":
        """Return the progress with the newest round's record changed."""
        last = {**self.records[-1], **changes}
        return replace(self, records=(*self.records[:-1], last))

    def save(self, folder: Path, config: RunConfig, agreement: Mapping[str, Any]) -> None:
        """Write the checkpoint of this state, whole or not at all."""
        arrays = {
            f"{kind}|{name}": value for kind in KINDS for name, value in getattr(self, kind).items()
        }
        document = {name: getattr(self, name) for name in (*PLAIN, *LISTS)}
        document |= {"config": flatten(config), "agreement": dict(agreement)}
        save_arrays(folder / FILE, arrays, document)


FREE = ("out", "resume", "sites")
"""Settings that may differ when a run is resumed, beside those of waiting."""


def check_unchanged(config: RunConfig, before: Mapping[str, Any]) -> None:
    """Raise if a run would go on with other settings than it began with.

    Args:
        config: The settings it would go on with.
        before: The settings in its checkpoint, by dotted key.

    Raises:
        ConfigError: Names the first setting that differs.

    Source: own.
    """
    for key, value in flatten(config).items():
        waiting = key.endswith("-seconds") or key == "federation.expected-sites"
        if value != before.get(key) and key not in FREE and not waiting:
            raise ConfigError(
                f"A resumed run must keep its settings, got {key} = {value} where it began with "
                f"{before.get(key)}. Leave it out, or start a new run."
            )


def load_progress(folder: Path) -> tuple[Progress, dict[str, Any]]:
    """Return the state that a run left in its folder, and the document beside it.

    Raises:
        ModelFileError: There is no checkpoint, or it is damaged.

    Source: own.
    """
    if not (folder / FILE).is_file():
        raise ModelFileError(
            f"A run to resume must have a checkpoint, got none in '{folder}'. Check the path."
        )
    arrays, document = load_arrays(folder / FILE)
    try:
        return _restored(arrays, document), document
    except (KeyError, TypeError) as error:
        raise ModelFileError(
            f"A checkpoint must hold the state between two rounds, got none of {error} in "
            f"'{folder / FILE}'. Start the run anew."
        ) from None


def _restored(arrays: Mapping[str, np.ndarray], document: Mapping[str, Any]) -> Progress:
    kinds: dict[str, dict[str, np.ndarray]] = {kind: {} for kind in KINDS}
    for key, value in arrays.items():
        kind, _, name = key.partition("|")
        kinds[kind][name] = value
    known: dict[str, Any] = {name: document[name] for name in PLAIN}
    known |= {name: tuple(document[name]) for name in LISTS}
    known |= kinds
    return Progress(**known)
