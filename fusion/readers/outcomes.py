"""The clinical table: one outcome a patient, in days, and the slides each patient has."""

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from jaxtyping import Bool, Float, Shaped

from fusion.errors import SiteError
from fusion.readers.columns import Meanings, column_meanings, identity_columns
from fusion.readers.findings import Findings, counted, listed
from fusion.readers.rows import PatientRows
from fusion.readers.site import TIME_UNITS, ClinicalTable
from fusion.readers.slide_table import read_slide_table
from fusion.readers.tables import NOT_KNOWN, read_table

SPLITS = ("train", "validation", "test")
"""Values of the optional column `split`."""

_LONGEST = 120 * 365.25


@dataclass(frozen=True)
class Outcomes:
    """What the clinical table says of each patient, in the patients' sorted order.

    Attributes:
        patients: Identifiers; they stay at the site.
        time: Follow-up in days; None = outcomes were not asked for.
        event: True = event seen; None = outcomes were not asked for.
        slides: Names of each patient's slides, sorted.
        clinical: Every other column as text, one row a patient.
        fixed_split: Value of the column `split`; None = there is none.
        notes: What the columns are taken to mean.
    """

    patients: tuple[str, ...]
    time: Float[np.ndarray, " patient"] | None
    event: Bool[np.ndarray, " patient"] | None
    slides: tuple[tuple[str, ...], ...]
    clinical: pd.DataFrame
    fixed_split: Shaped[np.ndarray, " patient"] | None
    notes: tuple[str, ...]


def read_outcomes(told: ClinicalTable, findings: Findings) -> Outcomes | None:
    """Return the outcomes of a clinical table with one row a slide, or one row a patient.

    Args:
        told: The file, and what its columns mean where the site says so.
        findings: Takes every problem of the table.

    Returns:
        The outcomes, or None when a problem was found.

    Privacy: identifiers and outcomes; they stay in the process.

    Source: own.
    """
    before = len(findings.fatal)
    table = findings.attempt(lambda: read_table(told.file, what="Clinical table", text=True))
    meanings = None if table is None else column_meanings(table.columns, told, findings)
    if table is None or meanings is None:
        return None
    left_out: tuple[str, ...] = ()
    if told.leave_out:
        table, left_out = _followed(table, meanings, findings)
    rows = _OutcomeRows(table, meanings, findings)
    rows.check()
    if len(findings.fatal) > before:
        return None
    outcomes = rows.outcomes()
    return _with_slides(replace(outcomes, notes=outcomes.notes + left_out), told, findings)


def read_identities(told: ClinicalTable, findings: Findings) -> Outcomes | None:
    """Return who is in a clinical table that need not have outcomes; those it has are not read.

    Args:
        told: The file, and what its columns mean where the site says so.
        findings: Takes every problem of the patients and slides.

    Returns:
        Patients without time, event and split, or None when a problem was found.

    Privacy: identifiers; they stay in the process.

    Source: own.
    """
    before = len(findings.fatal)
    table = findings.attempt(lambda: read_table(told.file, what="Clinical table", text=True))
    columns = None if table is None else identity_columns(table.columns, told, findings)
    if table is None or columns is None:
        return None
    rows = PatientRows(table, columns, findings)
    rows.check()
    if len(findings.fatal) > before:
        return None
    outcomes = _joined(rows, taken=(*columns.outcomes, "split"), notes=columns.sentences())
    return _with_slides(outcomes, told, findings)


def _followed(
    table: pd.DataFrame, meanings: Meanings, findings: Findings
) -> tuple[pd.DataFrame, tuple[str, ...]]:
    """Return the rows of patients whose follow-up and status are known, and what was left out."""
    told = table[[meanings.time, meanings.status]].apply(lambda column: column.str.lower())
    known = ~told.isin(NOT_KNOWN).any(axis=1)
    whole = known.groupby(table[meanings.patient]).transform("any")
    others = table[meanings.patient][~whole].nunique()
    if not whole.any():
        findings.problem(
            "Clinical table must have patients whose follow-up and status are known, got "
            f"{counted(others, 'patient')} without. Fill them in.",
            "No patient with an outcome.",
        )
    note = f"{counted(others, 'patient')} without follow-up or status: left out."
    return table[whole].reset_index(drop=True), (note,) * bool(others)


def _with_slides(outcomes: Outcomes, told: ClinicalTable, findings: Findings) -> Outcomes | None:
    """Return the outcomes with the slides that a table of its own names, if there is one."""
    if told.slides is None:
        return outcomes
    named = read_slide_table(told.slides, findings)
    if named is None:
        return None
    others = sum(map(len, named.values())) - sum(len(named.get(p, ())) for p in outcomes.patients)
    note = f"Slide table: {counted(others, 'slide')} of patients not in the clinical table, unused."
    return replace(
        outcomes,
        slides=tuple(named.get(patient, ()) for patient in outcomes.patients),
        notes=outcomes.notes + (note,) * bool(others),
    )


def _joined(rows: PatientRows, *, taken: tuple[str, ...], notes: tuple[str, ...]) -> Outcomes:
    """Return the rows joined by patient, without time, event and split."""
    clinical, remarks = rows.clinical(taken)
    named = rows.slides()
    return Outcomes(
        patients=tuple(clinical.index),
        time=None,
        event=None,
        slides=tuple(named.get(patient, ()) for patient in clinical.index),
        clinical=clinical,
        fixed_split=None,
        notes=notes + remarks,
    )


