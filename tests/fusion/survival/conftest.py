from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pytest


@dataclass(frozen=True)
class Patients:
    risk: np.ndarray
    time: np.ndarray
    event: np.ndarray
    log_hazard: np.ndarray


@pytest.fixture
def draw() -> Callable[..., Patients]:
    """Exponential survival with censoring; risk = log hazard + noise; whole days on request."""

    def one(patients: int, *, seed: int = 0, whole_days: bool = False) -> Patients:
        rng = np.random.default_rng(seed)
        log_hazard = rng.normal(size=patients)
        death = rng.exponential(1200.0 * np.exp(-log_hazard))
        end = rng.exponential(2000.0, size=patients)
        time = np.minimum(death, end)
        time = np.ceil(time / 30.0) if whole_days else time
        risk = log_hazard + rng.normal(size=patients) * 0.8
        return Patients(risk, time, death < end, log_hazard)

    return one
