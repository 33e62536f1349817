"""SCAFFOLD at the coordinator: every site's control variate, and what to send each of them."""

from collections.abc import Collection, Mapping, Sequence

import numpy as np

from server.inbox import Answer

MARK = "c/"
"""Before the names of control variates in a checkpoint."""


class Controls:
    """The control variate c_i of each training site, and their weighted mean c.

    Sites keep nothing between messages: the coordinator sends each one c - c_i and gets its new
    c_i back. With p_i the share of site i in the average of the models, c = sum p_i c_i over all
    training sites, those that are silent in a round included. With equal shares that is the
    publication's c + |S| / N mean(new - old). Shares must be those of the average: with others the
    corrections do not cancel in it, and the model would settle beside the optimum.

    Args:
        weights: Each training site's weight in the average.
        parameters: Names of the arrays that have a control variate.

    Source: Karimireddy et al., SCAFFOLD, ICML 2020; shares by patients are own.
    """

    def __init__(self, weights: Mapping[str, float], parameters: Collection[str]) -> None:
        total = sum(weights.values()) or 1.0
        self._shares = {site: weight / total for site, weight in weights.items()}
        self._parameters = parameters
        self._held: dict[str, Mapping[str, np.ndarray]] = {}

    def corrections(self, model: Mapping[str, np.ndarray]) -> dict[str, dict[str, np.ndarray]]:
        """Return c - c_i for each training site; a site that never answered has c_i = 0."""
        names = [name for name in model if name in self._parameters]
        common = {name: self._mean(name, model[name]) for name in names}
        return {site: self._apart(site, common, model) for site in self._shares}

    def take(self, answers: Sequence[Answer]) -> None:
        """Put the control variates of answers in the place of those of before."""
        self._held |= {one.site: one.control for one in answers if one.site in self._shares}

    @property
    def moments(self) -> dict[str, np.ndarray]:
        """All control variates, for the checkpoint."""
        return {
            f"{MARK}{site}/{name}": value
            for site, held in self._held.items()
            for name, value in held.items()
        }

    @moments.setter
    def moments(self, kept: Mapping[str, np.ndarray]) -> None:
        held: dict[str, dict[str, np.ndarray]] = {}
        for key, value in kept.items():
            site, _, name = key.removeprefix(MARK).rpartition("/")
            held.setdefault(site, {})[name] = value
        self._held = dict(held)

    def _mean(self, name: str, like: np.ndarray) -> np.ndarray:
        """Return c in float64, summed in order of site."""
        total = np.zeros(like.shape)
        for site in sorted(set(self._held) & set(self._shares)):
            total += self._shares[site] * self._held[site][name]
        return total

    def _apart(
        self, site: str, common: Mapping[str, np.ndarray], model: Mapping[str, np.ndarray]
    ) -> dict[str, np.ndarray]:
        own = self._held.get(site, {})
        return {
            name: np.asarray(value - own.get(name, 0.0)).astype(model[name].dtype)
            for name, value in common.items()
        }
