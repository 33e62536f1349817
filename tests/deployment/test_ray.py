"""Flower's simulation engine, started through our command. About 20 seconds a run."""

import json
import socket
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file

from fusion.config import RunConfig
from server.submission import to_toml
from simulations import ray_engine
from simulations.cli import main
from simulations.federation import run_inline
from simulations.programs import Programs, free_ports


@pytest.fixture
def started(monkeypatch):
    """Every group of programs that the engine starts."""
    groups: list[Programs] = []

    class Watched(Programs):
        def __init__(self, *words):
            super().__init__(*words)
            groups.append(self)

    monkeypatch.setattr(ray_engine, "Programs", Watched)
    return groups


def nothing_is_left(started):
    (group,) = started
    return group.living() == [] and not group.folder.exists()


def command(config: RunConfig, folder: Path, *more: str) -> list[str]:
    file = folder / "run.toml"
    file.write_text(to_toml(config), encoding="utf-8")
    return ["run", "--config", str(file), "--engine", "ray", *more]


def test_ray_and_inline_agree_over_five_rounds(tiny, tmp_path, capsys, started, alike):
    config = tiny({"rounds": 5, "audit.every": 2, "federation.wait-seconds": 60.0})
    assert main(command(config, tmp_path, "--json")) == 0
    told = capsys.readouterr()
    inline = run_inline(replace(config, out=str(tmp_path / "inline")))
    result = json.loads(told.out)
    expected = json.loads((inline / "result.json").read_text())
    ours, theirs = (load_file(f / "model.safetensors") for f in (Path(config.out), inline))
    for name, weights in theirs.items():
        np.testing.assert_allclose(ours[name], weights, atol=1e-5, rtol=0, err_msg=name)
    assert ours.keys() == theirs.keys()
    for part in ("sites", "rounds", "evaluation", "audit"):
        assert alike(result[part], expected[part]), part
    assert "round 5/5" in told.err
    assert nothing_is_left(started)


def test_a_failed_run_is_the_coordinators_sentence_and_code_2(hospitals, tmp_path, capsys, started):
    words = ["run", "--sites", str(hospitals), "--out", str(tmp_path / "run"), "--engine", "ray"]
    assert main([*words, "--hold-out", "lyon,porto,bergen"]) == 2
    told = capsys.readouterr()
    *_, kept, sentence = told.err.splitlines()
    assert sentence.startswith("error: At least one site must be able to train, got none of 3")
    assert told.out == ""
    log = Path(kept.removeprefix("Flower's log of this run: "))
    assert "FederationError" in log.read_text(encoding="utf-8")
    log.unlink()
    assert not (tmp_path / "run").exists()
    assert nothing_is_left(started)


def test_an_interrupted_run_leaves_nothing_running_and_a_taken_port_is_no_obstacle(
    hospitals, tmp_path, started, monkeypatch
):
    def interrupt(_programs, _run):
        raise KeyboardInterrupt

    with socket.create_server(("127.0.0.1", 0)) as taken:
        ports = iter([taken.getsockname()[1], *free_ports(1)])
        monkeypatch.setattr(ray_engine, "free_ports", lambda _: [next(ports)])
        monkeypatch.setattr(ray_engine, "_follow", interrupt)
        words = ["run", "--sites", str(hospitals), "--out", str(tmp_path / "run")]
        assert main([*words, "--engine", "ray"]) == 130
    assert next(ports, None) is None
    assert nothing_is_left(started)
