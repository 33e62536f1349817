"""Standardisation with the federation's means: each site sends sums, never values."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Float32, Float64

from fusion.errors import ConfigError, SiteError
from fusion.readers.bags import BagReader
from fusion.readers.bounded_inputs import EXACT, Variances, summed, told_through
from fusion.readers.omics import CLINICAL, OmicsVector

BEYOND = 0.05
"""Share of a table's values that may lie beyond the clip before it counts as unscaled."""

_CONSTANT = 1e-12


@dataclass(frozen=True)
class ScalingSums:
    """Count, sum and sum of squares of each feature; sums of sites add.

    Attributes:
        count: Patients whose value is known.
        total: Sum of their values.
        square: Sum of their squares.
        noise: Variances of the noise on each number of the three; 0 = exact.
    """

    count: Float[np.ndarray, " feature"]
    total: Float[np.ndarray, " feature"]
    square: Float[np.ndarray, " feature"]
    noise: Variances = EXACT

    def __add__(self, other: "ScalingSums") -> "ScalingSums":
        return ScalingSums(
            self.count + other.count,
            self.total + other.total,
            self.square + other.square,
            summed(self.noise, other.noise),
        )

    def without_lone_patients(self) -> "ScalingSums":
        """Return the sums without features known of one patient alone: they are that one's values.

        Source: own.
        """
        kept = self.count > 1
        return ScalingSums(self.count * kept, self.total * kept, self.square * kept)

    def to_array(self) -> Float[np.ndarray, "3 feature"]:
        """Return count, total and square as three rows, for the wire.

        Source: own.
        """
        return np.stack([self.count, self.total, self.square])

    @classmethod
    def from_array(
        cls, rows: Float[np.ndarray, "3 feature"], noise: Variances = EXACT
    ) -> "ScalingSums":
        """Return the sums that `to_array` wrote; zeros where noise drowns the patients."""
        kept = rows[:1].max(initial=0.0) > 2.0 * noise[0] ** 0.5 or not any(noise)
        count, total, square = rows.astype(np.float64) * kept
        return cls(count, total, square, noise)

    def moments(self) -> tuple[Float[np.ndarray, " feature"], Float[np.ndarray, " feature"]]:
        """Return mean and standard deviation; both 0 where nobody's value is known.

        The deviation is exactly 0 where the variance is lost in rounding: a constant feature.
        Under noise: `told_through`.

        Source: own.
        """
        known = np.maximum(self.count, 1.0)
        mean, square = self.total / known, self.square / known
        variance = square - mean**2
        if any(self.noise):
            return told_through(self.noise, known, mean, square)
        return mean, np.sqrt(np.where(variance > _CONSTANT * square, variance, 0.0))


def omics_sums(
    vector: OmicsVector, *, training: Bool[np.ndarray, " patient"], clip: float
) -> ScalingSums:
    """Return the sums of the training patients' values, cut to [-clip, clip] first.

    Args:
        vector: The site's aligned features.
        training: True = training patient; nobody else enters.
        clip: Largest magnitude of an omics value; 0 = never cut. Clinical columns are never cut.

    Raises:
        SiteError: More than 5% of a table's values lie beyond the clip: it looks unscaled.

    Privacy: sums over patients; they leave the site.

    Source: own.
    """
    check_scaled(vector, clip=clip, patients=training)
    values = clipped(vector, clip)[training].astype(np.float64)
    known = ~np.isnan(values)
    values = np.where(known, values, 0.0)
    return ScalingSums(
        known.sum(axis=0).astype(np.float64), values.sum(axis=0), (values**2).sum(axis=0)
    )


def check_scaled(
    vector: OmicsVector, *, clip: float, patients: Bool[np.ndarray, " patient"]
) -> None:
    """Raise if a table looks unscaled among some patients.

    Raises:
        SiteError: More than 5% of a table's values lie beyond the clip.

    Source: own.
    """
    for table, share in clipped_shares(vector, clip, patients).items():
        if share > BEYOND:
            raise SiteError(
                f"Omics table {table} must be scaled (z-scores), got {share:.0%} of its values "
                f"beyond {clip:g}. Scale it at the site, or set data.clip to 0 for all sites.",
                public=f"Omics table {table} looks unscaled: {share:.0%} beyond {clip:g}.",
            )


def slide_sums(
    bags: BagReader, *, patients: Iterable[int], width: int, chunk: int = 4096
) -> ScalingSums:
    """Return sums of each patient's mean patch and mean squared patch: a patient counts once.

    Args:
        bags: The site's reader.
        patients: Positions of the training patients; those without slides are passed over.
        width: Numbers a patch.
        chunk: Patches held in memory at once.

    Raises:
        SiteError: A bag cannot be read.

    Privacy: sums over patients; they leave the site.

    Source: own.
    """
    count, total, square = 0, np.zeros(width), np.zeros(width)
    for patient in patients:
        patches = bags.patches(patient)
        if not patches:
            continue
        count += 1
        for part in bags.chunks(patient, chunk):
            exact = part.astype(np.float64)
            total += exact.sum(axis=0) / patches
            square += (exact**2).sum(axis=0) / patches
    return ScalingSums(np.full(width, float(count)), total, square)


