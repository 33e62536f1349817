"""The clinical table: one outcome a patient, in days, and the slides each patient has."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd
from jaxtyping import Bool, Float, Shaped

from fusion.errors import SiteError
from fusion.readers.columns import Meanings, column_meanings
from fusion.readers.findings import Findings, counted, listed
from fusion.readers.site import TIME_UNITS, ClinicalTable, bag_file
from fusion.readers.tables import NOT_KNOWN, read_table

SPLITS = ("train", "validation", "test")
"""Values of the optional column `split`."""

_LONGEST = 120 * 365.25


@dataclass(frozen=True)
class Outcomes:
    """What the clinical table says of each patient, in the patients' sorted order.

    Attributes:
        patients: Identifiers; they stay at the site.
        time: Follow-up in days.
        event: True = event seen.
        slides: File names of the patient's bags.
        clinical: Every other column as text, one row a patient.
        fixed_split: Value of the column `split`; None = there is none.
        notes: What the columns are taken to mean.
    """

    patients: tuple[str, ...]
    time: Float[np.ndarray, " patient"]
    event: Bool[np.ndarray, " patient"]
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
    rows = _Rows(table, meanings, findings)
    rows.check()
    return rows.outcomes() if len(findings.fatal) == before else None


class _Rows:
    """The rows of a clinical table whose columns are understood."""

    def __init__(self, table: pd.DataFrame, meanings: Meanings, findings: Findings) -> None:
        self.table, self.meanings, self.findings = table, meanings, findings
        self.patient = table[meanings.patient]
        self.time = _numbers(table[meanings.time]) * TIME_UNITS[meanings.unit]
        status = table[meanings.status].map(_plain)
        self.event = status == _plain(meanings.event_value)
        self.censored = status == _plain(meanings.censored_value)
        empty = pd.Series("", index=table.index, dtype=object)
        self.slide = table[meanings.slide] if meanings.slide else empty

    def check(self) -> None:
        """Keep every problem of the rows, those of one outcome before those between rows.

        Source: own.
        """
        self._each(self.patient == "", "patient", "not be empty", lambda row: f"row {row + 2}")
        self._check_time()
        wrong = ~(self.event | self.censored)
        self._each(
            wrong, "status",
            f"be {self.meanings.event_value} or {self.meanings.censored_value}",
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

    def _check_repeats(self) -> None:
        pairs = pd.DataFrame({"patient": self.patient, "slide": self.slide.map(_bag)})
        repeated = pairs.duplicated()
        self._each(
            repeated, "patient", "have one row, or one row a slide",
            lambda row: f"a second row at {self.patient[row]}" + f" {self.slide[row]}".rstrip(),
        )  # fmt: skip
        named = pairs[(pairs.slide != "") & ~repeated]
        shared = named.index[named.slide.duplicated(keep=False)]
        self._each(
            pd.Series(self.table.index.isin(shared)), "slide", "belong to one patient",
            lambda row: f"{self.slide[row]} at {self.patient[row]}",
        )  # fmt: skip
        folders = self.slide.str.contains(r"[/\\]|^\.\.?$", regex=True)
        self._each(folders, "slide", "be a name without folders", lambda row: self.slide[row])

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

    def _each(self, wrong: pd.Series, what: str, rule: str, shown: Callable[[int], str]) -> None:
        """Keep one problem that names the rule and up to three of the rows that break it."""
        rows = [int(row) for row in np.flatnonzero(wrong.to_numpy())]
        if rows:
            self.findings.problem(
                f"{what.capitalize()} must {rule}, got {listed(map(shown, rows))} in the clinical "
                f"table ({counted(len(rows), 'row')}). Correct or remove them.",
                f"{counted(len(rows), 'row')} of the clinical table whose {what} must {rule}.",
            )

    def outcomes(self) -> Outcomes:
        """Return the rows joined by patient.

        Source: own.
        """
        first = ~self.patient.duplicated()
        order = self.patient[first].sort_values().index
        patients = tuple(self.patient[order])
        bags = self.slide[self.slide != ""].map(_bag).groupby(self.patient).apply(tuple)
        taken = [self.meanings.patient, self.meanings.slide, self.meanings.time]
        other = self.table.drop(columns=[self.meanings.status, "split", *taken], errors="ignore")
        split = self.table["split"].map(_split)[order] if "split" in self.table else None
        return Outcomes(
            patients=patients,
            time=self.time[order].to_numpy(np.float64),
            event=self.event[order].to_numpy(bool),
            slides=tuple(tuple(sorted(bags.get(patient, ()))) for patient in patients),
            clinical=other.loc[order].set_axis(pd.Index(patients, name="patient")),
            fixed_split=None if split is None else split.to_numpy(str),
            notes=self.meanings.sentences() + self._varying(other),
        )

    def _varying(self, other: pd.DataFrame) -> tuple[str, ...]:
        """Return a sentence for each other column that differs within a patient."""
        several = other.groupby(self.patient.to_numpy()).nunique().gt(1).sum()
        return tuple(
            f"`{name}` differs between the rows of {counted(int(number), 'patient')}: "
            "the first row counts."
            for name, number in several.items()
            if number
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


def _bag(slide: str) -> str:
    return bag_file(slide) if slide else ""


def _split(value: str) -> str:
    return {"val": "validation", "valid": "validation"}.get(value.lower(), value.lower())
