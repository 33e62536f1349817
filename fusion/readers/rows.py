"""The rows of a table: whom each is about, and whether that is certain."""

from collections.abc import Callable

import numpy as np
import pandas as pd

from fusion.readers.columns import Identities, Meanings
from fusion.readers.findings import Findings, counted, listed
from fusion.readers.site import slide_name
from fusion.readers.tables import NOT_KNOWN


class PatientRows:
    """One row a slide, or one row a patient.

    Args:
        table: The table as text.
        columns: Which columns are the patient and the slide.
        findings: Takes every problem of the rows.
        where: What the table is, for messages.

    Privacy: identifiers; they stay in the process.

    Source: own.
    """

    def __init__(
        self,
        table: pd.DataFrame,
        columns: Identities | Meanings,
        findings: Findings,
        where: str = "clinical table",
    ) -> None:
        self.table, self.columns, self.findings, self._where = table, columns, findings, where
        self.patient = table[columns.patient]
        empty = pd.Series("", index=table.index, dtype=object)
        self.slide = table[columns.slide] if columns.slide else empty

    def check(self) -> None:
        """Keep every problem of the rows.

        Source: own.
        """
        self._check_named()
        self._check_repeats()

    def order(self) -> pd.Index:
        """Return the first row of each patient, sorted by identifier.

        Source: own.
        """
        return self.patient[~self.patient.duplicated()].sort_values().index

    def slides(self) -> dict[str, tuple[str, ...]]:
        """Return the slides of each patient who has any, sorted.

        Source: own.
        """
        named = self.slide[self.slide != ""].map(slide_name).groupby(self.patient)
        return {str(patient): tuple(sorted(slides)) for patient, slides in named}

    def clinical(self, taken: tuple[str, ...]) -> tuple[pd.DataFrame, tuple[str, ...]]:
        """Return every other column, one row a patient, and what to know of them.

        Args:
            taken: Columns with a meaning of their own, where the table has them.

        Source: own.
        """
        identities = (self.columns.patient, self.columns.slide)
        other = self.table.drop(columns=[*identities, *taken], errors="ignore")
        first = self.patient[self.order()]
        return other.loc[first.index].set_axis(pd.Index(first, name="patient")), self._varying(
            other
        )

    def _check_named(self) -> None:
        nobody = self.patient.str.lower().isin(NOT_KNOWN)
        self._each(
            nobody, "patient", "not be empty",
            lambda row: f"row {row + 2}" + f" ({self.patient[row]})" * bool(self.patient[row]),
        )  # fmt: skip
        self._check_printable("patient", self.patient)
        self._check_printable("slide", self.slide)

    def _check_printable(self, what: str, names: pd.Series) -> None:
        wrong, rule = ~names.map(str.isprintable), "be a name of printable characters"
        self._each(wrong, what, rule, lambda row: repr(names[row]))

    def _check_repeats(self) -> None:
        pairs = pd.DataFrame({"patient": self.patient, "slide": self.slide.map(slide_name)})
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

    def _each(self, wrong: pd.Series, what: str, rule: str, shown: Callable[[int], str]) -> None:
        """Keep one problem that names the rule and up to three of the rows that break it."""
        rows = [int(row) for row in np.flatnonzero(wrong.to_numpy())]
        if rows:
            self.findings.problem(
                f"{what.capitalize()} must {rule}, got {listed(map(shown, rows))} in the "
                f"{self._where} ({counted(len(rows), 'row')}). Correct or remove them.",
                f"{counted(len(rows), 'row')} of the {self._where} whose {what} must {rule}.",
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
