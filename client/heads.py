"""What a site keeps of a run with personal heads: its own after every round, and the chosen one."""

import logging
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from client.settings import Settings
from fusion.errors import ConcordError, ModelFileError, OutputError, SiteError
from fusion.training.checkpoint import digest_arrays, load_arrays, save_arrays
from fusion.training.heads import head_names, head_of, without_head
from fusion.training.plan import Network, Plan, build_network

log = logging.getLogger("concord.site")

_RUN = re.compile(r"[0-9a-f]{32}")


class Heads:
    """A site's heads of one run, a file a round, each written whole or not at all.

    Args:
        state: Folder of what the site keeps.
        run: The coordinator's name of the run, 32 hexadecimal digits.

    Raises:
        ConcordError: The name is none, so no path is made of it.

    Privacy: weights trained on the site's patients; they never leave.

    Source: own.
    """

    def __init__(self, state: Path, run: str) -> None:
        if not _RUN.fullmatch(run):
            told = f"Run must be named by 32 hexadecimal digits, got '{run}'. Nothing was read."
            raise ConcordError(told, public=told)
        self._folder = state / "runs" / run

    def newest(self, number: int) -> dict[str, np.ndarray] | None:
        """Return the head after round `number`, or the last one before; None = there is none."""
        rounds = [known for known in self._rounds() if known <= number]
        return load_arrays(self._path(max(rounds)))[0] if rounds else None

    def keep(self, number: int, head: Mapping[str, np.ndarray]) -> None:
        """Write the head after round `number`.

        Raises:
            ConcordError: A value is not finite; the head of before stays the newest.
            SiteError: The folder cannot be written.
        """
        if not all(np.isfinite(value).all() for value in head.values()):
            told = (
                f"The head must be finite after training, got values that are not in round "
                f"{number}. Lower training.lr or training.local-steps."
            )
            raise ConcordError(told, public=told)
        _write(self._path(number), head)

    def forget(self, number: int) -> None:
        """Remove heads of rounds after `number`: that part of the run is being repeated."""
        for later in (known for known in self._rounds() if known > number):
            self._path(later).unlink()

    def _rounds(self) -> list[int]:
        return sorted(int(path.stem[6:]) for path in self._folder.glob("round-*.safetensors"))

    def _path(self, number: int) -> Path:
        return self._folder / f"round-{number:05d}.safetensors"


class OwnHead:
    """The head that a site puts to a received model; empty where all of the model is shared.

    A site's head for the model of round r is that of its own last training up to r. Before the
    first round it is the initial one, the same everywhere. A site that had not trained by then has
    none: it trains on from the initial one, but is not examined with it. A finished model, which
    comes without a run's name, meets the head that was kept for it.

    Args:
        settings: Of this message.
        words: The request's; `run` and `model-round` say which model came.
        network: Of the run.
        shared: The received arrays.

    Attributes:
        arrays: What belongs beside the received arrays.
        known: Whether the site's model is whole, so that it can be examined.

    Privacy: weights trained on the site's patients; they never leave.

    Source: own.
    """

    def __init__(
        self,
        settings: Settings,
        words: Mapping[str, Any],
        network: Network,
        shared: Mapping[str, np.ndarray],
    ) -> None:
        self._names, self._state = head_names(network, settings.run), settings.kept
        self.arrays: Mapping[str, np.ndarray] = {}
        self.known = True
        if not self._names:
            return
        initial = head_of(build_network(Plan.from_text(words["plan"]), settings.run), self._names)
        if not words["run"]:
            self.known = _path_for(self._state, shared).is_file()
            self.arrays = head_for(self._state, shared) if self.known else initial
            return
        self._heads, self._round = Heads(self._state, words["run"]), int(words["model-round"])
        found = self._heads.newest(self._round)
        self.known = found is not None or self._round == 0
        if not self.known:
            log.warning("no head of round %d or before: goes on from the initial one", self._round)
        self.arrays = initial if found is None else found

    def require(self) -> None:
        """Raise if the site has no head for the received model.

        Raises:
            SiteError: It had not trained by then.
        """
        if not self.known:
            told = "It has no head of its own for this model: it had not trained by then."
            raise SiteError(told, public=told)

    def part(self, arrays: Mapping[str, np.ndarray], number: int) -> dict[str, np.ndarray]:
        """Keep the head of a model trained in round `number`, and return the rest of it."""
        if self._names:
            self._heads.forget(self._round)
            self._heads.keep(number, {name: arrays[name] for name in self._names})
        return without_head(arrays, self._names)

    def keep_for(self, shared: Mapping[str, np.ndarray]) -> None:
        """Keep the head for good with the chosen model, for `predict`.

        Raises:
            SiteError: The folder cannot be written.
        """
        if self._names:
            _write(_path_for(self._state, shared), self.arrays)


def head_for(state: Path, shared: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Return the site's own head for a finished model.

    Raises:
        ModelFileError: The site has none.

    Source: own.
    """
    path = _path_for(state, shared)
    if not path.is_file():
        raise ModelFileError(
            f"A model with personal heads must meet this site's own, got none for it in '{state}'. "
            "Predict at a site that was examined in the run, or name its state folder with --state."
        )
    return load_arrays(path)[0]


def _path_for(state: Path, shared: Mapping[str, np.ndarray]) -> Path:
    return state / "models" / f"{digest_arrays(shared)}.safetensors"


def _write(path: Path, head: Mapping[str, np.ndarray]) -> None:
    try:
        save_arrays(path, head, {})
    except OutputError as error:
        raise SiteError(
            f"The site's state folder must be one that can be written, got '{path.parent}' "
            f'({error}) Name another: --node-config \'site="..." state="..."\'.',
            public="The site's state folder cannot be written.",
        ) from None
