"""Everything a command can be given, made once and copied for each fault."""

import contextlib
import io
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from client.site import forget_sites
from simulations.cli import main as simulate
from tests.hard_inputs.faults import Place
from tests.hard_inputs.sound import make_cohort, make_sites

SMALL = (
    "rounds=1", "training.local-steps=1", "model.width=4", "model.hidden=8", "model.rank=2",
    "model.tokens=2", "data.max-patches=4", "split.validation=0.25", "split.test=0.25",
    "evaluation.time-bins=4", "evaluation.risk-bins=4", "federation.wait-seconds=0",
)  # fmt: skip
SETTINGS = [word for pair in SMALL for word in ("--set", pair)]
"""A run of one short round."""


@pytest.fixture(scope="session")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Place:
    """Sites, a cohort, predictions, a finished run in `out` and its model: all in order."""
    place = Place(tmp_path_factory.mktemp("sound"))
    make_sites(place.sites)
    make_cohort(place.cohort)
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        words = ["run", "--sites", str(place.sites), "--out", str(place.out), *SETTINGS]
        assert simulate(words) == 0
    shutil.copy(place.out / "model.safetensors", place.model)
    rows = [f"{n * 37 % 11},{100 + n},{n % 2},{'ab'[n % 2]},0.9,0.8" for n in range(12)]
    header = "risk,time,event,site,survival_365,survival_730"
    place.predictions.write_text("\n".join([header, *rows, ""]), encoding="utf-8")
    return place


@pytest.fixture
def place(sound: Place, tmp_path: Path) -> Place:
    """A copy of it all, but for the finished run, that a test may spoil."""
    shutil.copytree(sound.root, tmp_path / "copy", ignore=shutil.ignore_patterns("out"))
    yield Place(tmp_path / "copy")
    forget_sites()


@pytest.fixture
def finished(sound: Place, place: Place) -> Place:
    """A copy with the finished run."""
    shutil.copytree(sound.out, place.out)
    return place


@pytest.fixture
def read_json() -> Callable[[Path], object]:
    return lambda path: json.loads(path.read_text(encoding="utf-8"))
