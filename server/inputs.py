"""What all sites can read alike, and what of it the model reads: nothing else is asked for."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from fusion.config import RunConfig, names
from fusion.errors import ConfigError, FederationError
from fusion.modalities import CLINICAL, OMICS, SLIDES, parts, tables_named
from fusion.models.entries import MODELS
from fusion.registry import nearest
from server.members import Member


@dataclass(frozen=True)
class Inputs:
    """What a run's model reads.

    Attributes:
        modalities: In the order of the settings, without those that no site can train on.
        encoder: Of the slides; empty = slides are not read.
        width: Features of a patch; 0 = slides are not read.
        tables: Omics tables.
        clinical: Clinical columns.
        features: Names of all features of tables and clinical columns, in order.
        dropped: Features that some site has and some site with the table lacks.
        known: Omics tables in use, and `slides` if there are any, read by this model or not.

    Source: own.
    """

    modalities: tuple[str, ...]
    encoder: str
    width: int
    tables: tuple[str, ...]
    clinical: tuple[str, ...]
    features: tuple[str, ...]
    dropped: int
    known: tuple[str, ...]

    def to_words(self) -> dict[str, Any]:
        """Return what a site must know to find the same inputs, for the wire."""
        return {
            "tables": list(self.tables),
            "clinical": list(self.clinical),
            "features": list(self.features),
            "slides": bool(self.width),
            "feature-width": self.width,
        }


def choose_inputs(members: Sequence[Member], config: RunConfig) -> Inputs:
    """Return what the model of `config` reads at these sites.

    Raises:
        FederationError: The sites have different encoders, or no gene in common.
        ConfigError: A table in the settings exists nowhere, or the model needs a modality that
            the settings do not name.

    Source: own.
    """
    _check_taken(config)
    tables, clinical = _tables(members, config), names(config.data.clinical)
    behind = parts(names(config.data.modalities), (*tables, *((CLINICAL,) if clinical else ())))
    there = _there(members, config, behind)
    takes = MODELS[config.model.name].takes or there
    modalities = tuple(word for word in there if word in takes)
    read = {part for word in modalities for part in behind.get(word, ())}
    encoder, width = _encoder(members) if SLIDES in modalities else ("", 0)
    clinical = clinical if CLINICAL in read else ()
    chosen = tuple(table for table in tables if table in read)
    features, dropped = _features(members, chosen)
    return Inputs(
        modalities=modalities,
        encoder=encoder,
        width=width,
        tables=chosen,
        clinical=clinical,
        features=(*features, *(f"{CLINICAL}:{column}" for column in clinical)),
        dropped=dropped,
        known=(*tables, *(word for word in there if word == SLIDES)),
    )


def _check_taken(config: RunConfig) -> None:
    words = names(config.data.modalities)
    for name in MODELS[config.model.name].takes:
        if name not in words:
            raise ConfigError(
                f"data.modalities must name {name} for model '{config.model.name}', got "
                f"'{config.data.modalities}'. Add {name}, or choose another model."
            )


def _there(
    members: Sequence[Member], config: RunConfig, behind: Mapping[str, tuple[str, ...]]
) -> tuple[str, ...]:
    """Return the modalities that a site can train on, in the order of the settings."""
    trainers = [member for member in members if member.trains]
    held = {table for member in trainers for table in member.facts["tables"]} | {CLINICAL}
    slides = any(member.facts["feature-width"] for member in trainers)
    return tuple(
        word
        for word in names(config.data.modalities)
        if (slides if word == SLIDES else held & set(behind[word]))
    )


def _encoder(members: Sequence[Member]) -> tuple[str, int]:
    """Return the one encoder and feature width of all sites that have slides."""
    found = {
        (m.facts["encoder"], int(m.facts["feature-width"])): m.name
        for m in members
        if m.facts["feature-width"]
    }
    if len(found) > 1:
        seen = ", ".join(f"{name}: {e} ({w})" for (e, w), name in sorted(found.items()))
        raise FederationError(
            f"All sites must use one slide feature encoder, got {seen}. Extract features with the "
            "same encoder everywhere."
        )
    return next(iter(found), ("", 0))


def _tables(members: Sequence[Member], config: RunConfig) -> tuple[str, ...]:
    """Return the omics tables in use: those of `omics`, then those that are modalities."""
    named = tables_named(config.data)
    trained = sorted({table for m in members if m.trains for table in m.facts["tables"]})
    for table in named:
        if table not in trained:
            raise ConfigError(
                f"data.modalities must name tables that a site can train on, got '{table}'. "
                + (nearest(table, trained) if trained else "No site has a table.")
            )
    joined = _joined(members, config) if OMICS in names(config.data.modalities) else ()
    return (*(table for table in joined if table not in named), *named)


def _joined(members: Sequence[Member], config: RunConfig) -> tuple[str, ...]:
    """Return the tables of `omics`: those asked for, or those that all sites with any have."""
    named = set(tables_named(config.data))
    held = [set(m.facts["tables"]) - named for m in members]
    held = [tables for tables in held if tables]
    common = sorted(set.intersection(*held)) if held else []
    if config.data.omics == "all":
        return tuple(common)
    asked = tuple(table for table in names(config.data.omics) if table not in named)
    for table in asked:
        if table not in common:
            raise ConfigError(
                f"data.omics must name tables that every site has, got '{table}'. "
                + (nearest(table, common) if common else "No table is at every site.")
            )
    return asked


def _features(members: Sequence[Member], tables: Sequence[str]) -> tuple[tuple[str, ...], int]:
    """Return the genes that all sites with a table share, and how many were left out."""
    agreed: list[str] = []
    dropped = 0
    for table in tables:
        held = [set(m.facts[f"features:{table}"]) for m in members if table in m.facts["tables"]]
        common = set.intersection(*held)
        if not common:
            raise FederationError(
                f"Sites must share genes, got none in common in table '{table}' of {len(held)} "
                "sites. Use the same gene names everywhere."
            )
        dropped += len(set.union(*held)) - len(common)
        agreed += [f"{table}:{gene}" for gene in sorted(common)]
    return tuple(agreed), dropped
