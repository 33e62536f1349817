"""One h5 file with the patches of one slide."""

from collections.abc import Mapping
from math import prod
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from jaxtyping import Float, Int

from fusion.errors import SiteError
from fusion.readers.formats.bag import (
    DAMAGE,
    LEVEL0_PIXEL,
    PLAIN,
    AbstractBag,
    Coordinates,
    Held,
    Layout,
)  # fmt: skip


class H5Bag(AbstractBag):
    """The patches of one slide in an h5 file.

    Args:
        path: An h5 file with a dataset of features, regions x width, or 1 x regions x width.
        width: Numbers a patch; None = any.
        layout: What the format promises.

    Raises:
        SiteError: The file is missing, truncated or no h5 file, lacks its dataset, or the features
            have another width.

    Privacy: patch features; they stay in the process. Of the attributes only numbers that size a
        patch are read: others hold names and paths.

    Source: own.
    """

    kind = "h5"

    def __init__(self, path: Path, width: int | None, layout: Layout = PLAIN) -> None:
        super().__init__(path, layout)
        try:
            self._file = h5py.File(path, "r", locking=False)
        except (OSError, RuntimeError) as error:
            raise self._unreadable(error) from None
        try:
            self._data: Any = self._dataset()
            held = self._described()
        except SiteError:
            self.close()
            raise
        except DAMAGE as error:
            self.close()
            raise self._unreadable(error) from None
        self._accept(held, width)

    def close(self) -> None:
        """Let go of the file."""
        self._file.close()

    def coordinates(self) -> Coordinates | None:
        """Return where the patches lie, None where the file does not say.

        Raises:
            SiteError: There is not one finite pair a patch, or the file is damaged.

        Source: own; units: CLAM and TRIDENT write pixels of level 0, STAMP micrometres where it
            says so. The unit of older STAMP files is not stated, and not guessed.
        """
        try:
            unit, held = self._unit(), self._file.get("coords")
            if unit is None or not isinstance(held, h5py.Dataset):
                return None
            values = np.asarray(held[()])
        except DAMAGE as error:
            raise self._unreadable(error) from None
        if values.shape[:-2] == (1,):
            values = values[0]
        if values.dtype.kind not in "iuf" or values.shape != (len(self), 2):
            raise self._misplaced(f"{values.dtype} of shape {values.shape}")
        if not np.isfinite(values).all():
            raise self._misplaced("NaN or infinity")
        return Coordinates(values.astype(np.float64), unit, self._patch_size(held.attrs))

    def _unit(self) -> str | None:
        """Return the unit of the coordinates; micrometres only where the file says so."""
        told = self._file.attrs
        if self._layout.unit == LEVEL0_PIXEL:
            return LEVEL0_PIXEL
        stated = "tile_size_um" in told or str(told.get("unit", "")) == "um"
        return self._layout.unit if stated else None

    def _patch_size(self, told: Mapping[str, Any]) -> float | None:
        """Return the side of a patch in the coordinates' unit, as far as attributes say."""
        if self._layout.unit == LEVEL0_PIXEL:
            level0 = _number(told, "patch_size_level0")
            whole = _number(told, "patch_level") == 0
            return level0 or (_number(told, "patch_size") if whole else None)
        return _number(self._file.attrs, "tile_size_um") or _number(self._file.attrs, "tile_size")

    def _take(self, rows: Int[np.ndarray, " row"] | None) -> Float[np.ndarray, "row feature"]:
        width = self.width
        if rows is None or self._data.ndim == 1:
            return self._data[()].reshape(-1, width)
        first, stop = int(rows[0]), int(rows[-1]) + 1
        if stop - first == len(rows):
            return self._data[..., first:stop, :].reshape(-1, width)
        offset = self._offset()
        if offset is None:
            return self._data[..., rows, :].reshape(-1, width)
        return np.memmap(self._path, self._data.dtype, "r", offset, (len(self), width))[rows]

    def _offset(self) -> int | None:
        """Return where the patches begin if they lie in one piece: quicker to pick from."""
        whole = self._data.chunks is None
        return self._data.id.get_offset() if whole and not self._file.userblock_size else None

    def _dataset(self) -> Any:
        """Return the features, or whatever else has their name; None = nothing has."""
        found = (self._file.get(name) for name in self._layout.datasets)
        return next((held for held in found if held is not None), None)

    def _described(self) -> Held:
        """Return what the dataset says of itself."""
        shape, kind = getattr(self._data, "shape", None), getattr(self._data, "dtype", None)
        if shape is None or kind is None:
            wanted, found = self._layout.datasets[0], ", ".join(self._parts()) or "nothing"
            raise SiteError(
                f"Bag must hold a dataset `{wanted}`, got {found} in '{self._path.name}'. Mend "
                "features.format in site.toml, or extract that slide again.",
                public=f"A bag without a dataset `{wanted}`.",
            )
        if self._elsewhere():
            raise SiteError(
                f"Bag must hold its patches itself, got a link to another file in "
                f"'{self._path.name}'. Copy them into it.",
                public="A bag whose patches lie in another file.",
            )
        if self._unwritten():
            raise SiteError(
                f"Bag must hold every patch that it announces, got {shape} announced and a part "
                f"never written in '{self._path.name}'. Extract that slide again.",
                public="A bag that was not written to its end.",
            )
        return Held(str(kind), tuple(shape), floating=kind.kind == "f", itemsize=kind.itemsize)

    def _parts(self) -> list[str]:
        """Return the names in the file, with a word beside those that hold no numbers."""
        shaped = {name: getattr(self._file.get(name), "shape", None) for name in self._file}
        return sorted(name + " (no numbers)" * (shaped[name] is None) for name in shaped)

    def _elsewhere(self) -> bool:
        """True where reading the patches would open another file, which nobody named."""
        data = self._data
        return data.file.filename != self._file.filename or data.is_virtual or bool(data.external)

    def _unwritten(self) -> bool:
        """True where h5py would make up patches: what was never written reads as zeros."""
        data, number = self._data, prod(self._data.shape)
        if data.chunks is None:
            return number * data.dtype.itemsize > data.id.get_storage_size()
        wanted = prod(-(-size // step) for size, step in zip(data.shape, data.chunks, strict=True))
        return wanted > data.id.get_num_chunks()

    def _misplaced(self, got: str) -> SiteError:
        return SiteError(
            f"Coordinates must be one finite pair of numbers a patch, {len(self)} x 2, got {got} "
            f"in '{self._path.name}'. Extract that slide again.",
            public="Coordinates that do not fit their patches.",
        )


def write_h5(path: Path, bag: AbstractBag, *, rows: int = 4096) -> None:
    """Write a slide's features as an h5 file with `features` alone.

    Args:
        path: The file.
        bag: What to write; in its own precision.
        rows: Patches to hold in memory at a time.

    Raises:
        SiteError: The bag cannot be read.

    Source: own.
    """
    with h5py.File(path, "w") as file:
        for start in range(0, len(bag), rows):
            values = bag.rows(np.arange(start, min(start + rows, len(bag))))
            if not start:
                data = file.create_dataset("features", (len(bag), bag.width), values.dtype)
            data[start : start + len(values)] = values


def _number(told: Mapping[str, Any], name: str) -> float | None:
    """Return an attribute that is one finite number >= 0, None when it is anything else."""
    value = np.asarray(told.get(name, np.nan))
    if value.size != 1 or value.dtype.kind not in "iuf":
        return None
    number = float(value.reshape(-1)[0])
    return number if np.isfinite(number) and number >= 0 else None
