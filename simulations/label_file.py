"""Labels of classes from a TOML file, for the site folders that a cohort is divided into."""

import json
import tomllib
from collections.abc import Mapping
from pathlib import Path

from fusion.errors import ConfigError
from fusion.readers.site import LabelRule
from fusion.readers.site_toml import read_labels


def read_label_file(path: Path) -> dict[str, LabelRule]:
    """Return the labels of a TOML file with sections [labels.<name>], as site.toml has them.

    Args:
        path: The file.

    Raises:
        ConfigError: It cannot be read, or holds no labels.
        SiteError: A section does not fit.

    Source: own.
    """
    try:
        tree = tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError, RecursionError) as error:
        raise ConfigError(
            f"--labels must be a TOML file, got '{path}': {error}. Mend it."
        ) from None
    if not tree.get("labels"):
        raise ConfigError(
            f"--labels must hold sections [labels.<name>], got none in '{path}'. Write one with a "
            "column and, if its values are to be joined, classes."
        )
    return read_labels(tree["labels"])


def label_lines(labels: Mapping[str, LabelRule]) -> list[str]:
    """Return the lines of site.toml that describe labels.

    Source: own.
    """
    lines = []
    for name, rule in labels.items():
        lines += [f"[labels.{json.dumps(name)}]", f"column = {json.dumps(rule.column)}", ""]
        if rule.classes:
            lines.append(f"[labels.{json.dumps(name)}.classes]")
            told = rule.classes.items()
            lines += [f"{json.dumps(word)} = {json.dumps(values)}" for word, values in told]
            lines.append("")
    return lines
