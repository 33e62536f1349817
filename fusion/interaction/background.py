"""What stands for a hidden modality: the federation's mean embedding, zeros, or donors."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from fusion.errors import FederationError

Shapes = Mapping[str, tuple[int, int]]
"""Tokens and width of each modality's embedding."""


@dataclass(frozen=True, eq=False)
class EmbeddingSums:
    """Mergeable sums of embeddings, for the mean over all sites' training patients.

    A mean embedding can lie where no patient does; `zero_background` is the other choice.

    Attributes:
        counts: Patients who have the modality.
        totals: Sum of their embeddings, token x width.

    Privacy: Sums over a site's training patients; below the site's minimum number they stay there.

    Source: own.
    """

    counts: Mapping[str, float]
    totals: Mapping[str, np.ndarray]

    def __add__(self, other: "EmbeddingSums") -> "EmbeddingSums":
        """Return the sums of both groups of patients.

        Raises:
            FederationError: The two are of different modalities or sizes.
        """
        if self.shapes != other.shapes:
            raise FederationError(
                f"Embedding sums must agree in modalities and sizes, got {self.shapes} and "
                f"{other.shapes}. Take them from the same model."
            )
        return EmbeddingSums(
            {name: self.counts[name] + other.counts[name] for name in self.counts},
            {name: self.totals[name] + other.totals[name] for name in self.totals},
        )

    @property
    def shapes(self) -> dict[str, tuple[int, int]]:
        """Tokens and width of each modality, in order."""
        return {name: total.shape for name, total in self.totals.items()}

    def mean(self) -> dict[str, Float[Tensor, "_ _"]]:
        """Return the mean embedding of each modality, float64, token x width.

        Raises:
            FederationError: No patient has some modality.
        """
        for name, count in self.counts.items():
            if count <= 0:
                raise FederationError(
                    f"Mean embedding of '{name}' must come from at least one training patient, "
                    "got 0. Audit with the background `zero`."
                )
        return {
            name: torch.from_numpy(total / self.counts[name]) for name, total in self.totals.items()
        }

    def to_array(self) -> Float[np.ndarray, " number"]:
        """Return all counts, then all totals, as one vector for the wire."""
        counts = np.array(list(self.counts.values()), dtype=np.float64)
        return np.concatenate([counts, *(total.ravel() for total in self.totals.values())])

    @staticmethod
    def from_array(array: Float[np.ndarray, " number"], shapes: Shapes) -> "EmbeddingSums":
        """Return the sums that `to_array` wrote.

        Args:
            array: The vector.
            shapes: Tokens and width of each modality, in the same order.

        Returns:
            The same sums.

        Raises:
            FederationError: The length does not fit the shapes, or a number is not finite.
        """
        sizes = [tokens * width for tokens, width in shapes.values()]
        wanted = len(sizes) + sum(sizes)
        if len(array) != wanted or not np.isfinite(array).all():
            raise FederationError(
                f"Embedding sums must be {wanted} finite numbers, got {len(array)} of which "
                f"{int(np.isfinite(array).sum())} finite. Send them for the model of this round."
            )
        parts = np.split(array[len(sizes) :], np.cumsum(sizes)[:-1])
        return EmbeddingSums(
            dict(zip(shapes, array[: len(sizes)].tolist(), strict=True)),
            {
                n: part.reshape(shape)
                for (n, shape), part in zip(shapes.items(), parts, strict=True)
            },
        )


def embedding_sums(
    embeddings: Mapping[str, Float[Tensor, "patient _ _"]],
    present: Mapping[str, Bool[Tensor, " patient"]],
) -> EmbeddingSums:
    """Return the sums of the embeddings of those patients who have the modality.

    Args:
        embeddings: One tensor a modality, patient x token x width.
        present: True where the patient has the modality.

    Returns:
        Sums in float64.

    Privacy: Give it training patients only; a background from test patients leaks them.

    Source: own.
    """
    kept = {n: e[present[n]].detach().double().cpu().numpy() for n, e in embeddings.items()}
    return EmbeddingSums(
        {name: float(len(rows)) for name, rows in kept.items()},
        {name: rows.sum(axis=0) for name, rows in kept.items()},
    )


def draw_donors(complete: Sequence[int], number: int, rng: np.random.Generator) -> tuple[int, ...]:
    """Return those training patients whose embeddings stand for hidden modalities.

    Args:
        complete: Training patients who have every modality; never test patients.
        number: Donors wanted.
        rng: Decides who; not used where all are taken.

    Returns:
        `number` of them, drawn without replacement, or all if there are fewer; in order. Nobody
        if there is one alone: the output without any modality would be that patient's own.

    Privacy: stays at the site; what leaves is averaged over the donors.

    Source: own.
    """
    if len(complete) < 2:
        return ()
    if len(complete) <= number:
        return tuple(sorted(complete))
    drawn = rng.choice(np.sort(np.asarray(complete)), number, replace=False, shuffle=False)
    return tuple(np.sort(drawn).tolist())


def zero_background(shapes: Shapes) -> dict[str, Float[Tensor, "_ _"]]:
    """Return zeros for every modality.

    Args:
        shapes: Tokens and width of each modality.

    Returns:
        Float64 zeros, token x width.

    Source: own.
    """
    return {name: torch.zeros(shape, dtype=torch.float64) for name, shape in shapes.items()}
