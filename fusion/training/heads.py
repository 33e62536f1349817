"""Which arrays stay at their site when each one has a head of its own."""

from collections.abc import Collection, Mapping

import numpy as np
from torch import nn

from fusion.config import RunConfig
from fusion.errors import ConfigError
from fusion.models.entries import MODELS
from fusion.training.plan import weights


def head_names(network: nn.Module, config: RunConfig) -> frozenset[str]:
    """Return the names of the arrays that never leave a site.

    Args:
        network: The run's network.
        config: The run's settings.

    Returns:
        The head's arrays; none unless `federation.personal` is `head`.

    Raises:
        ConfigError: The model has no head apart from the rest.

    Source: own; shared base and personal head: Arivazhagan et al., arXiv 1912.00818.
    """
    if config.federation.personal == "none":
        return frozenset()
    head = MODELS[config.model.name].head
    if not head:
        raise ConfigError(
            "federation.personal = head must go with a model that has layers below its head, got "
            f"'{config.model.name}'. Choose another model, or federation.personal = none."
        )
    return frozenset(n for n in network.state_dict() if n.startswith(f"model.fusion.{head}."))


def head_of(network: nn.Module, names: Collection[str]) -> dict[str, np.ndarray]:
    """Return a copy of the arrays called `names`.

    Source: own.
    """
    return {name: value for name, value in weights(network).items() if name in names}


def without_head(arrays: Mapping[str, np.ndarray], names: Collection[str]) -> dict[str, np.ndarray]:
    """Return the arrays that sites share: all but those called `names`.

    Source: own.
    """
    return {name: value for name, value in arrays.items() if name not in names}