def clipped(vector: OmicsVector, clip: float) -> Float32[np.ndarray, "patient feature"]:
    """Return the values with omics cut to [-clip, clip]; clinical columns stay as they are.

    Source: own.
    """
    if not clip:
        return vector.values
    return np.where(_tables(vector) != CLINICAL, vector.values.clip(-clip, clip), vector.values)


def clipped_shares(
    vector: OmicsVector, clip: float, patients: Bool[np.ndarray, " patient"]
) -> dict[str, float]:
    """Return for each omics table the share of some patients' known values beyond the clip.

    Source: own.
    """
    tables, shares = _tables(vector), {}
    for table in dict.fromkeys(tables[tables != CLINICAL].tolist()):
        values = vector.values[patients][:, tables == table]
        beyond = np.abs(values) > clip if clip else np.zeros_like(values, bool)
        shares[table] = float(beyond.sum() / max(int((~np.isnan(values)).sum()), 1))
    return shares


def _tables(vector: OmicsVector) -> np.ndarray:
    return np.array([name.partition(":")[0] for name in vector.names], str)


@dataclass(frozen=True)
class Scaling:
    """What brings every site's features to one scale; part of a finished model.

    Attributes:
        names: Omics features in order.
        mean: Their means.
        sd: Their standard deviations; 0 = constant, becomes 0.
        slide_mean: Means of the patch features; empty = no slides.
        slide_sd: Their standard deviations.
        clip: Omics values are cut to [-clip, clip] first; 0 = never.
    """

    names: tuple[str, ...]
    mean: Float[np.ndarray, " feature"]
    sd: Float[np.ndarray, " feature"]
    slide_mean: Float[np.ndarray, " width"]
    slide_sd: Float[np.ndarray, " width"]
    clip: float

    @classmethod
    def from_sums(
        cls, omics: ScalingSums | None, slides: ScalingSums | None, *, names: tuple[str, ...],
        clip: float,
    ) -> "Scaling":  # fmt: skip
        """Return the scaling of the federation's sums.

        Args:
            omics: Sums over all sites' training patients; None = no omics.
            slides: The same of their patches; None = no slides.
            names: Omics features in order.
            clip: What the sums were cut to.

        Source: own.
        """
        none = (np.zeros(0), np.zeros(0))
        mean, sd = omics.moments() if omics is not None else none
        slide_mean, slide_sd = slides.moments() if slides is not None else none
        return cls(names, mean, sd, slide_mean, slide_sd, clip)

    def transform_omics(self, vector: OmicsVector) -> Float32[np.ndarray, "patient feature"]:
        """Return aligned values cut and standardised; what is not known becomes 0, the mean.

        Args:
            vector: Features aligned to `names`.

        Raises:
            ConfigError: The features are not those of this scaling.

        Privacy: measurements of patients; they stay in the process.

        Source: own.
        """
        return self.standardise(vector).astype(np.float32)

    def standardise(self, vector: OmicsVector) -> Float64[np.ndarray, "patient feature"]:
        """Return what `transform_omics` returns, in full precision.

        Raises:
            ConfigError: The features are not those of this scaling.

        Source: own.
        """
        if vector.names != self.names:
            raise ConfigError(
                f"Features must be the {len(self.names)} of this scaling, got "
                f"{len(vector.names)} or another order. Align them first."
            )
        values = (clipped(vector, self.clip) - self.mean) * _inverse(self.sd)
        return np.nan_to_num(values, nan=0.0)

    def transform_patches(
        self, features: Float[np.ndarray, "patch width"]
    ) -> Float[np.ndarray, "patch width"]:
        """Return patches standardised, in their own precision; a constant feature becomes 0.

        Args:
            features: Patches as a `BagReader` gives them, or means of some.

        Privacy: patch features; they stay in the process.

        Source: own.
        """
        kind = features.dtype
        return (features - self.slide_mean.astype(kind)) * _inverse(self.slide_sd).astype(kind)

    def to_dict(self) -> dict[str, Any]:
        """Return the scaling as plain lists, for the wire and the model file.

        Source: own.
        """
        arrays = {key: getattr(self, key).tolist() for key in _ARRAYS}
        return {"names": list(self.names), **arrays, "clip": self.clip}

    @classmethod
    def from_dict(cls, plain: dict[str, Any]) -> "Scaling":
        """Return the scaling that `to_dict` wrote.

        Source: own.
        """
        arrays = {key: np.array(plain[key], np.float64) for key in _ARRAYS}
        return cls(names=tuple(plain["names"]), **arrays, clip=float(plain["clip"]))


_ARRAYS = ("mean", "sd", "slide_mean", "slide_sd")


def _inverse(sd: np.ndarray) -> np.ndarray:
    return np.divide(1.0, sd, out=np.zeros_like(sd), where=sd > 0)
