"""Omics tables and clinical columns as one vector a patient, its features known by name."""

from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Bool, Float32

from fusion.errors import ConfigError
from fusion.modalities import CLINICAL
from fusion.readers.cohort import Cohort
from fusion.readers.outcomes import clinical_numbers
from fusion.registry import nearest


@dataclass(frozen=True)
class OmicsVector:
    """One vector a patient.

    Attributes:
        names: Features, such as `rna:TP53` and `clinical:age`.
        values: As measured; NaN where the patient lacks the table or the value is not known.
        present: True = the patient has at least one of the tables (of the clinical columns, if no
            table was chosen).
        partial: True = the patient has some of the tables, but not all.
    """

    names: tuple[str, ...]
    values: Float32[np.ndarray, "patient feature"]
    present: Bool[np.ndarray, " patient"]
    partial: Bool[np.ndarray, " patient"]


def omics_vector(
    cohort: Cohort, *, tables: tuple[str, ...], clinical: tuple[str, ...] = ()
) -> OmicsVector:
    """Return the chosen tables and clinical columns side by side.

    Args:
        cohort: A site's patients.
        tables: Names of omics tables the site has, in the order of the features.
        clinical: Clinical columns to append; they must be numbers.

    Returns:
        The vector with names `table:gene` and `clinical:column`.

    Raises:
        ConfigError: The site has no table or column of that name; the nearest is named.
        SiteError: A clinical column is not numeric.

    Privacy: measurements of patients; they stay in the process.

    Source: own.
    """
    for name in tables:
        _check_known(name, tuple(cohort.tables), "Omics table", "data.omics")
    for name in clinical:
        _check_known(name, tuple(cohort.clinical.columns), "Clinical column", "data.clinical")
    chosen = [cohort.tables[name] for name in tables]
    numbers = [clinical_numbers(cohort.clinical[name]).astype(np.float32) for name in clinical]
    blocks = [np.where(table.present[:, None], table.values, np.nan) for table in chosen]
    empty = np.empty((len(cohort.patients), 0), np.float32)
    values = np.concatenate([empty, *blocks, *(column[:, None] for column in numbers)], axis=1)
    genes = (f"{name}:{gene}" for name in tables for gene in cohort.tables[name].genes)
    names = (*genes, *(f"{CLINICAL}:{name}" for name in clinical))
    has = sum((table.present.astype(int) for table in chosen), np.zeros(len(values), int))
    return OmicsVector(
        names=names,
        values=values.astype(np.float32),
        present=_present(names, values),
        partial=(has > 0) & (has < len(chosen)),
    )


def held_tables(cohort: Cohort, tables: Iterable[str]) -> tuple[str, ...]:
    """Return those of `tables` that the site has; the features of the others are all unknown.

    Source: own.
    """
    return tuple(name for name in tables if name in cohort.tables)


def align(vector: OmicsVector, names: tuple[str, ...]) -> OmicsVector:
    """Return the vector with exactly the features `names`, in that order.

    Args:
        vector: A site's own features.
        names: The features the federation, or a finished model, agreed on.

    Returns:
        The same patients; a feature the site does not have is NaN, so that it becomes the
        federation's mean after scaling.

    Source: own.
    """
    places = {name: place for place, name in enumerate(vector.names)}
    kept = [(new, places[name]) for new, name in enumerate(names) if name in places]
    values = np.full((len(vector.values), len(names)), np.nan, np.float32)
    if kept:
        new, old = zip(*kept, strict=True)
        values[:, list(new)] = vector.values[:, list(old)]
    return replace(vector, names=names, values=values, present=_present(names, values))


def positions(names: Iterable[str]) -> dict[str, list[int]]:
    """Return for each table, and for `clinical`, where its features stand among `names`.

    Source: own.
    """
    found: dict[str, list[int]] = {}
    for place, name in enumerate(names):
        found.setdefault(name.partition(":")[0], []).append(place)
    return found


def _present(names: tuple[str, ...], values: np.ndarray) -> np.ndarray:
    measured = np.array([not name.startswith(f"{CLINICAL}:") for name in names], bool)
    counts = measured if measured.any() else ~measured
    return np.asarray(~np.isnan(values[:, counts]).all(axis=1) & counts.any())


def _check_known(name: str, known: tuple[str, ...], what: str, key: str) -> None:
    if name not in known:
        told = f"{what} must be one the site has, got '{name}' in {key}. {nearest(name, known)}"
        raise ConfigError(told, public=told)
