"""One slide's patches, open for reading, whatever file they lie in."""

import pickle
import zipfile
from abc import ABC, abstractmethod
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import ClassVar

import numpy as np
from jaxtyping import Float, Int

from fusion.errors import SiteError

LEVEL0_PIXEL, MICROMETRE = "level0-pixel", "micrometre"
"""Units that coordinates come in: pixels of the slide's finest level, or micrometres."""

DAMAGE = (
    OSError, RuntimeError, KeyError, TypeError, ValueError, EOFError, MemoryError,
    pickle.UnpicklingError, zipfile.BadZipFile,
)  # fmt: skip
"""What libraries raise where a file is damaged inside."""


@dataclass(frozen=True)
class Layout:
    """What the files of a format hold.

    Attributes:
        datasets: Names that the features may have where a file names its parts.
        unit: Unit of the dataset `coords`; None = the format has no coordinates.
        vector: True = each file holds one vector, not a bag of patches.
    """

    datasets: tuple[str, ...] = ("features",)
    unit: str | None = None
    vector: bool = False


PLAIN = Layout()
"""Features alone, patches x width."""


@dataclass(frozen=True)
class Coordinates:
    """Where the patches of one slide lie, in the order of its rows.

    Attributes:
        values: x and y of each patch's upper left corner.
        unit: `level0-pixel` or `micrometre`.
        patch_size: Side of a patch in that unit; None = the file does not say.

    Privacy: they stay in the process.
    """

    values: Float[np.ndarray, "patch 2"]
    unit: str
    patch_size: float | None


@dataclass(frozen=True)
class Held:
    """What a file says of its features, before one of them is read.

    Attributes:
        kind: Type of the numbers, as the file calls it.
        shape: Of all features.
        floating: True = the numbers are floating-point.
        itemsize: Bytes a number.
    """

    kind: str
    shape: tuple[int, ...]
    floating: bool
    itemsize: int


def _single(values: np.ndarray) -> np.ndarray:
    """Return doubles as the single precision that models read: what is too large is infinite."""
    with np.errstate(over="ignore"):
        return values.astype(np.float32) if values.itemsize > 4 else values


class AbstractBag(ABC):
    """The patches of one slide, open for reading; a value is checked before it is used.

    Args:
        path: The file.
        layout: What the format promises.

    Privacy: patch features; they stay in the process.

    Source: own.
    """

    kind: ClassVar[str]

    def __init__(self, path: Path, layout: Layout) -> None:
        self._path, self._layout = path, layout
        self._held = Held("", (0, 0), floating=True, itemsize=0)

    def __enter__(self) -> "AbstractBag":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __len__(self) -> int:
        return 1 if len(self._held.shape) == 1 else self._held.shape[-2]

    @property
    def width(self) -> int:
        """Numbers a patch.

        Source: own.
        """
        return self._held.shape[-1]

    @property
    def size(self) -> int:
        """Bytes of all patches in the file's own precision.

        Source: own.
        """
        return prod(self._held.shape) * self._held.itemsize

    @abstractmethod
    def close(self) -> None:
        """Let go of the file."""

    @abstractmethod
    def _take(self, rows: Int[np.ndarray, " row"] | None) -> Float[np.ndarray, "row feature"]:
        """Return some patches, unchecked; None = all."""

    def coordinates(self) -> Coordinates | None:
        """Return where the patches lie, None where the file does not say.

        Raises:
            SiteError: There is not one finite pair a patch.

        Source: own.
        """
        return None

    def all(self) -> Float[np.ndarray, "patch feature"]:
        """Return every patch in the file's own precision.

        Raises:
            SiteError: A part of the file is damaged, or a value is not finite.

        Source: own.
        """
        return self._checked(None)

    def rows(self, rows: Int[np.ndarray, " row"]) -> Float[np.ndarray, "row feature"]:
        """Return some patches, reading as little as the file's layout allows.

        Args:
            rows: Which, in increasing order; at least one.

        Raises:
            SiteError: A part of the file is damaged, or a value is not finite.

        Source: own.
        """
        return self._checked(rows)

    def _checked(self, rows: np.ndarray | None) -> np.ndarray:
        try:
            values = self._take(rows)
        except SiteError:  # a ValueError, too: it has its sentence
            raise
        except DAMAGE as error:
            raise self._unreadable(error) from None
        if not np.isfinite(_single(values)).all():
            raise SiteError(
                f"Patch features must be finite, got NaN or infinity in '{self._path.name}'. "
                "Extract that slide again, or list it under `missing` in site.toml.",
                public="Patch features that are not finite.",
            )
        return values

    def _unreadable(self, error: Exception) -> SiteError:
        if not self._path.is_file():
            return SiteError(
                f"Bag must exist, got no file '{self._path.name}' in '{self._path.parent}'. "
                "Extract it, or list it under `missing` in site.toml.",
                public="A bag is missing.",
            )
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        return SiteError(
            f"Bag must be a whole {self.kind} file, got '{self._path.name}' ({reason}). Copy or "
            "extract that slide again, or list it under `missing` in site.toml.",
            public=f"A bag is truncated or no {self.kind} file.",
        )

    def _accept(self, held: Held, width: int | None) -> None:
        """Keep what the file says of its features.

        Raises:
            SiteError: They are no floating-point numbers, or of another shape or width.
        """
        fault = self._shape_fault(held)
        self._held = held
        fault = fault or self._size_fault(width)
        if fault is not None:
            self.close()
            raise fault

    def _shape_fault(self, held: Held) -> SiteError | None:
        shape = held.shape
        bag = len(shape) == 2 or (len(shape) == 3 and shape[0] == 1)
        vector = len(shape) == 1 or (len(shape) == 2 and shape[0] == 1)
        if held.floating and (vector if self._layout.vector else bag):
            return None
        wanted = "width, or 1 x width" if self._layout.vector else "regions x width"
        return SiteError(
            f"Patch features must be floating-point numbers of shape {wanted}, got {held.kind} of "
            f"shape {shape} in '{self._path.name}'. Extract that slide again, or mend "
            "features.format in site.toml.",
            public="Patch features of the wrong shape.",
        )

    def _size_fault(self, width: int | None) -> SiteError | None:
        name, found = self._path.name, self.width
        if width not in (None, found):
            return SiteError(
                f"Patch features must have width {width}, got {found} in '{name}'. "
                "Use one encoder for all slides, or mend features.width in site.toml.",
                public=f"Patch features of a width other than {width}.",
            )
        if len(self) * found == 0:
            return SiteError(
                f"Bag must hold at least one patch, got none in '{name}'. "
                "Extract that slide again, or list it under `missing` in site.toml.",
                public="A bag without patches.",
            )
        return None
