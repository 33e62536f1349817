"""One h5 file with the patches of one slide, checked before a number is used."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from jaxtyping import Float, Int

from fusion.errors import SiteError

_DAMAGE = (OSError, RuntimeError, KeyError, TypeError, ValueError)
"""What h5py raises where a file is damaged inside."""


class BagFile:
    """The patches of one slide, open for reading.

    Args:
        path: An h5 file with a dataset `features`, regions x width, or 1 x regions x width.
        width: Numbers a patch.

    Raises:
        SiteError: The file is missing, truncated or no h5 file, lacks `features`, or they have
            another width.

    Privacy: patch features; they stay in the process.

    Source: own.
    """

    def __init__(self, path: Path, width: int) -> None:
        self._path = path
        try:
            self._file = h5py.File(path, "r", locking=False)
        except (OSError, RuntimeError) as error:
            raise self._unreadable(error) from None
        try:
            self._data: Any = self._file.get("features")
            fault = self._fault(width)
        except _DAMAGE as error:
            fault = self._unreadable(error)
        if fault is not None:
            self._file.close()
            raise fault

    def __enter__(self) -> "BagFile":
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def __len__(self) -> int:
        return int(self._data.shape[-2])

    @property
    def size(self) -> int:
        """Bytes of all patches in the file's own precision.

        Source: own.
        """
        return int(np.prod(self._data.shape)) * self._data.dtype.itemsize

    def all(self) -> Float[np.ndarray, "patch feature"]:
        """Return every patch in the file's own precision.

        Raises:
            SiteError: A part of the file is damaged, or a value is not finite.

        Source: own.
        """
        return self._checked(lambda: self._data[()].reshape(-1, self._data.shape[-1]))

    def rows(self, rows: Int[np.ndarray, " row"]) -> Float[np.ndarray, "row feature"]:
        """Return some patches, reading as little as the file's layout allows.

        Args:
            rows: Which, in increasing order; at least one.

        Raises:
            SiteError: A part of the file is damaged, or a value is not finite.

        Source: own.
        """
        first, stop = int(rows[0]), int(rows[-1]) + 1
        width = self._data.shape[-1]
        if stop - first == len(rows):
            return self._checked(lambda: self._data[..., first:stop, :].reshape(-1, width))
        offset = self._offset()
        if offset is None:
            return self._checked(lambda: self._data[..., rows, :].reshape(-1, width))
        return self._checked(
            lambda: np.memmap(self._path, self._data.dtype, "r", offset, (len(self), width))[rows]
        )

    def _offset(self) -> int | None:
        """Return where the patches begin if they lie in one piece: quicker to pick from."""
        whole = self._data.chunks is None and not self._data.is_virtual and not self._data.external
        return self._data.id.get_offset() if whole and not self._file.userblock_size else None

    def _checked(self, read: Callable[[], np.ndarray]) -> np.ndarray:
        try:
            values = np.asarray(read())
        except _DAMAGE as error:
            raise self._unreadable(error) from None
        if not np.isfinite(values).all():
            raise SiteError(
                f"Patch features must be finite, got NaN or infinity in '{self._path.name}'. "
                "Extract that slide again, or list it under `missing` in site.toml.",
                public="Patch features that are not finite.",
            )
        return values

    def _fault(self, width: int) -> SiteError | None:
        """Return what is wrong with the dataset, None when nothing is."""
        shape, kind = getattr(self._data, "shape", None), getattr(self._data, "dtype", None)
        name = self._path.name
        if shape is None or kind is None:
            found = ", ".join(sorted(self._file)) or "nothing"
            return SiteError(
                f"Bag must hold a dataset `features`, got {found} in '{name}'. "
                "Rename it, or extract that slide again.",
                public="A bag without a dataset `features`.",
            )
        if kind.kind != "f" or len(shape) not in (2, 3) or (len(shape) == 3 and shape[0] != 1):
            return SiteError(
                f"Patch features must be floating-point numbers of shape regions x width, got "
                f"{kind} of shape {shape} in '{name}'. Extract that slide again.",
                public="Patch features of the wrong shape.",
            )
        return _size_fault(name, rows=shape[-2], found=shape[-1], width=width)

    def _unreadable(self, error: Exception) -> SiteError:
        if not self._path.is_file():
            return SiteError(
                f"Bag must exist, got no file '{self._path.name}' in '{self._path.parent}'. "
                "Extract it, or list it under `missing` in site.toml.",
                public="A bag is missing.",
            )
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        return SiteError(
            f"Bag must be a whole h5 file, got '{self._path.name}' ({reason}). Copy or extract "
            "that slide again, or list it under `missing` in site.toml.",
            public="A bag is truncated or no h5 file.",
        )


def _size_fault(name: str, *, rows: int, found: int, width: int) -> SiteError | None:
    if found != width:
        return SiteError(
            f"Patch features must have width {width}, got {found} in '{name}'. "
            "Use one encoder for all slides, or mend features.width in site.toml.",
            public=f"Patch features of a width other than {width}.",
        )
    if rows == 0:
        return SiteError(
            f"Bag must hold at least one patch, got none in '{name}'. "
            "Extract that slide again, or list it under `missing` in site.toml.",
            public="A bag without patches.",
        )
    return None
