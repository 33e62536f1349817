"""One scale for all sites' inputs: from the training sites' sums, or from public statistics."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from fusion.config import RunConfig
from fusion.errors import FederationError
from fusion.readers.bounded_inputs import noise_variances
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
        clipped: Share of omics values cut by the clip; None with public or noised statistics.
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
    run: str = "",
) -> Scaled:
    """Return the scale of all inputs; with public statistics no site is asked.

    Args:
        inbox: The way to the sites.
        sites: Names of those that train.
        config: The run's settings.
        inputs: What the model reads.
        run: Name of a private run.

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
    content = request(inputs.to_words() | {"run": run})
    answers, failures = inbox.ask("query.scaling", content, sites, check)
    if not answers:
        reasons = "; ".join(f"{f.site}: {f.reason}" for f in failures)
        raise FederationError(
            f"At least one site must answer with its scaling sums, got none ({reasons}). "
            "Run `concord-site doctor` at each site."
        )
    cut, known = np.sum([answer.sums["scaling.clipped"] for answer in answers], axis=0)
    omics, slides = _added(answers, "scaling.omics"), _added(answers, "scaling.slides")
    scaling = Scaling.from_sums(omics, slides, names=features, clip=clip)
    share = None if any(map(_noised, answers)) else float(cut) / max(float(known), 1.0)
    return Scaled(scaling, share, tuple(failures))


def _readable(number: int, width: int) -> Check:
    """Return a check that sums are of `number` features and patches `width` wide."""

    def check(answer: Answer) -> None:
        for name, length in (("scaling.omics", number), ("scaling.slides", width)):
            if length and name in answer.sums:
                require_finite("Scaling sums", answer.sums[name].reshape(3, length))
        require_finite("Clipped values", answer.sums["scaling.clipped"].reshape(2) * 1.0)

    return check


def _noised(answer: Answer) -> bool:
    return answer.noise("scaling.omics") > 0


def _added(answers: Sequence[Answer], name: str) -> ScalingSums | None:
    held = [_sums(answer, name) for answer in answers if name in answer.sums]
    return sum(held[1:], start=held[0]) if held else None


def _sums(answer: Answer, name: str) -> ScalingSums:
    rows = answer.sums[name]
    return ScalingSums.from_array(rows, noise_variances(rows.shape[1], answer.noise(name)))
