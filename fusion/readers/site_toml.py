"""`site.toml` as a hospital wrote it becomes a checked description."""

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from fusion.device import DEVICES
from fusion.errors import SiteError
from fusion.readers.formats.registry import FORMATS, PARQUET
from fusion.readers.site import (
    ROLES,
    TIME_UNITS,
    ClinicalTable,
    FeatureFolder,
    LabelRule,
    OmicsFile,
    SiteDescription,
    SlideTable,
    slide_name,
)
from fusion.readers.toml_values import (
    check_keys,
    column_name,
    names,
    one_of,
    statuses,
    text_value,
    wrong,
)

_KEYS: Mapping[str, tuple[str, ...]] = {
    "": ("name", "role", "device", "features", "clinical", "slides", "omics", "labels"),
    "features": ("folder", "file", "format", "encoder", "width", "missing"),
    "clinical": (
        "file", "patient", "slide", "time", "time_unit", "event", "event_value", "censored_value",
        "without_outcome",
    ),
    "slides": ("file", "patient", "slide"),
    "omics table": ("file", "leave_out"),
    "label": ("column", "classes"),
}  # fmt: skip
_RESERVED = ("all", "clinical", "slides", "omics")


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
    check_keys(tree, _KEYS[""], "site.toml")
    features, clinical = _section(tree, "features"), _section(tree, "clinical")
    return SiteDescription(
        name=_name(tree),
        role=one_of(text_value(tree, "role", "train"), ROLES, "role"),
        features=None if features is None else _features(folder, features),
        clinical=_clinical(folder, clinical or {}, _section(tree, "slides")),
        omics=_omics(folder, tree.get("omics", {})),
        device=one_of(text_value(tree, "device", "auto"), DEVICES, "device"),
        labels=read_labels(tree.get("labels", {})),
    )


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
        raise wrong("site.toml", "be TOML", f"'{error}'", "Mend that line.") from None


def _features(folder: Path, section: Mapping[str, Any]) -> FeatureFolder:
    width = section.get("width", 1)
    if not isinstance(width, int) or isinstance(width, bool) or width < 1:
        raise wrong(
            "features.width", "be a whole number >= 1", repr(width), "Write width = 192, say."
        )
    return FeatureFolder(
        folder=folder / text_value(section, "folder", "patch_features"),
        encoder=text_value(section, "encoder"),
        width=width if "width" in section else None,
        missing=frozenset(
            slide_name(item)
            for item in names(section, "missing", called="features.missing", example="p07.h5")
        ),
        format=_feature_format(section),
        file=folder / text_value(section, "file") if "file" in section else None,
    )


def _feature_format(section: Mapping[str, Any]) -> str:
    """Return the format that site.toml names; empty when the reader shall recognise it."""
    if "file" in section and "folder" in section:
        raise wrong("[features]", "name a folder or a file", "both", "Remove one of them.")
    if "format" not in section:
        return PARQUET if "file" in section else ""
    known = (*FORMATS, PARQUET)
    named = one_of(text_value(section, "format"), known, "features.format")
    if (named == PARQUET) != ("file" in section):
        raise wrong(
            "[features]", f"name a file where its format is {PARQUET}, else a folder",
            f"format '{named}'", 'Write file = "embeddings.parquet", or mend the format.',
        )  # fmt: skip
    return named


def _clinical(
    folder: Path, section: Mapping[str, Any], slides: Mapping[str, Any] | None
) -> ClinicalTable:
    columns = {key: column_name(section, key) for key in ("patient", "slide", "time", "event")}
    unit, event = column_name(section, "time_unit"), statuses(section, "event_value")
    censored = statuses(section, "censored_value")
    if unit:
        one_of(unit, TIME_UNITS, "clinical.time_unit")
    if bool(event) != bool(censored):
        raise wrong(
            "[clinical]", "give event_value and censored_value together", "one of them",
            "Write both, so that any other status is seen as an error.",
        )  # fmt: skip
    if slides is not None and columns["slide"]:
        raise wrong(
            "[clinical]", "not name the slide where there is a [slides] table",
            f"slide = '{columns['slide']}'", "Write it under [slides], or remove that section.",
        )  # fmt: skip
    return ClinicalTable(
        file=folder / text_value(section, "file", "clinical.csv"),
        **columns,
        time_unit=unit,
        event_values=event,
        censored_values=censored,
        leave_out=_without_outcome(section) == "leave out",
        slides=None if slides is None else _slides(folder, slides),
    )


