"""The groups of genes that a model reads: from the coordinator's table, the same at all sites."""

import logging
from pathlib import Path

from fusion.config import RunConfig, pairs
from fusion.errors import ConfigError
from fusion.modalities import CLINICAL, OMICS, parts
from fusion.models.entries import MODELS
from fusion.readers.omics import positions
from fusion.readers.signatures import (
    DEFAULT,
    Groups,
    group_features,
    included_signature,
    read_signature,
)
from server.inputs import Inputs

log = logging.getLogger("concord.server")


def choose_groups(config: RunConfig, inputs: Inputs) -> Groups:
    """Return the groups of features of the run's model; none for a model that reads no groups.

    Args:
        config: The run's settings; `model.groups` is a file of the coordinator.
        inputs: What the model reads.

    Returns:
        Names of groups to names of features, for the plan.

    Raises:
        ConfigError: The table cannot be used, or a table of genes is read as its components.

    Source: own.
    """
    signature, told = MODELS[config.model.name].signature, config.model.groups
    if not signature:
        return {}
    groups = included_signature(signature) if told == DEFAULT else read_signature(Path(told))
    places = positions(inputs.features)
    own = parts(inputs.modalities, places).get(OMICS, ())
    reduced = [name for name in pairs(config.data.components, "data.components") if name in own]
    if reduced:
        raise ConfigError(
            f"Model '{config.model.name}' must read genes by name, got components of "
            f"'{reduced[0]}'. Leave {reduced[0]} out of data.components."
        )
    features = [inputs.features[place] for part in own for place in places[part]]
    found = group_features(groups, features, ungrouped=config.model.ungrouped == "group")
    _say(found, features)
    return found


def _say(groups: Groups, features: list[str]) -> None:
    sizes = ", ".join(f"{name} {len(own)}" for name, own in groups.items())
    read = {name for own in groups.values() for name in own}
    log.info("reads groups of genes: %s; %d features in none", sizes, len(features) - len(read))
    unread = [n for n in features if n.startswith(f"{CLINICAL}:") and n not in read]
    if unread:
        log.warning("in no group of genes, so not read: %s", ", ".join(unread))
