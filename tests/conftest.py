"""Synthetic hospitals, and runs over them that are watched message by message."""

import json
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from flwr.app import Context, Message
from flwr.clientapp import ClientApp
from flwr.supercore.task_identity import TaskIdentity
from hypothesis import settings as hypothesis_settings

from client.app import app as client_app
from client.site import forget_sites
from fusion.config import RunConfig, flatten, from_flat
from server.phases import conduct
from simulations.federation import InlineGrid, run_inline, site_nodes
from simulations.synthetic import make_hospitals

hypothesis_settings.register_profile("concord", deadline=None)  # a busy machine is no fault
hypothesis_settings.load_profile("concord")

TINY = {
    "rounds": 2, "objective.name": "cox",
    "model.tokens": 2, "model.width": 4, "model.hidden": 8, "model.heads": 2,
    "model.rank": 2, "model.patch-tokens": 16,
    "model.groups": str(Path(__file__).parent / "signature.csv"),
    "data.max-patches": 8, "split.validation": 0.25, "split.test": 0.34,
    "training.local-steps": 2, "training.micro-batch": 6, "training.lr": 0.01,
    "evaluation.time-step": 182.625, "evaluation.time-bins": 20, "evaluation.risk-bins": 8,
    "federation.wait-seconds": 0.0,
}  # fmt: skip


@dataclass(frozen=True)
class Exchange:
    """One question to one site, and its answer."""

    site: str
    kind: str
    request: Message
    reply: Message

    @property
    def round(self) -> int:
        return int(self.request.content["request"].get("round", 0)) if self.kind == "train" else 0


class Watch(ClientApp):
    """The real ClientApp; keeps every exchange and lets a test change what is answered."""

    def __init__(self, change: Callable[[Exchange], Message | None] | None = None) -> None:
        super().__init__()
        self.exchanges: list[Exchange] = []
        self._change = change or (lambda _: None)

    def __call__(self, message: Message, context: Context) -> Message:
        site = Path(context.node_config["site"]).name
        reply = client_app(message, context)
        seen = Exchange(site, message.metadata.message_type, message, reply)
        self.exchanges.append(seen)
        return self._change(seen) or reply


@dataclass(frozen=True)
class Finished:
    """A run that came to its end."""

    config: RunConfig
    result: dict[str, Any]
    exchanges: list[Exchange] = field(repr=False)

    @property
    def folder(self) -> Path:
        return Path(self.config.out)

    @property
    def plan(self) -> str:
        return next(e.request.content["request"]["plan"] for e in self.exchanges if e.round)

    @property
    def model(self) -> bytes:
        return (self.folder / "model.safetensors").read_bytes()


@pytest.fixture(scope="session", autouse=True)
def _identity() -> None:
    """Flower's messages ask who sends them."""
    TaskIdentity.task_id, TaskIdentity.run_id, TaskIdentity.node_id = 1, 1, 1


@pytest.fixture(scope="session")
def hospitals(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three hospitals of 24 patients; two of each lack slides, two others lack omics."""
    folder = tmp_path_factory.mktemp("federation") / "sites"
    make_hospitals(folder, sites=3, patients=24, seed=1)
    return folder


@pytest.fixture
def own_hospitals(hospitals: Path, tmp_path: Path) -> Path:
    """A copy that a test may spoil."""
    return Path(shutil.copytree(hospitals, tmp_path / "sites"))


@pytest.fixture(scope="session")
def tiny(hospitals: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., RunConfig]:
    """Settings of a run of about a second, in a folder of its own."""

    def settings(changes: Mapping[str, Any] | None = None, *, sites: Path = hospitals) -> RunConfig:
        out = tmp_path_factory.mktemp("run") / "run"
        return from_flat({**TINY, "sites": str(sites), "out": str(out), **(changes or {})})

    return settings


@pytest.fixture(scope="session")
def lead() -> Callable[..., Finished]:
    """Lead a run without writing the report."""

    def run(
        config: RunConfig, watch: Watch | None = None, grid_of: type[InlineGrid] = InlineGrid
    ) -> Finished:
        watch = watch or Watch()
        grid = grid_of(watch, site_nodes(config), flatten(config))
        try:
            result = conduct(grid, config)
        finally:
            forget_sites()
        return Finished(config, result, watch.exchanges)

    return run


@pytest.fixture(scope="session")
def watching() -> type[Watch]:
    return Watch


@pytest.fixture(scope="session")
def finished(tiny: Callable[..., RunConfig]) -> Finished:
    """One whole run with report, shared by many tests: look, do not touch."""
    config, watch = tiny({"audit.every": 1}), Watch()
    run_inline(config, client=watch)
    result = json.loads((Path(config.out) / "result.json").read_text(encoding="utf-8"))
    return Finished(config, result, watch.exchanges)
