"""Principal components of a table over all sites, from sums of products: no row leaves a site."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Float32, Float64

from fusion.errors import ConfigError
from fusion.readers.bags import BagReader
from fusion.readers.findings import counted
from fusion.readers.omics import OmicsVector, positions
from fusion.readers.scaling import Scaling

FEWEST = 3
"""Patients a site needs: with two, number, sums and products are the two patients' values."""

WIDEST = 5000
"""Columns that products are taken of; their sums would be 100 MB a site."""

_LOST = 1e-10
"""Share of the largest variance below which a component is rounding."""

_TIED = 1 - 1e-9
"""Loadings so near to the largest count as equally large; the first decides the sign."""


@dataclass(frozen=True)
class ProductSums:
    """Products of each two of 1, x_1 .. x_p, summed over patients; sums of sites add.

    Attributes:
        products: Symmetric; its first row is the number of patients and the sum of each column.
    """

    products: Float64[np.ndarray, "entry entry"]

    def __add__(self, other: "ProductSums") -> "ProductSums":
        return ProductSums(self.products + other.products)

    @property
    def patients(self) -> float:
        """Patients behind the sums.

        Source: own.
        """
        return float(self.products[0, 0])

    @property
    def columns(self) -> int:
        """Columns that the products are of.

        Source: own.
        """
        return len(self.products) - 1

    def to_array(self) -> Float64[np.ndarray, " pair"]:
        """Return the upper triangle row by row, for the wire.

        Source: own.
        """
        return self.products[_upper(len(self.products))]

    @classmethod
    def from_array(cls, triangle: np.ndarray, columns: int) -> "ProductSums":
        """Return the sums that `to_array` wrote.

        Args:
            triangle: One number for each two of 1 + `columns` entries.
            columns: Columns of the table.

        Raises:
            ValueError: The length is that of another table.

        Source: own.
        """
        upper = _upper(columns + 1)
        full = np.zeros(upper.shape)
        full[upper] = triangle.reshape(triangle_length(columns))
        return cls(full + np.triu(full, 1).T)


def triangle_length(columns: int) -> int:
    """Return how many numbers a site sends for a table of so many columns.

    Source: own.
    """
    return (columns + 1) * (columns + 2) // 2


def product_sums(values: Float64[np.ndarray, "patient column"]) -> ProductSums | None:
    """Return the sums behind a covariance, or None if too few patients stand behind them.

    A column in which one patient alone differs from all others enters as zeros, the mean: its
    products with the other columns would be that patient's values.

    Args:
        values: Standardised training patients, 0 where a value is not known.

    Privacy: sums over three patients or more; they leave the site.

    Source: own.
    """
    if len(values) < FEWEST:
        return None
    shared = np.where(_alone(values), 0.0, values)
    entries = np.concatenate([np.ones((len(values), 1)), shared], axis=1)
    return ProductSums(entries.T @ entries)


def _alone(values: np.ndarray) -> Bool[np.ndarray, " column"]:
    """Return True where all patients but one share one value."""
    ordered = np.sort(values, axis=0)
    low, high = ordered[0], ordered[-1]
    return (low != high) & ((low == ordered[-2]) | (ordered[1] == high))


def _upper(entries: int) -> Bool[np.ndarray, "entry entry"]:
    return np.triu(np.ones((entries, entries), bool))


@dataclass(frozen=True)
class Projection:
    """A linear map from standardised columns to components of mean 0 and variance 1.

    Attributes:
        weights: Principal axes, each divided by its component's standard deviation.
        offset: The mean of the columns under `weights`.
        share: Share of the columns' variance that the components hold.
    """

    weights: Float[np.ndarray, "column component"]
    offset: Float[np.ndarray, " component"]
    share: float

    @property
    def number(self) -> int:
        """How many components.

        Source: own.
        """
        return len(self.offset)

    def apply(self, values: Float[np.ndarray, "row _"]) -> Float[np.ndarray, "row _"]:
        """Return the components of standardised rows, in the rows' precision.

        Args:
            values: Patients or patches. The map is linear, so the mean of patches' components is
                the component of their mean.

        Source: own.
        """
        kind = values.dtype
        return values @ self.weights.astype(kind) - self.offset.astype(kind)

    def to_dict(self) -> dict[str, Any]:
        """Return the projection as plain lists, for the wire and the model file.

        Source: own.
        """
        return {
            "weights": self.weights.tolist(),
            "offset": self.offset.tolist(),
            "share": self.share,
        }

    @classmethod
    def from_dict(cls, plain: Mapping[str, Any]) -> "Projection":
        """Return the projection that `to_dict` wrote.

        Source: own.
        """
        weights, offset = (np.array(plain[key], np.float64) for key in ("weights", "offset"))
        return cls(weights, offset, float(plain["share"]))


