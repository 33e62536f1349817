"""One scale for all sites' inputs: from the training sites' sums, or from public statistics."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from fusion.config import RunConfig
from fusion.errors import FederationError
from fusion.readers.public_scaling import read_public_scaling
from fusion.readers.scaling import Scaling, ScalingSums
from fusion.survival.estimate import require_finite
from server.inbox import Answer, Check, Failure, Inbox, request
from server.inputs import Inputs


@dataclass(frozen=True)
class Scaled:
    """A common scale, and what it took.

    Attributes:
        scaling: What every site applies.
        clipped: Share of omics values cut by the clip; None with public statistics.
        failures: Sites whose sums could not be had; they take no further part.

    Source: own.
    """

    scaling: Scaling
    clipped: float | None
    failures: tuple[Failure, ...]


def common_scale(
    inbox: Inbox,
    sites: Sequence[str],
    config: RunConfig,
    inputs: Inputs,
) -> Scaled:
    """Return the scale of all inputs; with public statistics no site is asked.

    Args:
        inbox: The way to the sites.
        sites: Names of those that train.
        config: The run's settings.
        inputs: What the model reads.

    Returns:
        The scaling, and the sites that must be left out.

    Raises:
        FederationError: No site answered.
        ConfigError: The public statistics cannot be used.

    Source: own.
    """
    clip, features, width = config.data.clip, inputs.features, inputs.width
    if config.data.scaling != "federated":
        path = Path(config.data.scaling)
        public = read_public_scaling(path, names=features, width=width, clip=clip)
        return Scaled(public, None, ())
    check = _readable(len(features), width)
    answers, failures = inbox.ask("query.scaling", request(inputs.to_words()), sites, check)
    if not answers:
        reasons = "; ".join(f"{f.site}: {f.reason}" for f in failures)
        raise FederationError(
            f"At least one site must answer with its scaling sums, got none ({reasons}). "
            "Run `concord-site doctor` at each site."
        )
    cut, known = np.sum([answer.sums["scaling.clipped"] for answer in answers], axis=0)
    omics, slides = _added(answers, "scaling.omics"), _added(answers, "scaling.slides")
    scaling = Scaling.from_sums(omics, slides, names=features, clip=clip)
    return Scaled(scaling, float(cut) / max(float(known), 1.0), tuple(failures))


def _readable(number: int, width: int) -> Check:
    """Return a check that sums are of `number` features and patches `width` wide."""

    def check(answer: Answer) -> None:
        for name, length in (("scaling.omics", number), ("scaling.slides", width)):
            if length and name in answer.sums:
                require_finite("Scaling sums", answer.sums[name].reshape(3, length))
        require_finite("Clipped values", answer.sums["scaling.clipped"].reshape(2) * 1.0)

    return check


def _added(answers: Sequence[Answer], name: str) -> ScalingSums | None:
    held = [ScalingSums.from_array(a.sums[name]) for a in answers if name in a.sums]
    return sum(held[1:], start=held[0]) if held else None
