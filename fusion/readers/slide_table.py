"""A table of its own that says which slides each patient has."""

from collections.abc import Mapping

from fusion.readers.columns import slide_table_columns
from fusion.readers.findings import Findings
from fusion.readers.rows import PatientRows
from fusion.readers.site import SlideTable
from fusion.readers.tables import read_table


def read_slide_table(told: SlideTable, findings: Findings) -> Mapping[str, tuple[str, ...]] | None:
    """Return the slides of each patient who has any, sorted.

    Args:
        told: The file, and which column is what where the site says so.
        findings: Takes every problem of the table.

    Returns:
        The slides by patient, or None when a problem was found.

    Privacy: identifiers; they stay in the process.

    Source: own.
    """
    before = len(findings.fatal)
    table = findings.attempt(lambda: read_table(told.file, what="Slide table", text=True))
    columns = None if table is None else slide_table_columns(table.columns, told, findings)
    if table is None or columns is None:
        return None
    rows = PatientRows(table, columns, findings, "slide table")
    rows.check()
    return rows.slides() if len(findings.fatal) == before else None
