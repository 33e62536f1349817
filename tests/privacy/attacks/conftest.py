"""Randomness that a test can repeat, and bugs to plant."""

from dataclasses import replace

import numpy as np
import pytest

import privacy.engine
from privacy.attacks import canaries, step
from privacy.engine import draw_patients
from privacy.plan import PrivacyPlan
from privacy.randomness import SystemRandomness


class Seeded:
    """Noise and samples that come again."""

    def __init__(self, seed):
        self._random = np.random.default_rng(seed)

    def uniform(self, number):
        return self._random.random(number)

    def normal(self, number):
        return self._random.standard_normal(number)


@pytest.fixture(scope="session")
def seeded():
    return Seeded


@pytest.fixture(scope="session")
def full():
    """A full-batch plan; its noise costs epsilon 2.94 at delta 1e-3 over four steps."""
    return PrivacyPlan(2.0, max_grad_norm=0.5, steps=4, delta=1e-3)


@pytest.fixture(scope="session")
def poisson():
    return PrivacyPlan(2.0, max_grad_norm=0.5, steps=10, delta=1e-3, sampling_rate=0.2)


def no_clip(monkeypatch):
    def summed(gradients, **_):
        return {name: value.double().sum(0) for name, value in gradients.items()}

    monkeypatch.setattr(privacy.engine, "clipped_sum", summed)


def patches_clipped_apart(monkeypatch):
    """Each patch of a patient is a row of its own, clipped by itself."""
    whole, clip = privacy.engine.functional_gradients, privacy.engine.clipped_sum

    def by_patch(module, patients):
        rows = {"canary": patients["canary"].reshape(-1, 1)}
        gradients, losses = whole(module, rows)
        return gradients, losses[: len(patients["canary"])]

    def unchecked(gradients, *, patients, max_grad_norm):  # noqa: ARG001 -- the bug
        rows = len(next(iter(gradients.values())))
        return clip(gradients, patients=rows, max_grad_norm=max_grad_norm)

    monkeypatch.setitem(privacy.engine.ENGINES, "factored", by_patch)
    monkeypatch.setattr(privacy.engine, "clipped_sum", unchecked)


def half_noise(monkeypatch):
    whole = SystemRandomness.normal
    monkeypatch.setattr(SystemRandomness, "normal", lambda self, n: whole(self, n) / 2)


def same_noise(monkeypatch):
    def again(self, number):  # noqa: ARG001 -- a method
        return np.random.default_rng(1).standard_normal(number)

    monkeypatch.setattr(SystemRandomness, "normal", again)


def twice_drawn(monkeypatch):
    def twice(rows, plan, randomness=None):
        return draw_patients(rows, replace(plan, sampling_rate=2 * plan.sampling_rate), randomness)

    for module in (canaries, step):
        monkeypatch.setattr(module, "draw_patients", twice)


BUGS = {
    "half noise": half_noise,
    "the same noise in every step": same_noise,
    "no clipping": no_clip,
    "patch-level clipping": patches_clipped_apart,
    "a wrong sampling rate": twice_drawn,
}


@pytest.fixture
def plant(monkeypatch):
    """Plant a bug by its name until the test ends."""
    return lambda name: BUGS[name](monkeypatch)
