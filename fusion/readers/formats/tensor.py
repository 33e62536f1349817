"""One pt file with the patches of one slide: a tensor, read without running any code in it."""

import pickle
import warnings
import zipfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from fusion.errors import SiteError
from fusion.readers.formats.bag import DAMAGE, PLAIN, AbstractBag, Held, Layout


class TensorBag(AbstractBag):
    """The patches of one slide in a pt file, mapped into memory where the file allows it.

    Args:
        path: What `torch.save` wrote of a tensor, regions x width, or of a dict with such a tensor
            under the name of the layout.
        width: Numbers a patch; None = any.
        layout: What the format promises.

    Raises:
        SiteError: The file is missing, truncated, holds more than tensors and plain values, or the
            tensor has another shape or width.

    Privacy: patch features; they stay in the process. A pt file is a pickle, which can run code:
        only tensors and plain values are read, anything else is refused before it is made.

    Source: own; torch.load(weights_only=True).
    """

    kind = "pt"

    def __init__(self, path: Path, width: int | None, layout: Layout = PLAIN) -> None:
        super().__init__(path, layout)
        try:
            loaded = _load(path)
        except pickle.UnpicklingError:
            raise self._unsafe() from None
        except DAMAGE as error:
            raise self._unreadable(error) from None
        self._data = data = self._tensor(loaded)
        floating, itemsize = data.is_floating_point(), data.element_size()
        self._accept(Held(str(data.dtype), tuple(data.shape), floating, itemsize), width)

    def close(self) -> None:
        """Let go of the file."""
        del self._data

    def _take(self, rows: Int[np.ndarray, " row"] | None) -> Float[np.ndarray, "row feature"]:
        flat = self._data.reshape(-1, self.width)
        chosen = flat if rows is None else flat[torch.from_numpy(rows)]
        # numpy knows no bfloat16; a copy, so that nothing outlives the file.
        return (chosen.float() if chosen.dtype == torch.bfloat16 else chosen).numpy().copy()

    def _tensor(self, loaded: object) -> Tensor:
        """Return the features among what the file holds."""
        held = loaded
        if isinstance(loaded, Mapping):
            held = next((loaded[key] for key in self._layout.datasets if key in loaded), None)
        if not isinstance(held, Tensor) or held.layout != torch.strided or held.is_meta:
            wanted = " or ".join(f"`{name}`" for name in self._layout.datasets)
            raise SiteError(
                f"Bag must be a tensor, or a dict with a tensor {wanted}, got {_described(loaded)} "
                f"in '{self._path.name}'. Save it as torch.save(features, path).",
                public="A pt file without a tensor of features.",
            )
        return held.detach()

    def _unsafe(self) -> SiteError:
        return SiteError(
            f"Bag must be a pt file of tensors alone, got '{self._path.name}', which is damaged or "
            "holds objects that could run code; it was not loaded. Save the features as "
            "torch.save(features, path), a tensor.",
            public="A pt file that is damaged or could run code; it was not loaded.",
        )


def _load(path: Path) -> object:
    # Files older than torch 1.6 are no zip archives and cannot be mapped.
    mapped = zipfile.is_zipfile(path)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch warns before it refuses; the refusal is told
        return torch.load(path, map_location="cpu", weights_only=True, mmap=mapped)


def _described(loaded: object) -> str:
    if isinstance(loaded, Mapping):
        return f"a dict of {len(loaded)} other entries"
    return "a tensor without plain values" if isinstance(loaded, Tensor) else "another object"
