"""Who trains, validates and tests as somebody published it: a row a patient, from a file."""

from collections.abc import Iterable, Sequence
from pathlib import Path

import pandas as pd

from fusion.errors import ConfigError
from fusion.readers.findings import listed
from fusion.readers.outcomes import SPLITS
from fusion.readers.tables import patient_column, read_table
from simulations.site_folder import sole_patient_column


def read_assigned(file: Path, column: str) -> pd.DataFrame:
    """Return a table indexed by patient that says something of each.

    Args:
        file: csv or parquet with the patient and `column`.
        column: What it must hold.

    Raises:
        ConfigError: The column is not there.
        SiteError: The file cannot be read.

    Privacy: membership of patients; stays on the machine.

    Source: own.
    """
    table = read_table(file, what=f"File of {column}s", text=True)
    if column not in table:
        raise ConfigError(
            f"File of {column}s must have a column `{column}`, got none in '{file.name}'. Add it."
        )
    return table.set_index(patient_column(table))


def row_for_each(
    table: pd.DataFrame, patients: Sequence[str], *, known: Iterable[str] = ()
) -> pd.DataFrame:
    """Return the rows of some patients, in their order.

    Args:
        table: Indexed by patient.
        patients: Whom it must name, each once.
        known: Whom it may name besides.

    Raises:
        ConfigError: A patient is missing, unknown or named twice.

    Source: own.
    """
    for what, found in (
        ("no row", [one for one in patients if one not in table.index]),
        ("several rows", list(table.index[table.index.duplicated()].unique())),
        ("a row, though nobody is called so,", sorted(set(table.index) - {*patients, *known})),
    ):
        if found:
            raise ConfigError(
                f"A file of splits or folds must have one row for each patient of the cohort, got "
                f"{what} for {listed(found)}. Mend the file."
            )
    return table.loc[list(patients)]


def with_splits(clinical: pd.DataFrame, file: Path) -> pd.DataFrame:
    """Return a clinical table with the columns `split`, and `site` if it is there, of a file.

    Args:
        clinical: One row a slide or patient.
        file: csv with patient, split (train, validation, test), and perhaps site.

    Raises:
        ConfigError: The file and the table do not name the same patients, or a split is unknown.
        SiteError: The file cannot be read.

    Privacy: membership of patients; stays on the machine.

    Source: own.
    """
    patient = clinical[sole_patient_column(clinical)]
    assigned = row_for_each(read_assigned(file, "split"), list(patient.unique()))
    wrong = assigned.index[~assigned["split"].isin(SPLITS)]
    if len(wrong):
        raise ConfigError(
            f"Split must be {', '.join(SPLITS[:-1])} or {SPLITS[-1]}, got "
            f"{listed(map(repr, assigned['split'][wrong].unique()))} in '{file.name}'. Write it so."
        )
    taken = [name for name in ("split", "site") if name in assigned]
    return clinical.assign(**{name: patient.map(assigned[name]) for name in taken})
