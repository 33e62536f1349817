"""Site folders with a split and a policy of the simulation's own; the user's stay untouched."""

import math
import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from client.policy import FILE
from fusion.config import DataConfig
from simulations.joined_site import Part, write_joined

LET_OUT = ("counts", "scaling", "train-loss", "reference", "test", "audit")
"""Sums without noise that a sweep looks at; of validation patients none, so that no round is chosen
by them."""

POLICY = """\
[cohort]
public-size = {size}
minimum-patients = 2
minimum-events = 0
minimum-cell = 2
round-counts-to = 1

[budget]
max-epsilon = {epsilon!r}
{delta}
[run]
sampling-rate = {rate!r}
max-grad-norm = {norm!r}
steps = {steps}

[allowed]
exact-releases = [{exact}]
rounds = {steps}
"""


@dataclass(frozen=True)
class Terms:
    """What the simulated officers of all sites agree to.

    Attributes:
        epsilon: Of a whole run; infinite = no noise and no policy.
        steps: Noisy steps of a whole run.
        sampling_rate: Probability of a patient to take part in a step.
        max_grad_norm: Most that one patient's gradient may be long.
        delta: 0 = each site's public size to the power -1.1.
    """

    epsilon: float
    steps: int
    sampling_rate: float = 1.0
    max_grad_norm: float = 1.0
    delta: float = 0.0

    @property
    def private(self) -> bool:
        """Whether there is noise at all."""
        return math.isfinite(self.epsilon)

    def policy(self, size: int) -> str:
        """Return the policy of a site with a public size."""
        return POLICY.format(
            size=size,
            epsilon=self.epsilon,
            delta=f"delta = {self.delta!r}\n" if self.delta else "",
            rate=self.sampling_rate,
            norm=self.max_grad_norm,
            steps=self.steps,
            exact=", ".join(f'"{name}"' for name in LET_OUT),
        )


def write_governed(parts: Iterable[Part], out: Path, terms: Terms, data: DataConfig) -> None:
    """Write a folder for each site: its patients in their splits, and the policy it agrees to.

    The split is written down, so that runs with and without noise have the same one.

    Args:
        parts: One a site.
        out: Folder to write; left as it is if it exists.
        terms: Of every site.
        data: Which tables are written.

    Privacy: patient data is copied on one machine; bags are links.

    Source: own.
    """
    if out.exists():
        return
    partial = out.with_name(f".{out.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    for part in parts:
        name = part.cohort.name
        write_joined(partial / name, [part], name=name, role=part.cohort.role, data=data)
        if terms.private:
            size = public_size(int(np.sum(part.split == "train")))
            (partial / name / FILE).write_text(terms.policy(size), encoding="utf-8")
    partial.replace(out)


def public_size(patients: int) -> int:
    """Return the number that a site would tell: rounded to ten, ten at least.

    Source: own.
    """
    return max(10, 10 * round(patients / 10))
