"""Which format the files of a folder are in, by what they hold."""

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

import h5py

from fusion.errors import SiteError
from fusion.readers.formats.bag import DAMAGE
from fusion.readers.formats.registry import FORMATS
from fusion.readers.formats.tensor import TensorBag

_TRIDENT = frozenset({"patch_size_level0", "level0_magnification", "target_magnification"})


def recognise(paths: Iterable[Path]) -> str | None:
    """Return the format of the first file that can be read, None where none can.

    An h5 file is, in this order: slide-vectors if its features have one dimension; stamp if they
    are called `feats` or `patch_embeddings`; hipt without `coords`; trident if `coords` has
    TRIDENT's attributes; else clam-h5. A pt file is clam-pt, or slide-vectors if its tensor has
    one dimension; an npy file is slide-vectors.

    Args:
        paths: Files of one suffix.

    Source: own.
    """
    looks: Mapping[str, Callable[[Path], str | None]] = {
        ".h5": _h5_format, ".pt": _pt_format, ".npy": lambda _: "slide-vectors"
    }  # fmt: skip
    found = (looks[path.suffix.lower()](path) for path in paths)
    return next((name for name in found if name), None)


def _h5_format(path: Path) -> str | None:
    try:
        with h5py.File(path, "r", locking=False) as file:
            names = [name for name in ("feats", "patch_embeddings", "features") if name in file]
            if not names or not isinstance(file[names[0]], h5py.Dataset):
                return None
            if file[names[0]].ndim == 1:
                return "slide-vectors"
            if names[0] != "features":
                return "stamp"
            if "coords" not in file:
                return "hipt"
            return "trident" if _TRIDENT & set(file["coords"].attrs) else "clam-h5"
    except DAMAGE:
        return None


def _pt_format(path: Path) -> str | None:
    for name in ("clam-pt", "slide-vectors"):
        try:
            with TensorBag(path, None, FORMATS[name].layout):
                return name
        except SiteError:
            continue
    return None
