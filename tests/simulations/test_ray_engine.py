"""What can be said without starting Flower; the engine itself is run in tests/deployment."""

import importlib.util
import tomllib

import pytest

from fusion.config import RunConfig, flatten, from_flat
from fusion.errors import ConfigError
from server.submission import to_toml
from simulations import ray_engine
from simulations.cli import main
from simulations.ray_engine import run_ray


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"out": "/a folder/with 'quotes' \"and\" \\ backslash/日本", "resume": True},
        {"training.lr": 1e-12, "rounds": 3, "data.clinical": "age, sex"},
    ],
    ids=["defaults", "awkward path", "numbers"],
)
def test_settings_reach_flower_as_they_were(changes):
    config = from_flat(changes)

    def dotted(tree, prefix=""):
        for key, value in tree.items():
            nested = isinstance(value, dict)
            yield from dotted(value, f"{prefix}{key}.") if nested else [(prefix + key, value)]

    read = dict(dotted(tomllib.loads(to_toml(config))))
    assert read == flatten(config)
    assert {k: type(v) for k, v in read.items()} == {k: type(v) for k, v in flatten(config).items()}


def test_without_ray_the_sentence_names_what_to_install(hospitals, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(ray_engine, "find_spec", lambda _: None)
    words = ["run", "--engine", "ray", "--sites", str(hospitals), "--out", str(tmp_path / "run")]
    assert main(words) == 2
    told = capsys.readouterr().err
    assert "must find Ray, got none installed. Install it with `pip install 'concord[simul" in told
    assert not (tmp_path / "run").exists()


def test_without_the_source_the_sentence_says_so(monkeypatch, tmp_path):
    monkeypatch.setattr(ray_engine, "SOURCE", tmp_path)
    with pytest.raises(ConfigError, match=r"must find Concord's source, .* got no pyproject.toml"):
        run_ray(RunConfig(sites=str(tmp_path)))


def test_ray_is_there_for_the_tests():
    assert importlib.util.find_spec("ray")


def test_nothing_of_the_callers_environment_leads_elsewhere(monkeypatch, tmp_path):
    monkeypatch.setenv("RAY_ADDRESS", "10.0.0.1:6379")
    monkeypatch.setenv("PYTHONPATH", "/elsewhere")
    monkeypatch.setenv("FLWR_HOME", "/elsewhere")
    found = ray_engine._environment(tmp_path)
    assert "/elsewhere" not in found.values()
    assert "RAY_ADDRESS" not in found
    assert found["FLWR_TELEMETRY_ENABLED"] == found["RAY_USAGE_STATS_ENABLED"] == "0"


def test_an_engine_that_is_none_is_refused(capsys):
    with pytest.raises(SystemExit):
        main(["run", "--engine", "roy"])
    assert "invalid choice: 'roy'" in capsys.readouterr().err
