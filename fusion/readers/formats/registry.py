"""The formats that slide features come in, by the name that site.toml may give them."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from fusion.readers.formats.array import ArrayBag
from fusion.readers.formats.bag import LEVEL0_PIXEL, MICROMETRE, PLAIN, AbstractBag, Layout
from fusion.readers.formats.h5 import H5Bag
from fusion.readers.formats.stamp import Stamp, sampled
from fusion.readers.formats.tensor import TensorBag

_OPENERS: Mapping[str, type[H5Bag] | type[TensorBag] | type[ArrayBag]] = {
    ".h5": H5Bag,
    ".pt": TensorBag,
    ".npy": ArrayBag,
}


@dataclass(frozen=True)
class Format:
    """One way in which slide features lie on disk, a file a slide.

    Attributes:
        told: What it is, for the screen.
        suffixes: Of its files.
        layout: What a file holds.
        subfolder: Where the files lie below the folder that people name, if it is there.
    """

    told: str
    suffixes: tuple[str, ...] = (".h5",)
    layout: Layout = PLAIN
    subfolder: str = ""


FORMATS: Mapping[str, Format] = {
    "clam-h5": Format(
        "CLAM's h5_files: `features` and `coords`", layout=Layout(unit=LEVEL0_PIXEL),
        subfolder="h5_files",
    ),
    "clam-pt": Format(
        "CLAM's pt_files: a tensor a slide", (".pt",), Layout(("features", "feats")), "pt_files"
    ),
    "trident": Format(
        "TRIDENT: `features` and `coords`", (".h5", ".pt"), Layout(unit=LEVEL0_PIXEL)
    ),
    "stamp": Format(
        "STAMP: `feats` and `coords`",
        layout=Layout(("feats", "patch_embeddings"), unit=MICROMETRE),
    ),
    "hipt": Format("`features` alone, such as HIPT's regions"),
    "slide-vectors": Format(
        "one vector a slide", (".h5", ".pt", ".npy"), Layout(("features", "feats"), vector=True)
    ),
}  # fmt: skip
"""Formats of one file a slide."""

PARQUET = "parquet"
"""The format of one file for all slides."""


@dataclass(frozen=True)
class SlideFile:
    """Where the patches of one slide lie.

    Attributes:
        path: The file.
        format: A name of `FORMATS`.
        stamp: What the file was when the folder was read; None = whatever is there now.

    Privacy: a file's name may hold an identifier; it stays at the site.
    """

    path: Path
    format: str = "hipt"
    stamp: Stamp | None = None

    @property
    def name(self) -> str:
        """The file's name.

        Source: own.
        """
        return self.path.name

    @property
    def mark(self) -> str:
        """What the fingerprint of a site knows of this slide.

        Source: own.
        """
        return f"{self.path.name} {sampled(self.path)}"

    def open(self, width: int | None) -> AbstractBag:
        """Return the patches, open for reading.

        Args:
            width: Numbers a patch; None = any.

        Raises:
            SiteError: The file cannot be used, or was changed since the folder was read.

        Source: own.
        """
        if self.stamp is not None:
            self.stamp.check(self.path)
        return _OPENERS[self.path.suffix.lower()](self.path, width, FORMATS[self.format].layout)
