"""Omics tables: one row a patient, one column a gene."""

import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass

import numpy as np
import pandas as pd
from jaxtyping import Bool, Float32

from fusion.errors import SiteError
from fusion.readers.findings import Findings, counted, listed
from fusion.readers.site import OmicsFile
from fusion.readers.tables import patient_column, read_table
from fusion.registry import nearest

_FRACTION = re.compile(r"[+-]?\d*\.\d+(e[+-]?\d+)?", re.IGNORECASE)


@dataclass(frozen=True)
class OmicsTable:
    """One kind of omics of a site's patients, in the cohort's order.

    Attributes:
        genes: Column names.
        values: As the table has them; 0 where the patient is absent from it.
        present: True where the patient has a row.
        others: Rows of patients the clinical table does not know.
    """

    genes: tuple[str, ...]
    values: Float32[np.ndarray, "patient gene"]
    present: Bool[np.ndarray, " patient"]
    others: int = 0


def read_omics(
    told: OmicsFile,
    *,
    name: str,
    patients: tuple[str, ...],
    findings: Findings,
    outcomes: Collection[str] = (),
) -> OmicsTable | None:
    """Return one omics table, its rows brought into the order of `patients`.

    Args:
        told: The file; the patient is in `patient`, `patient_id`, `case_id` or the first column,
            every other column is a gene unless the site leaves it out.
        name: The table's name, such as rna.
        patients: The cohort's patients.
        findings: Takes every problem of the table.
        outcomes: Columns that hold outcomes; none may be a gene.

    Returns:
        The table, or None when a problem was found.

    Privacy: identifiers and measurements; they stay in the process.

    Source: own.
    """
    before, what = len(findings.fatal), f"Omics table {name}"
    table = findings.attempt(lambda: _genes(told, what, outcomes))
    if table is None:
        return None
    column = patient_column(table)
    findings.attempt(lambda: _check_header(table.columns, column, patients, what))
    ids = table[column].fillna("").str.strip()
    values = findings.attempt(lambda: _values(table.drop(columns=column), what))
    _check_patients(ids, what, findings)
    if values is not None:
        _check_finite(values, ids, what, findings)
    rows = pd.Index(ids).get_indexer(list(patients)) if ids.is_unique else np.zeros(0, int)
    if patients and ids.is_unique and (rows < 0).all():
        findings.problem(
            f"{what} must share patients with the clinical table, got none (first: '{ids[0]}' "
            f"against '{patients[0]}'). Write the same identifiers in both.",
            f"{what} shares no patient with the clinical table.",
        )
    if values is None or len(findings.fatal) > before:
        return None
    return _aligned(values, rows)


def _check_header(names: Iterable[str], column: str, patients: tuple[str, ...], what: str) -> None:
    """Raise where the first line is a patient's row, or a column has no name.

    A number may name a gene (Entrez), a fraction may not.
    """
    genes = [name for name in map(str, names) if name != column]
    fractions = [name for name in genes if _FRACTION.fullmatch(name)]
    if column in patients or fractions:
        shown = listed([column, *fractions] if column in patients else fractions)
        raise SiteError(
            f"{what} must have a header row, got a patient's row in its place ({shown}). "
            "Write the names of the columns above the first row.",
            public=f"{what} has no header row.",
        )
    unnamed = sum(not name or name.startswith("Unnamed:") for name in genes)
    if unnamed:
        raise SiteError(
            f"{what} must name every gene, got {counted(unnamed, 'column')} without a name beside "
            f"`{column}`. Name such columns, or remove them (row numbers are no gene).",
            public=f"{what} has {counted(unnamed, 'column')} without a name.",
        )


def _genes(told: OmicsFile, what: str, outcomes: Collection[str]) -> pd.DataFrame:
    """Return the patient's column and the genes."""
    table = read_table(told.file, what=what, text=False)
    for name in told.leave_out:
        if name not in table.columns:
            raise SiteError(
                f"{what} must have the columns it leaves out, got no `{name}` in "
                f"'{told.file.name}'. {nearest(name, map(str, table.columns))}",
                public=f"{what} lacks a column that is left out.",
            )
    table = table.drop(columns=[name for name in told.leave_out if name != patient_column(table)])
    leaking = [str(name) for name in table.columns if name in outcomes]
    if leaking:
        raise SiteError(
            f"{what} must not hold the outcome, got {listed(leaking)} in '{told.file.name}'. "
            f'Write {{ file = "...", leave_out = ["{leaking[0]}"] }} for it in site.toml.',
            public=f"{what} holds the outcome.",
        )
    return table


def _values(table: pd.DataFrame, what: str) -> pd.DataFrame:
    if table.shape[1] == 0:
        raise SiteError(
            f"{what} must have at least one gene, got none beside the patient. Export it again.",
            public=f"{what} has no gene.",
        )
    wrong = [str(name) for name, kind in table.dtypes.items() if kind.kind not in "biuf"]
    if wrong:
        shown = (f"`{name}` ('{_first_text(table[name])}')" for name in wrong)
        raise SiteError(
            f"{what} must hold numbers, got text in {listed(shown)} "
            f"({counted(len(wrong), 'column')}). Move such columns to the clinical table, or list "
            "them under leave_out in site.toml.",
            public=f"{what} has {counted(len(wrong), 'column')} of text.",
        )
    with np.errstate(over="ignore"):  # what is too large becomes infinite, and is refused as such
        return table.astype(np.float32)


def _first_text(column: pd.Series) -> object:
    texts = column[pd.to_numeric(column, errors="coerce").isna() & column.notna()]
    return texts.iloc[0] if len(texts) else column.iloc[0]


def _check_patients(ids: pd.Series, what: str, findings: Findings) -> None:
    empty, twice = int((ids == "").sum()), ids[ids.duplicated() & (ids != "")].unique()
    if empty:
        findings.problem(
            f"{what} must name the patient of each row, got {counted(empty, 'empty name')}. "
            "Fill in or remove those rows.",
            f"{what} has {counted(empty, 'row')} without a patient.",
        )
    if len(twice):
        findings.problem(
            f"{what} must have one row a patient, got more for {listed(twice)} "
            f"({counted(len(twice), 'patient')}). Keep one row of each.",
            f"{what} has {counted(len(twice), 'patient')} twice.",
        )


def _check_finite(values: pd.DataFrame, ids: pd.Series, what: str, findings: Findings) -> None:
    wrong = ~np.isfinite(values.to_numpy())
    if wrong.any():
        genes = values.columns[wrong.any(axis=0)]
        row = int(np.flatnonzero(wrong.any(axis=1))[0])
        number = counted(int(wrong.sum()), "empty or infinite value")
        findings.problem(
            f"{what} must hold finite numbers, got {number} in {listed(genes)}, first at "
            f"{ids[row]}. Impute them, or remove the gene or the row.",
            f"{what} has {number}.",
        )


def _aligned(values: pd.DataFrame, rows: np.ndarray) -> OmicsTable:
    present = rows >= 0
    aligned = np.zeros((len(rows), values.shape[1]), np.float32)
    aligned[present] = values.to_numpy()[rows[present]]
    return OmicsTable(
        genes=tuple(str(name) for name in values.columns),
        values=aligned,
        present=present,
        others=len(values) - int(present.sum()),
    )