class _OutcomeRows(PatientRows):
    """The rows of a clinical table whose columns are all understood."""

    def __init__(self, table: pd.DataFrame, meanings: Meanings, findings: Findings) -> None:
        super().__init__(table, meanings, findings)
        self.meanings = meanings
        self.time = _numbers(table[meanings.time]) * TIME_UNITS[meanings.unit]
        status = table[meanings.status].map(_plain)
        self.event = status.isin([_plain(value) for value in meanings.event_values])
        self.censored = status.isin([_plain(value) for value in meanings.censored_values])

    def check(self) -> None:
        """Keep every problem of the rows, those of one outcome before those between rows.

        Source: own.
        """
        self._check_named()
        self._check_time()
        if (self.event & self.censored).any():
            told = self.meanings
            self.findings.problem(
                "event_value and censored_value must differ, got "
                f"'{' or '.join(told.event_values)}' and '{' or '.join(told.censored_values)}' in "
                f"site.toml. Write the two values of `{told.status}`.",
                "One status for an event and for censoring.",
            )
        wrong = ~(self.event | self.censored)
        self._each(
            wrong, "status",
            f"be {' or '.join(self.meanings.event_values + self.meanings.censored_values)}",
            lambda row: f"'{self.table[self.meanings.status][row]}' at {self.patient[row]}",
        )  # fmt: skip
        self._check_repeats()
        self._check_agreement()
        self._check_split()

    def _check_time(self) -> None:
        written = self.table[self.meanings.time]

        def shown(row: int) -> str:
            return f"'{written[row]}' at {self.patient[row]}"

        self._each(~np.isfinite(self.time), "time", "be a finite number", shown)
        self._each(self.time < 0, "time", "be >= 0", shown)
        instant = (self.time == 0) & self.event
        self._each(instant, "time", "be > 0 where the event was seen", shown)
        longest = self.time[np.isfinite(self.time)].max()
        if longest > _LONGEST:
            self.findings.warning(
                f"Follow-up reaches {longest / 365.25:,.0f} years. Check time_unit in site.toml.",
                "Follow-up is longer than a life.",
            )

    def _check_agreement(self) -> None:
        values = pd.DataFrame({"time": self.time, "event": self.event, "patient": self.patient})
        differs = values.groupby("patient").nunique(dropna=False).gt(1).any(axis=1)
        names = list(differs.index[differs])
        if names:
            self.findings.problem(
                f"Patient must have one outcome, got several at {listed(names)} "
                f"({counted(len(names), 'patient')}) in the clinical table. "
                "Give each patient's rows the same time and status.",
                f"{counted(len(names), 'patient')} with conflicting outcomes.",
            )

    def _check_split(self) -> None:
        if "split" not in self.table:
            return
        split = self.table["split"].map(_split)
        self._each(
            ~split.isin(SPLITS), "split", f"be {', '.join(SPLITS[:-1])} or {SPLITS[-1]}",
            lambda row: f"'{self.table['split'][row]}' at {self.patient[row]}",
        )  # fmt: skip
        several = split.groupby(self.patient).nunique().gt(1)
        if several.any():
            self.findings.problem(
                f"Patient must lie in one split, got several at {listed(several.index[several])} "
                "in the clinical table. Keep a patient's rows together.",
                f"{counted(int(several.sum()), 'patient')} in several splits.",
            )

    def outcomes(self) -> Outcomes:
        """Return the rows joined by patient.

        Source: own.
        """
        order, known = self.order(), self.meanings
        split = self.table["split"].map(_split)[order] if "split" in self.table else None
        return replace(
            _joined(self, taken=(known.time, known.status, "split"), notes=known.sentences()),
            time=self.time[order].to_numpy(np.float64),
            event=self.event[order].to_numpy(bool),
            fixed_split=None if split is None else split.to_numpy(str),
        )


def clinical_numbers(values: pd.Series) -> Float[np.ndarray, " patient"]:
    """Return a clinical column as numbers, NaN where it is not known.

    Args:
        values: Texts of one column, one a patient.

    Raises:
        SiteError: A text is neither a finite number nor a word for "not known".

    Privacy: values of patients; they stay in the process.

    Source: own.
    """
    numbers, known = _numbers(values), ~values.str.lower().isin(NOT_KNOWN)
    wrong = known & ~np.isfinite(numbers)
    if wrong.any():
        raise SiteError(
            f"Clinical column `{values.name}` must be numbers, got "
            f"{listed(repr(text) for text in values[wrong].unique())}. "
            "Code it as numbers, or leave it out of data.clinical.",
            public=f"Clinical column `{values.name}` is not numeric.",
        )
    return numbers.where(known).to_numpy(np.float64)


def _numbers(values: pd.Series) -> pd.Series:
    return pd.to_numeric(values, errors="coerce").astype(np.float64)


def _plain(value: str) -> str:
    """Return a status in one spelling: 1, 1.0 and True are the same."""
    lowered = value.strip().lower()
    truth = {"true": "1", "false": "0"}
    try:
        return f"{float(truth.get(lowered, lowered)):g}"
    except ValueError:
        return lowered


def _split(value: str) -> str:
    return {"val": "validation", "valid": "validation"}.get(value.lower(), value.lower())
