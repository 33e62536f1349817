"""Excel workbooks with one table, where openpyxl is installed."""

import importlib.util
import warnings
import zipfile
from pathlib import Path

import pandas as pd

from fusion.readers.findings import listed


def read_workbook(path: Path) -> pd.DataFrame:
    """Return the table of a workbook's only sheet; lines that begin with # before it are left out.

    Args:
        path: A file ending in .xlsx.

    Returns:
        Cells as Excel keeps them, column names as text.

    Raises:
        ValueError: openpyxl is not installed, or the workbook has several sheets or is damaged.

    Source: own.
    """
    if importlib.util.find_spec("openpyxl") is None:
        raise ValueError("Excel files need openpyxl, which is not installed; save it as csv")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # openpyxl warns of styles and of links, not of cells
            sheets = pd.read_excel(path, sheet_name=None, header=None, dtype=object)
    except (KeyError, zipfile.BadZipFile) as error:
        raise ValueError(f"it is no whole workbook ({error})") from None
    if len(sheets) > 1:
        raise ValueError(f"it has several sheets ({listed(sheets)}); keep one")
    cells = next(iter(sheets.values()))
    comment = cells.iloc[:, 0].astype(str).str.startswith("#") if len(cells.columns) else []
    first = int(pd.Series(comment, dtype=bool).cummin().sum())
    if len(cells) <= first:
        raise ValueError("its sheet is empty")
    table = cells.iloc[first + 1 :].reset_index(drop=True).infer_objects()
    table.columns = pd.Index([str(name).strip() for name in cells.iloc[first]])
    return table
