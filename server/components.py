"""Principal components of all sites' inputs, from the training sites' sums of products."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from fusion.config import RunConfig, pairs
from fusion.errors import ConfigError, FederationError
from fusion.modalities import SLIDES
from fusion.readers.components import (
    FEWEST,
    WIDEST,
    ProductSums,
    Projection,
    principal_components,
    triangle_length,
)
from fusion.readers.omics import positions
from fusion.readers.scaling import Scaling
from fusion.registry import nearest
from fusion.survival.estimate import require_finite
from server.inbox import Answer, Check, Failure, Inbox, request
from server.inputs import Inputs


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
    inbox: Inbox, sites: Sequence[str], config: RunConfig, inputs: Inputs, scaling: Scaling
) -> Found:
    """Return the principal components that the settings ask for; if none, no site is asked.

    Args:
        inbox: The way to the sites.
        sites: Names of those that train.
        config: The run's settings.
        inputs: What the model reads; components of anything else in use are not asked for.
        scaling: Of those inputs.

    Returns:
        The projections, and the sites that must be left out.

    Raises:
        ConfigError: A table is not in use, is too wide, or varies in fewer components.
        FederationError: No site answered, or none has enough patients with a table.

    Source: own.
    """
    asked = _asked(config, inputs)
    if not asked:
        return Found({}, ())
    sizes = {name: len(found) for name, found in positions(inputs.features).items()}
    sizes |= {SLIDES: inputs.width}
    _check_widths({name: sizes[name] for name in asked})
    words = {"components": list(asked), "scaling": json.dumps(scaling.to_dict())}
    words |= inputs.to_words()
    check = _readable({name: sizes[name] for name in asked})
    answers, failures = inbox.ask("query.components", request(words), sites, check)
    sums = {name: _added(name, sizes[name], answers, failures) for name in asked}
    projections = {
        name: principal_components(sums[name], number=number, name=name)
        for name, number in asked.items()
    }
    return Found(projections, tuple(failures))


def _asked(config: RunConfig, inputs: Inputs) -> dict[str, int]:
    """Return the components that are asked of what the model reads."""
    asked = pairs(config.data.components, "data.components")
    for name in asked:
        if name not in inputs.known:
            raise ConfigError(
                f"data.components must name omics tables in use, or slides, got '{name}'. "
                f"{nearest(name, inputs.known)}"
            )
    read = (*inputs.tables, *((SLIDES,) if inputs.width else ()))
    return {name: number for name, number in asked.items() if name in read}


def _check_widths(sizes: Mapping[str, int]) -> None:
    for name, columns in sizes.items():
        if columns > WIDEST:
            size = 8 * triangle_length(columns) / 1e6
            raise ConfigError(
                f"data.components must name tables of at most {WIDEST:,} columns, got {name} with "
                f"{columns:,}: each site would send {size:,.0f} MB. Choose fewer columns at the "
                f"sites, or leave {name} out of data.components."
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
