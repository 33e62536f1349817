"""Which slides a site has features of, in which format, and how wide they are."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from fusion.errors import SiteError
from fusion.readers.findings import listed
from fusion.readers.formats.parquet import EmbeddingTable, SlideRows
from fusion.readers.formats.recognition import recognise
from fusion.readers.formats.registry import FORMATS, PARQUET, SlideFile
from fusion.readers.formats.slide import Slide
from fusion.readers.formats.stamp import Stamp
from fusion.readers.site import FeatureFolder

_SUBFOLDERS = ("h5_files", "pt_files")
_SUFFIXES = (".h5", ".pt", ".npy")


@dataclass(frozen=True)
class Catalogue:
    """The slides of a site that have features.

    Attributes:
        format: A name of `FORMATS`.
        told: What that is, and how it is known.
        suffix: How the files' names end; empty = one file holds all slides.
        width: Numbers a patch.
        slides: Name of a slide to where its patches lie.
        patients: Slides of each patient as the features name them; empty = they do not.
    """

    format: str
    told: str
    suffix: str
    width: int
    slides: Mapping[str, Slide]
    patients: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def note(self) -> str:
        """Return what the features are taken to be, for the screen.

        Source: own.
        """
        return f"Features are {self.format} ({self.told})."


def read_catalogue(features: FeatureFolder) -> Catalogue:
    """Return the slides in the folder of features; no more is read than it takes to know them.

    The folder may be the one that holds the files, or CLAM's one above `h5_files` and `pt_files`
    (h5_files first). Where several kinds of file lie side by side, h5 comes before pt before npy.

    Args:
        features: What site.toml says.

    Raises:
        SiteError: The folder is missing, or holds files of other kinds alone; the one file cannot
            be used.

    Privacy: file names; they stay at the site.

    Source: own.
    """
    if features.file is not None:
        return _one_file(EmbeddingTable(features.file), features)
    if not features.folder.is_dir():
        raise SiteError(
            f"Folder of patch features must exist, got '{features.folder}'. "
            "Mend features.folder in site.toml, or remove [features] if the site has no slides.",
            public="The folder of patch features is missing.",
        )
    files = _files(features)
    name = features.format or recognise(files) or _usual(files)
    slides = {
        path.name.removesuffix(path.suffix): SlideFile(path, name, Stamp.of(path)) for path in files
    }
    how = "as site.toml says" if features.format else "recognised from the files"
    return Catalogue(
        format=name,
        told=f"{FORMATS[name].told}; {how}",
        suffix=files[0].suffix if files else FORMATS[name].suffixes[0],
        width=features.width or _width(slides.values(), features.folder),
        slides=slides,
    )


def _one_file(table: EmbeddingTable, features: FeatureFolder) -> Catalogue:
    return Catalogue(
        format=PARQUET,
        told=table.told(),
        suffix="",
        width=features.width or table.width,
        slides={name: SlideRows(table, name) for name in table.slides},
        patients=table.patients,
    )


def _files(features: FeatureFolder) -> list[Path]:
    """Return the files of features, sorted by name, all of one suffix."""
    told = FORMATS.get(features.format)
    suffixes = told.suffixes if told else _SUFFIXES
    subfolders = (told.subfolder,) if told else _SUBFOLDERS
    folders = [features.folder, *(features.folder / name for name in subfolders if name)]
    for suffix in suffixes:
        for folder in folders:
            files = sorted(path for path in folder.glob(f"*{suffix}") if path.is_file())
            if files:
                return files
    _check_empty(features.folder, suffixes)
    return []


def _check_empty(folder: Path, suffixes: tuple[str, ...]) -> None:
    """Raise if the folder holds something, but no features."""
    held = sorted(path.name for path in folder.glob("*") if not path.name.startswith("."))
    if not held:
        return
    below = sorted({path.parent.name for end in _SUFFIXES for path in folder.glob(f"*/*{end}")})
    remedy = "Mend features.folder or features.format in site.toml."
    if below:
        remedy = f"Features lie in {listed(below)} below it: mend features.folder in site.toml."
    raise SiteError(
        f"Folder of patch features must hold {' or '.join(suffixes)} files, got {listed(held)} in "
        f"'{folder}'. {remedy}",
        public="The folder of patch features holds none.",
    )


def _usual(files: list[Path]) -> str:
    """Return the format to complain about where no file can be read."""
    suffix = files[0].suffix if files else ".h5"
    return {".h5": "hipt", ".pt": "clam-pt"}.get(suffix, "slide-vectors")


def _width(slides: Iterable[Slide], folder: Path) -> int:
    """Return the width of the first slide that can be read."""
    for slide in slides:
        try:
            with slide.open(None) as bag:
                return bag.width
        except SiteError:
            continue
    raise SiteError(
        f"Width of the features must be known, got no readable bag in '{folder}'. Extract the "
        "slides again, or write width = 192, say, under [features] in site.toml.",
        public="No bag can be read.",
    )