def _without_outcome(section: Mapping[str, Any]) -> str:
    told = text_value(section, "without_outcome", "refuse")
    return one_of(told, ("refuse", "leave out"), "clinical.without_outcome")


def _slides(folder: Path, section: Mapping[str, Any]) -> SlideTable:
    return SlideTable(
        file=folder / text_value(section, "file"),
        patient=column_name(section, "patient"),
        slide=column_name(section, "slide"),
    )


def _omics(folder: Path, section: object) -> dict[str, OmicsFile]:
    if not isinstance(section, Mapping):
        raise wrong("[omics]", "be a table of name = file", repr(section), "Write [omics].")
    for name in section:
        if name in _RESERVED or any(mark in name for mark in ":, "):
            raise wrong(
                "[omics] name", "be a plain word that is not reserved", f"'{name}'",
                f"Rename it; {', '.join(_RESERVED)}, and colon, comma and blank are taken.",
            )  # fmt: skip
    return {name: _omics_file(folder, section, name) for name in section}


def _omics_file(folder: Path, section: Mapping[str, Any], name: str) -> OmicsFile:
    told = section[name]
    if not isinstance(told, Mapping):
        return OmicsFile(folder / text_value(section, name))
    check_keys(told, _KEYS["omics table"], f"[omics.{name}] in site.toml")
    return OmicsFile(
        folder / text_value(told, "file"),
        names(told, "leave_out", called=f"omics.{name}.leave_out", example="site"),
    )


def read_labels(section: object) -> dict[str, LabelRule]:
    """Return the labels that a section of site.toml describes.

    Args:
        section: What stands under [labels], a table a label.

    Raises:
        SiteError: It is no such section, or a value makes two classes.

    Source: own.
    """
    if not isinstance(section, Mapping) or not all(
        isinstance(t, Mapping) for t in section.values()
    ):
        raise wrong("[labels]", "be a section a label", repr(section), "Write [labels.grade], say.")
    return {name: _label(told, f"labels.{name}") for name, told in section.items()}


def _label(told: Mapping[str, Any], place: str) -> LabelRule:
    check_keys(told, _KEYS["label"], f"[{place}] in site.toml")
    classes = told.get("classes", {})
    if not isinstance(classes, Mapping) or any("," in name for name in classes):
        raise wrong(
            f"{place}.classes", "be a table of class = values, no comma in a class", repr(classes),
            f'Write [{place}.classes] and a line such as low = ["1", "2"].',
        )  # fmt: skip
    values = {name: statuses(classes, name) for name in classes}
    every = [value for made in values.values() for value in made]
    if twice := sorted({value for value in every if every.count(value) > 1}):
        raise wrong(
            f"{place}.classes", "put a value into one class", f"'{twice[0]}' in two",
            "Remove it from one of them.",
        )  # fmt: skip
    return LabelRule(text_value(told, "column"), values)


def _section(tree: Mapping[str, Any], name: str) -> Mapping[str, Any] | None:
    if name not in tree:
        return None
    if not isinstance(tree[name], Mapping):
        raise wrong(f"{name}", "be a section", repr(tree[name]), f"Write [{name}] on its own line.")
    check_keys(tree[name], _KEYS[name], f"[{name}] in site.toml")
    return tree[name]


def _name(tree: Mapping[str, Any]) -> str:
    name = text_value(tree, "name").strip()
    if not name.isprintable() or len(name) > 64 or "," in name or "/" in name:
        raise wrong(
            "name", "be at most 64 printable characters without comma and slash", repr(name[:70]),
            "Choose a short public name.",
        )  # fmt: skip
    return name
