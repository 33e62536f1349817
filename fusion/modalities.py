"""What a model reads: the words of `data.modalities`, and the tables that stand behind each."""

import re
from collections.abc import Iterable, Sequence

from fusion.errors import ConfigError
from fusion.lists import names
from fusion.sections import DataConfig

SLIDES = "slides"
OMICS = "omics"
CLINICAL = "clinical"
PARTIAL = "partial_omics"
"""Key under which patients with some, but not all, of the omics tables are counted."""

MOST = 5
"""Modalities that an audit tells apart."""

FIGURE_WORDS = (
    "value", "low", "high", "standard_error", "standard_errors", "interaction", "reason",
    "warning", "conditioning", "bootstrap", "full", "additive", "gain", "comparable_pairs",
)  # fmt: skip
"""Keys of the audit's figures, beside which a modality stands under its own name."""

_TAKEN = (*FIGURE_WORDS, "all", PARTIAL)


def check_modalities(data: DataConfig) -> None:
    """Raise unless the settings name modalities that fit together.

    Raises:
        ConfigError: A word comes twice, is no word or is taken; there are none or too many; or
            clinical columns are named that no modality reads, or the other way round.

    Source: own.
    """
    words = names(data.modalities)
    sound = all(re.fullmatch(r"[\w-]+", word) and word not in _TAKEN for word in words)
    if not sound or not 1 <= len(set(words)) == len(words) <= MOST:
        raise ConfigError(
            f"data.modalities must be 1 to {MOST} different words out of slides, omics, clinical "
            f"and names of omics tables, got '{data.modalities}'. Write slides,omics or "
            "slides,rna,clinical."
        )
    if CLINICAL in words and not names(data.clinical):
        raise ConfigError(
            f"data.clinical must name columns when data.modalities names clinical, got none beside "
            f"'{data.modalities}'. Write data.clinical=age, or leave clinical out."
        )
    if names(data.clinical) and not {CLINICAL, OMICS} & set(words):
        raise ConfigError(
            f"data.modalities must name clinical or omics when data.clinical names columns, got "
            f"'{data.modalities}' beside '{data.clinical}'. Add clinical, or leave data.clinical "
            "empty."
        )


def tables_named(data: DataConfig) -> tuple[str, ...]:
    """Return the omics tables that are modalities of their own.

    Source: own.
    """
    return tuple(w for w in names(data.modalities) if w not in (SLIDES, OMICS, CLINICAL))


def is_wanted(table: str, data: DataConfig) -> bool:
    """Return whether the settings ask for an omics table, alone or inside `omics`.

    Source: own.
    """
    joined = OMICS in names(data.modalities)
    together = joined and (data.omics == "all" or table in names(data.omics))
    return together or table in tables_named(data)


def parts(modalities: Sequence[str], tables: Iterable[str]) -> dict[str, tuple[str, ...]]:
    """Return what stands behind each modality that is read as a vector.

    Args:
        modalities: Words of `data.modalities`.
        tables: Omics tables in use, and `clinical` if there are such columns, in order.

    Returns:
        For each word but `slides` its tables; `omics` has all that are not named on their own.

    Source: own.
    """
    known = tuple(tables)
    return {
        word: tuple(t for t in known if (t not in modalities if word == OMICS else t == word))
        for word in modalities
        if word != SLIDES
    }


def lacks(data: DataConfig) -> tuple[str, ...]:
    """Return the keys under which a site counts patients who lack something, in order.

    Source: own.
    """
    words = names(data.modalities)
    return (*words, PARTIAL) if OMICS in words else words
