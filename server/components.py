"""Principal components of all sites' inputs, from the training sites' sums of products."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from fusion.config import RunConfig, names, pairs
from fusion.errors import ConfigError, FederationError
from fusion.readers.components import (
    FEWEST,
    WIDEST,
    ProductSums,
    Projection,
    principal_components,
    triangle_length,
)
from fusion.readers.omics import CLINICAL, positions
from fusion.readers.scaling import Scaling
from fusion.registry import nearest
from fusion.survival.estimate import require_finite
from server.inbox import Answer, Check, Failure, Inbox, request

SLIDES = "slides"


@dataclass(frozen=True)
class Found:
    """The components of the federation, and what they took.

    Attributes:
        projections: For each table, and `slides`, of which components are asked.
        failures: Sites whose sums could not be had; they take no further part.

    Source: own.
    """

    projections: Mapping[str, Projection]
    failures: tuple[Failure, ...]


def common_components(
    inbox: Inbox, sites: Sequence[str], config: RunConfig, scaling: Scaling
) -> Found:
    """Return the principal components that the settings ask for; if none, no site is asked.

    Args:
        inbox: The way to the sites.
        sites: Names of those that train.
        config: The run's settings.
        scaling: Of all inputs that are read.

    Returns:
        The projections, and the sites that must be left out.

    Raises:
        ConfigError: A table is not read, is too wide, or varies in fewer components.
        FederationError: No site answered, or none has enough patients with a table.

    Source: own.
    """
    asked = pairs(config.data.components, "data.components")
    if not asked:
        return Found({}, ())
    places = positions(scaling.names)
    sizes = {name: len(found) for name, found in places.items() if name != CLINICAL}
    sizes |= {SLIDES: len(scaling.slide_mean)} if len(scaling.slide_mean) else {}
    _check_asked(list(asked), sizes)
    words = {
        "components": list(asked),
        "scaling": json.dumps(scaling.to_dict()),
        "tables": [name for name in places if name != CLINICAL],
        "clinical": list(names(config.data.clinical)),
        "features": list(scaling.names),
    }
    check = _readable({name: sizes[name] for name in asked})
    answers, failures = inbox.ask("query.components", request(words), sites, check)
    sums = {name: _added(name, sizes[name], answers, failures) for name in asked}
    projections = {
        name: principal_components(sums[name], number=number, name=name)
        for name, number in asked.items()
    }
    return Found(projections, tuple(failures))


def _check_asked(asked: Sequence[str], sizes: Mapping[str, int]) -> None:
    for name in asked:
        if name not in sizes:
            raise ConfigError(
                f"data.components must name omics tables that the model reads, or slides, got "
                f"'{name}'. {nearest(name, tuple(sizes))}"
            )
        if sizes[name] > WIDEST:
            size = 8 * triangle_length(sizes[name]) / 1e6
            raise ConfigError(
                f"data.components must name tables of at most {WIDEST:,} columns, got {name} with "
                f"{sizes[name]:,}: each site would send {size:,.0f} MB. Choose fewer columns at "
                f"the sites, or leave {name} out of data.components."
            )


def _readable(sizes: Mapping[str, int]) -> Check:
    """Return a check that sums of products are of tables so wide, and of enough patients."""

    def check(answer: Answer) -> None:
        for name, columns in sizes.items():
            triangle = answer.sums.get(f"components:{name}")
            if triangle is None:
                continue
            require_finite("Sums of products", triangle.reshape(triangle_length(columns)))
            if not triangle[0] >= FEWEST:
                raise ValueError(f"sums of products are of {triangle[0]:g} patients")

    return check


def _added(
    name: str, columns: int, answers: Sequence[Answer], failures: Sequence[Failure]
) -> ProductSums:
    """Return the sums of all sites that have the table."""
    key, total = f"components:{name}", None
    for answer in (answer for answer in answers if key in answer.sums):
        own = ProductSums.from_array(answer.sums[key], columns)
        total = own if total is None else total + own
    if total is None:
        reasons = "; ".join(f"{f.site}: {f.reason}" for f in failures) or "no site failed"
        raise FederationError(
            f"Components of {name} must come from a site with at least {FEWEST} training patients "
            f"who have it, got none among {len(answers)} answers ({reasons}). Leave {name} out of "
            "data.components."
        )
    return total
