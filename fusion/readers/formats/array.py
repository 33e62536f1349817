"""One npy file with the vector of one slide."""

from pathlib import Path

import numpy as np
from jaxtyping import Float, Int

from fusion.readers.formats.bag import DAMAGE, PLAIN, AbstractBag, Held, Layout


class ArrayBag(AbstractBag):
    """What numpy saved of one slide, mapped into memory.

    Args:
        path: An npy file.
        width: Numbers a patch; None = any.
        layout: What the format promises.

    Raises:
        SiteError: The file is missing, truncated, a pickle, or of another shape or width.

    Privacy: features; they stay in the process.

    Source: own.
    """

    kind = "npy"

    def __init__(self, path: Path, width: int | None, layout: Layout = PLAIN) -> None:
        super().__init__(path, layout)
        try:
            self._data = data = np.lib.format.open_memmap(path, mode="r")
        except DAMAGE as error:
            raise self._unreadable(error) from None
        kind = data.dtype
        self._accept(Held(str(kind), data.shape, kind.kind == "f", kind.itemsize), width)

    def close(self) -> None:
        """Let go of the file."""
        del self._data

    def _take(self, rows: Int[np.ndarray, " row"] | None) -> Float[np.ndarray, "row feature"]:
        flat = self._data.reshape(-1, self.width)
        return np.array(flat if rows is None else flat[rows])
