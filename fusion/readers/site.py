"""`site.toml`: how a hospital says what lies in its folder."""

import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fusion.device import DEVICES
from fusion.errors import SiteError
from fusion.readers.formats.registry import FORMATS, PARQUET
from fusion.registry import nearest

ROLES = ("train", "evaluate-only")
"""What a site does: train and be evaluated, or be evaluated alone."""

TIME_UNITS: Mapping[str, float] = {"days": 1.0, "months": 30.4375, "years": 365.25}
"""Days in each unit of follow-up that a clinical table may use."""

_KEYS: Mapping[str, tuple[str, ...]] = {
    "": ("name", "role", "device", "features", "clinical", "omics"),
    "features": ("folder", "file", "format", "encoder", "width", "missing"),
    "clinical": (
        "file", "patient", "slide", "time", "time_unit", "event", "event_value", "censored_value",
    ),
}  # fmt: skip
_SLIDE_SUFFIXES = (
    ".svs", ".ndpi", ".tif", ".tiff", ".mrxs", ".scn", ".bif", ".vms", ".dcm", ".h5", ".pt", ".npy",
)  # fmt: skip
_RESERVED = ("all", "clinical", "slides", "omics")
_UNREADABLE = "site.toml cannot be used as it is."


@dataclass(frozen=True)
class FeatureFolder:
    """Where the patch features lie, and what made them.

    Attributes:
        folder: Holds one file a slide.
        encoder: Name of the patch encoder; must be the same at every site.
        width: Numbers a patch; None = as many as the first slide has.
        missing: Slides known to have no features.
        format: One of `FORMATS`; empty = the reader recognises it.
        file: One parquet file with the features of all slides, in place of the folder.
    """

    folder: Path
    encoder: str
    width: int | None
    missing: frozenset[str] = frozenset()
    format: str = ""
    file: Path | None = None


@dataclass(frozen=True)
class ClinicalTable:
    """Where the outcomes lie, and what its columns mean where the site says so.

    Attributes:
        file: A csv or parquet table.
        patient: Column of the patient; empty = the reader recognises it.
        slide: Column of the slide.
        time: Column of the follow-up.
        time_unit: `days`, `months` or `years`.
        event: Column of the status.
        event_value: Status that means the event was seen.
        censored_value: Status that means it was not.
    """

    file: Path
    patient: str = ""
    slide: str = ""
    time: str = ""
    time_unit: str = ""
    event: str = ""
    event_value: str = ""
    censored_value: str = ""


@dataclass(frozen=True)
class SiteDescription:
    """What `site.toml` says.

    Attributes:
        name: The site's public name.
        role: `train` or `evaluate-only`.
        features: None = the site has no slides.
        clinical: The outcomes.
        omics: Table name to file; empty = the site has no omics.
        device: `auto`, `cpu` or `cuda`.
    """

    name: str
    role: str
    features: FeatureFolder | None
    clinical: ClinicalTable
    omics: Mapping[str, Path]
    device: str = "auto"


def read_site_description(folder: Path) -> SiteDescription:
    """Return what the `site.toml` of `folder` says.

    Args:
        folder: A site folder.

    Returns:
        The description; paths are joined to `folder`, nothing else has been opened.

    Raises:
        SiteError: The folder or file is missing, not TOML, or holds an unknown key (the nearest is
            named) or a value of the wrong kind.

    Source: own.
    """
    tree = _tree(folder)
    _check_keys(tree, _KEYS[""], "site.toml")
    features, clinical = _section(tree, "features"), _section(tree, "clinical")
    return SiteDescription(
        name=_name(tree),
        role=_one_of(_text(tree, "role", "train"), ROLES, "role"),
        features=None if features is None else _features(folder, features),
        clinical=_clinical(folder, clinical or {}),
        omics=_omics(folder, tree.get("omics", {})),
        device=_one_of(_text(tree, "device", "auto"), DEVICES, "device"),
    )


def slide_name(written: str) -> str:
    """Return the name of a slide without what a scanner or a feature tool appends to it.

    Other dots in a name stay.

    Args:
        written: A slide as a table or `missing` names it.

    Source: own.
    """
    suffix = next((end for end in _SLIDE_SUFFIXES if written.lower().endswith(end)), "")
    return written[: len(written) - len(suffix)]


def bag_file(slide: str) -> str:
    """Return the name of the h5 file that holds a slide's patches.

    Source: own.
    """
    return f"{slide_name(slide)}.h5"


def _tree(folder: Path) -> dict[str, Any]:
    path = folder / "site.toml"
    if not folder.is_dir():
        raise SiteError(
            f"Site folder must exist, got '{folder}'. Check the path.",
            public="The site's folder does not exist.",
        )
    if not path.is_file():
        raise SiteError(
            f"Site folder must hold a site.toml, got none in '{folder}'. "
            "Write one with name, [clinical] file, and [features] and [omics] as far as there are.",
            public="The site's folder holds no site.toml.",
        )
    try:
        return tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError, RecursionError) as error:
        raise _wrong("site.toml", "be TOML", f"'{error}'", "Mend that line.") from None


