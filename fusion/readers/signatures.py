"""Named groups of genes: from a table at the coordinator, or one of the tables that come along."""

import csv
import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path

from fusion.errors import ConfigError
from fusion.registry import nearest

COME_ALONG = Path(__file__).parents[1] / "signatures"
"""Tables that come with the project, one a file."""

DEFAULT, OTHER = "default", "other"
"""`model.groups` for the table that comes along, and the group of genes that are in none."""

LARGEST_FILE, MOST_GROUPS = 2 * 2**20, 512
"""Bytes of a table, and groups in it: the groups travel with every message."""

Groups = Mapping[str, tuple[str, ...]]
"""Names of groups to names of genes, or of features."""


def read_signature(path: Path) -> Groups:
    """Return the groups of genes that a csv of two columns names.

    Args:
        path: Its header names `gene` and `group`; one line for each gene of each group.

    Returns:
        Groups in the order of the file, each gene once.

    Raises:
        ConfigError: The file is missing, too large or no such table, or it names too many groups.

    Source: own.
    """
    try:
        if path.stat().st_size > LARGEST_FILE:
            raise ConfigError(
                f"Signature table must be at most {LARGEST_FILE} bytes, got "
                f"{path.stat().st_size} in '{path}'. Leave out what no model reads."
            )
        rows = list(csv.reader(path.read_text(encoding="utf-8-sig").splitlines()))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise ConfigError(
            f"Signature table must be a readable csv, got '{path}' ({error}). Mend model.groups."
        ) from None
    return _checked(rows, path)


def included_signature(name: str) -> Groups:
    """Return the groups of a table that comes with the project.

    Args:
        name: Of its file, such as `subspaces`.

    Source: own; each file says where its genes are from.
    """
    tree = tomllib.loads((COME_ALONG / f"{name}.toml").read_text(encoding="utf-8"))
    return {group: tuple(genes) for group, genes in tree.items()}


def group_features(groups: Groups, features: Iterable[str], *, ungrouped: bool) -> Groups:
    """Return the groups as names of features that the sites share.

    A gene stands for itself in every table: `TP53` is `rna:TP53` and `mutation:TP53`. A whole
    feature name, such as `cnv:EGFR` or `clinical:age`, stands for that one.

    Args:
        groups: Names of genes.
        features: All features of the modality, such as `rna:TP53`.
        ungrouped: True = features in no group make a group of their own, `other`.

    Returns:
        Groups with at least one feature, each in the order of the features.

    Raises:
        ConfigError: No gene of any group is among the features.

    Source: own.
    """
    known = tuple(features)
    found = {
        group: tuple(name for name in known if {name, name.partition(":")[2]} & set(genes))
        for group, genes in groups.items()
    }
    found = {group: names for group, names in found.items() if names}
    if not found:
        raise ConfigError(
            f"Signature table must name genes that the sites share, got none of "
            f"{len({gene for genes in groups.values() for gene in genes})}, such as "
            f"'{next(iter(next(iter(groups.values()))))}', among {len(known)} features, such as "
            f"'{known[0] if known else 'none'}'. Write a table of your genes and name it in "
            "model.groups."
        )
    taken = {name for names in found.values() for name in names}
    rest = tuple(name for name in known if name not in taken)
    return {**found, OTHER: (*found.get(OTHER, ()), *rest)} if ungrouped and rest else found


def _checked(rows: list[list[str]], path: Path) -> Groups:
    header = [name.strip().lower() for name in rows[0]] if rows else []
    for name in ("gene", "group"):
        if header.count(name) != 1:
            raise ConfigError(
                f"Signature table must have one column `{name}`, got {', '.join(header) or 'none'} "
                f"in '{path}'. {nearest(name, header) if header else 'Write gene,group.'}"
            )
    gene, group = header.index("gene"), header.index("group")
    groups: dict[str, dict[str, None]] = {}
    for number, row in enumerate(rows[1:], 2):
        cells = [cell.strip() for cell in row]
        if not any(cells):
            continue
        if len(cells) != len(header) or not cells[gene] or not cells[group]:
            raise ConfigError(
                f"Signature table must have a gene and a group in each line, got "
                f"'{','.join(row)[:60]}' in line {number} of '{path}'. Mend the line."
            )
        groups.setdefault(cells[group], {})[cells[gene]] = None
    if not 1 <= len(groups) <= MOST_GROUPS:
        raise ConfigError(
            f"Signature table must name 1 to {MOST_GROUPS} groups, got {len(groups)} in '{path}'. "
            "Merge groups, or add lines."
        )
    return {name: tuple(genes) for name, genes in groups.items()}
