"""Which columns of a parquet file with features are what; what is not certain is asked for."""

import re
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from fusion.errors import SiteError
from fusion.readers.findings import listed
from fusion.readers.tables import ID_COLUMNS, SLIDE_COLUMNS, columns_named

_NUMBERED = re.compile(r"(.*?)(\d+)")


@dataclass(frozen=True)
class EmbeddingColumns:
    """Which columns are what.

    Attributes:
        slide: Column of the slide; empty = a patient's rows are one bag.
        patient: Column of the patient; empty = the clinical table says whose a slide is.
        features: One column of lists, or one column a number, in order.
        lists: True = one column of lists.
        width: Numbers a row.
        dtype: Type of the numbers.
    """

    slide: str
    patient: str
    features: tuple[str, ...]
    lists: bool
    width: int
    dtype: np.dtype

    @property
    def names(self) -> list[str]:
        """The columns that say whom a row is about.

        Source: own.
        """
        return [name for name in (self.slide, self.patient) if name]


def embedding_columns(file: pq.ParquetFile, name: str) -> EmbeddingColumns:
    """Return which columns of a file are what, by their names and types.

    The slide is in `slide` or `slide_id`, the patient in `patient`, `patient_id` or `case_id`, in
    any case of letters. The features are the one column of lists; without any, the floating-point
    columns of one name with a number behind it. Every other column is left alone.

    Args:
        file: An open file.
        name: Its name, for messages.

    Raises:
        SiteError: A column is not certain.

    Source: own.
    """
    schema = file.schema_arrow
    slides = columns_named(schema.names, SLIDE_COLUMNS)
    patients = columns_named(schema.names, ID_COLUMNS)
    if not slides and not patients:
        known = ", ".join(SLIDE_COLUMNS + ID_COLUMNS)
        raise _asks(f"name the slide or the patient of each row ({known})", schema.names, name)
    slide = _only(slides, "have one column of the slide", name) if slides else ""
    patient = _only(patients, "have one column of the patient", name) if patients else ""
    lists = [field.name for field in schema if _is_list(field.type)]
    if lists:
        column = _only(lists, "have one column of lists", name)
        kind = _numpy(schema.field(column).type.value_type, column, name)
        return EmbeddingColumns(slide, patient, (column,), True, _length(file, column), kind)
    features = _numbered(schema, name)
    kinds = [_numpy(schema.field(column).type, column, name) for column in features]
    kind = np.result_type(*kinds)
    return EmbeddingColumns(slide, patient, features, False, len(features), kind)


def _numbered(schema: pa.Schema, name: str) -> tuple[str, ...]:
    """Return the floating-point columns of one name with a number behind it, by number."""
    found: dict[str, dict[int, str]] = {}
    for field in schema:
        match = _NUMBERED.fullmatch(field.name)
        if match and pa.types.is_floating(field.type):
            found.setdefault(match[1], {})[int(match[2])] = field.name
    if not found:
        rule = "hold features in a column of lists, or in floating-point columns such as f0, f1"
        raise _asks(rule, schema.names, name)
    stem = _only([f"{stem}0" for stem in found], "hold one set of numbered columns", name)[:-1]
    return tuple(column for _, column in sorted(found[stem].items()))


def _is_list(kind: pa.DataType) -> bool:
    types = pa.types
    return types.is_list(kind) or types.is_large_list(kind) or types.is_fixed_size_list(kind)


def _length(file: pq.ParquetFile, column: str) -> int:
    """Return the length of the first row's list; 0 where there is none."""
    kind = file.schema_arrow.field(column).type
    if pa.types.is_fixed_size_list(kind):
        return int(kind.list_size)
    for batch in file.iter_batches(batch_size=1, columns=[column]):
        return len(batch.column(0)[0].values or ())
    return 0


def _numpy(kind: pa.DataType, column: str, name: str) -> np.dtype:
    if not pa.types.is_floating(kind):
        raise _asks(f"hold floating-point numbers in `{column}`", [str(kind)], name)
    return np.dtype(kind.to_pandas_dtype())


def _only(found: list[str], rule: str, name: str) -> str:
    if len(found) > 1:
        raise _asks(rule, found, name)
    return found[0]


def _asks(rule: str, got: Iterable[str], name: str) -> SiteError:
    return SiteError(
        f"File of features must {rule}, got {listed(got, 6)} in '{name}'. Export it with such "
        "columns alone.",
        public="The columns of the file of features are not certain.",
    )