def _features(folder: Path, section: Mapping[str, Any]) -> FeatureFolder:
    width, missing = section.get("width", 1), section.get("missing", [])
    if not isinstance(width, int) or isinstance(width, bool) or width < 1:
        raise _wrong(
            "features.width", "be a whole number >= 1", repr(width), "Write width = 192, say."
        )
    if not isinstance(missing, list) or not all(isinstance(item, str) for item in missing):
        raise _wrong(
            "features.missing", "be a list of names", repr(missing), 'Write missing = ["p07.h5"].'
        )
    return FeatureFolder(
        folder=folder / _text(section, "folder", "patch_features"),
        encoder=_text(section, "encoder"),
        width=width if "width" in section else None,
        missing=frozenset(slide_name(item) for item in missing),
        format=_feature_format(section),
        file=folder / _text(section, "file") if "file" in section else None,
    )


def _feature_format(section: Mapping[str, Any]) -> str:
    """Return the format that site.toml names; empty when the reader shall recognise it."""
    if "file" in section and "folder" in section:
        raise _wrong("[features]", "name a folder or a file", "both", "Remove one of them.")
    if "format" not in section:
        return PARQUET if "file" in section else ""
    known = (*FORMATS, PARQUET)
    named = _one_of(_text(section, "format"), known, "features.format")
    if (named == PARQUET) != ("file" in section):
        raise _wrong(
            "[features]", f"name a file where its format is {PARQUET}, else a folder",
            f"format '{named}'", 'Write file = "embeddings.parquet", or mend the format.',
        )  # fmt: skip
    return named


def _clinical(folder: Path, section: Mapping[str, Any]) -> ClinicalTable:
    told = {key: _value(section, key) for key in _KEYS["clinical"] if key != "file"}
    if told["time_unit"]:
        _one_of(told["time_unit"], TIME_UNITS, "clinical.time_unit")
    if bool(told["event_value"]) != bool(told["censored_value"]):
        raise _wrong(
            "[clinical]", "give event_value and censored_value together", "one of them",
            "Write both, so that any other status is seen as an error.",
        )  # fmt: skip
    return ClinicalTable(file=folder / _text(section, "file", "clinical.csv"), **told)


def _omics(folder: Path, section: object) -> dict[str, Path]:
    if not isinstance(section, Mapping):
        raise _wrong("[omics]", "be a table of name = file", repr(section), "Write [omics].")
    for name in section:
        if name in _RESERVED or any(mark in name for mark in ":, "):
            raise _wrong(
                "[omics] name", "be a plain word that is not reserved", f"'{name}'",
                f"Rename it; {', '.join(_RESERVED)}, and colon, comma and blank are taken.",
            )  # fmt: skip
    return {name: folder / _text(section, name) for name in section}


def _section(tree: Mapping[str, Any], name: str) -> Mapping[str, Any] | None:
    if name not in tree:
        return None
    if not isinstance(tree[name], Mapping):
        raise _wrong(
            f"{name}", "be a section", repr(tree[name]), f"Write [{name}] on its own line."
        )
    _check_keys(tree[name], _KEYS[name], f"[{name}] in site.toml")
    return tree[name]


def _check_keys(tree: Mapping[str, Any], known: tuple[str, ...], where: str) -> None:
    for key in tree:
        if key not in known:
            raise SiteError(
                f"Key in site.toml must be a known one, got '{key}' in {where}. "
                f"{nearest(key, known)}",
                public=_UNREADABLE,
            )


def _name(tree: Mapping[str, Any]) -> str:
    name = _text(tree, "name").strip()
    if not name.isprintable() or len(name) > 64 or "," in name or "/" in name:
        raise _wrong(
            "name", "be at most 64 printable characters without comma and slash", repr(name[:70]),
            "Choose a short public name.",
        )  # fmt: skip
    return name


def _text(section: Mapping[str, Any], key: str, default: str | None = None) -> str:
    value = section.get(key, default)
    if not isinstance(value, str) or not value.strip():
        got = "nothing" if value is None else repr(value)
        raise _wrong(f"'{key}'", "be a text", got, f'Write {key} = "...".')
    return value


def _value(section: Mapping[str, Any], key: str) -> str:
    """Return a text, number or truth value as text; empty when absent."""
    value = section.get(key, "")
    if not isinstance(value, (str, int, float)):
        raise _wrong(f"'{key}'", "be a text or a number", repr(value), f'Write {key} = "...".')
    return str(value)


def _one_of(value: str, known: Iterable[str], key: str) -> str:
    if value not in known:
        raise _wrong(key, f"be one of {', '.join(known)}", f"'{value}'", nearest(value, known))
    return value


def _wrong(what: str, rule: str, value: str, remedy: str) -> SiteError:
    where = "" if what == "site.toml" else " in site.toml"
    return SiteError(f"{what} must {rule}, got {value}{where}. {remedy}", public=_UNREADABLE)
