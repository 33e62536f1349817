"""One parquet file with the features of all slides: one row a slide, or one row a patch."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from jaxtyping import Float, Int

from fusion.errors import SiteError
from fusion.readers.findings import counted, listed
from fusion.readers.formats.bag import DAMAGE, PLAIN, AbstractBag, Held
from fusion.readers.formats.parquet_columns import embedding_columns
from fusion.readers.formats.registry import PARQUET
from fusion.readers.formats.stamp import Stamp, sampled
from fusion.readers.site import slide_name
from fusion.readers.tables import text_cells

KEPT_BYTES = 32 * 2**20
"""Features that take no more are read once and kept; of others each slide is read when needed."""

_AT_ONCE = 4096


class EmbeddingTable:
    """The features of all slides in one parquet file.

    Args:
        path: The file; `embedding_columns` says what it may hold.
        kept_bytes: Most bytes of features to keep in memory.

    Attributes:
        path: The file.
        width: Numbers a row.
        slides: Rows of each slide, in increasing order; of each patient where no slide is named.
        patients: Slides of each patient, sorted; empty = the file names no patient.
        mark: What the fingerprint of a site knows of the file.

    Raises:
        SiteError: The file is missing or no parquet file, its columns are not certain, or a slide
            belongs to two patients or to none; when reading, the file was changed.

    Privacy: features and identifiers; they stay in the process.

    Source: own.
    """

    def __init__(self, path: Path, kept_bytes: int = KEPT_BYTES) -> None:
        self.path = path
        if not path.is_file():
            raise SiteError(
                f"File of features must exist, got no file '{path}'. Mend features.file in "
                "site.toml, or remove [features] if the site has no slides.",
                public="The file of features is missing.",
            )
        try:
            self._stamp, self.mark = Stamp.of(path), sampled(path)
            with pq.ParquetFile(path) as file:
                self._columns = embedding_columns(file, path.name)
                groups = range(file.metadata.num_row_groups)
                sizes = [file.metadata.row_group(group).num_rows for group in groups]
                names = file.read(columns=self._columns.names).to_pandas(ignore_metadata=True)
        except SiteError:
            raise
        except DAMAGE as error:
            raise _unreadable(path, error) from None
        self._ends = np.cumsum([0, *sizes])
        self._values: np.ndarray | None = None
        self.width, self.itemsize = self._columns.width, self._columns.dtype.itemsize
        self.size = len(names) * self.width * self.itemsize
        self._keep = self.size <= kept_bytes
        self.slides, self.patients = _index(
            text_cells(names), self._columns.slide, self._columns.patient, path.name
        )

    def told(self) -> str:
        """Return what the file is, for the screen.

        Source: own.
        """
        how = "read once and kept in memory" if self._keep else "each slide read when it is needed"
        rows, slides = counted(int(self._ends[-1]), "row"), counted(len(self.slides), "slide")
        return f"one file: {rows} of {slides}, {self.size / 2**20:,.1f} MiB, {how}"

    def read(self, rows: Int[np.ndarray, " row"]) -> Float[np.ndarray, "row feature"]:
        """Return the features of some rows.

        Args:
            rows: Which, in increasing order.

        Raises:
            SiteError: The file is damaged, or a list has another length.

        Source: own.
        """
        try:
            if not self._keep:
                return self._scan(rows)
            if self._values is None:
                self._values = self._scan(np.arange(self._ends[-1]))
        except SiteError:
            raise
        except DAMAGE as error:
            raise _unreadable(self.path, error) from None
        return self._values[rows]

    def _scan(self, rows: np.ndarray) -> np.ndarray:
        self._stamp.check(self.path)
        out = np.empty((len(rows), self.width), self._columns.dtype)
        for start, batch in self._batches(rows):
            first, last = np.searchsorted(rows, [start, start + batch.num_rows])
            if last > first:
                out[first:last] = self._numbers(batch)[rows[first:last] - start]
        return out

    def _batches(self, rows: np.ndarray) -> Iterator[tuple[int, pa.RecordBatch]]:
        """Yield the first row and the features of each piece of the row groups that hold `rows`."""
        groups = np.unique(np.searchsorted(self._ends, rows, side="right") - 1)
        with pq.ParquetFile(self.path) as file:
            for group in groups.tolist():
                start = int(self._ends[group])
                for batch in file.iter_batches(
                    _AT_ONCE, row_groups=[group], columns=list(self._columns.features)
                ):
                    yield start, batch
                    start += batch.num_rows

    def _numbers(self, batch: pa.RecordBatch) -> np.ndarray:
        columns = batch.columns
        if not self._columns.lists:
            return np.stack([one.to_numpy(zero_copy_only=False) for one in columns], axis=1)
        lists = columns[0]
        lengths = set(pc.list_value_length(lists).to_pylist())
        if lengths != {self.width}:
            others = sorted(str(length) for length in lengths - {self.width})
            raise SiteError(
                f"Lists of features must have width {self.width}, as the first row, got "
                f"{listed(others)} in '{self.path.name}'. Use one encoder for all slides.",
                public=f"Patch features of a width other than {self.width}.",
            )
        return lists.flatten().to_numpy(zero_copy_only=False).reshape(-1, self.width)


class RowsBag(AbstractBag):
    """The rows of one slide in a parquet file.

    Args:
        table: The file.
        slide: A slide in it.
        width: Numbers a row; None = any.

    Raises:
        SiteError: The rows have another width.

    Privacy: features; they stay in the process.

    Source: own.
    """

    kind = "parquet"

    def __init__(self, table: EmbeddingTable, slide: str, width: int | None) -> None:
        super().__init__(table.path, PLAIN)
        self._table, self._rows = table, table.slides[slide]
        shape = (len(self._rows), table.width)
        self._accept(Held("", shape, floating=True, itemsize=table.itemsize), width)

    def close(self) -> None:
        """Nothing is left open between reads."""

    def _take(self, rows: Int[np.ndarray, " row"] | None) -> Float[np.ndarray, "row feature"]:
        return self._table.read(self._rows if rows is None else self._rows[rows])


@dataclass(frozen=True)
class SlideRows:
    """Where the features of one slide lie in a parquet file.

    Attributes:
        table: The file.
        name: The slide; the patient where the file names no slide.
        format: The name of this format.

    Privacy: the name may hold an identifier; it stays at the site.
    """

    table: EmbeddingTable
    name: str
    format: str = PARQUET

    @property
    def mark(self) -> str:
        """What the fingerprint of a site knows of this slide.

        Source: own.
        """
        return f"{self.name} {len(self.table.slides[self.name])} {self.table.mark}"

    def open(self, width: int | None) -> AbstractBag:
        """Return the patches, open for reading.

        Args:
            width: Numbers a patch; None = any.

        Raises:
            SiteError: The rows have another width.

        Source: own.
        """
        return RowsBag(self.table, self.name, width)


def _index(
    names: pd.DataFrame, slide: str, patient: str, file: str
) -> tuple[dict[str, np.ndarray], dict[str, tuple[str, ...]]]:
    """Return the rows of each slide, and the slides of each patient."""
    for column in names:
        empty = int((names[column] == "").sum())
        if empty:
            raise SiteError(
                f"File of features must name the {'slide' if column == slide else 'patient'} of "
                f"each row, got {counted(empty, 'empty name')} in '{file}'. Remove those rows.",
                public="Rows of features without a name.",
            )
    bags = names[slide].map(slide_name) if slide else names[patient]
    rows = {str(bag): np.sort(where) for bag, where in bags.groupby(bags).indices.items()}
    if not patient:
        return rows, {}
    pairs = pd.DataFrame({"bag": bags, "patient": names[patient]}).drop_duplicates()
    shared = pairs.bag[pairs.bag.duplicated()]
    if len(shared):
        raise SiteError(
            f"Slide must belong to one patient, got several at {listed(shared.unique())} in "
            f"'{file}'. Correct the file.",
            public="Slides of several patients in the file of features.",
        )
    return rows, {str(one): tuple(sorted(held)) for one, held in pairs.groupby("patient")["bag"]}


def _unreadable(path: Path, error: Exception) -> SiteError:
    return SiteError(
        f"File of features must be a whole parquet file, got '{path.name}' "
        f"({(str(error).splitlines() or [type(error).__name__])[0]}). Copy or export it again.",
        public="The file of features is truncated or no parquet file.",
    )