def principal_components(sums: ProductSums, *, number: int, name: str) -> Projection:
    """Return the first principal components of all sites' patients.

    The eigenvectors of the covariance, by falling variance; of each, the loading of largest
    magnitude is positive (the first one, where several are as large). Two components of equal
    variance have no order of their own, so theirs is arbitrary.

    Args:
        sums: Over all sites.
        number: How many components.
        name: What they are of, for the error.

    Raises:
        ConfigError: Fewer components vary than are asked for.

    Source: own; Pearson, Philosophical Magazine 2, 1901.
    """
    mean = sums.products[0, 1:] / sums.patients
    covariance = sums.products[1:, 1:] / sums.patients - np.outer(mean, mean)
    variances, axes = (found[..., ::-1] for found in np.linalg.eigh(covariance))
    vary = int((variances > max(_LOST * variances[0], 0.0)).sum())
    if number > vary:
        raise ConfigError(
            f"data.components must ask for at most the {counted(vary, 'component')} that vary in "
            f"{counted(sums.columns, 'column')} of {name} among {int(sums.patients)} patients, got "
            f"{number}. Lower it."
        )
    weights = _signed(axes[:, :number]) / np.sqrt(variances[:number])
    share = min(float(variances[:number].sum() / np.trace(covariance)), 1.0)
    return Projection(weights, mean @ weights, share)


def _signed(axes: np.ndarray) -> np.ndarray:
    size = np.abs(axes)
    first = np.argmax(size >= size.max(axis=0) * _TIED, axis=0)
    return axes * np.sign(axes[first, np.arange(axes.shape[1])])


def mean_patches(
    bags: BagReader, *, patients: Iterable[int], width: int, chunk: int = 4096
) -> Float64[np.ndarray, "patient width"]:
    """Return the mean patch of each patient who has slides.

    Args:
        bags: The site's reader.
        patients: Positions in the cohort; those without slides are passed over.
        width: Numbers a patch.
        chunk: Patches held in memory at once.

    Raises:
        SiteError: A bag cannot be read.

    Privacy: one row a patient; stays in the process.

    Source: own.
    """
    means = [
        sum(part.sum(axis=0, dtype=np.float64) for part in bags.chunks(patient, chunk)) / patches
        for patient, patches in ((patient, bags.patches(patient)) for patient in patients)
        if patches
    ]
    return np.array(means, np.float64).reshape(len(means), width)


def table_rows(
    vector: OmicsVector, scaling: Scaling, *, table: str, patients: Sequence[int]
) -> Float64[np.ndarray, "patient column"]:
    """Return the standardised columns of one table, of those of some patients who have it.

    Privacy: one row a patient; stays in the process.

    Source: own.
    """
    columns = positions(vector.names)[table]
    known = ~np.isnan(vector.values[:, columns]).all(axis=1)
    held = [patient for patient in patients if known[patient]]
    return scaling.standardise(vector)[np.ix_(held, columns)]


def transform_tables(
    vector: OmicsVector, scaling: Scaling, projections: Mapping[str, Projection]
) -> dict[str, Float32[np.ndarray, "patient _"]]:
    """Return each table's standardised columns, or their components; `clinical` is a table here.

    Args:
        vector: Aligned features.
        scaling: Of all sites.
        projections: Of the tables that components are read of.

    Returns:
        For each table its inputs; a patient who lacks the table has 0, the mean, everywhere.

    Raises:
        ConfigError: The features are not those of the scaling.

    Privacy: one row a patient; stays in the process.

    Source: own.
    """
    scaled, found = scaling.standardise(vector), {}
    for table, columns in positions(vector.names).items():
        block = scaled[:, columns]
        if table in projections:
            known = ~np.isnan(vector.values[:, columns]).all(axis=1)
            block = projections[table].apply(block) * known[:, None]
        found[table] = block.astype(np.float32)
    return found
