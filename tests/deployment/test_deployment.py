"""deploy/README.md, followed: TLS, node authentication, three rounds and the audit."""

import json
import shutil
import ssl
from dataclasses import replace

import httpx
import numpy as np
import pytest
from safetensors.numpy import load_file

from fusion.config import from_toml
from server.fitting import settings_for
from simulations.federation import run_inline
from tests.deployment.conftest import ROOT, wait_for


def test_the_pages_settings_are_settings(page, tmp_path):
    file = tmp_path / "run.toml"
    file.write_text(page["run.toml"], encoding="utf-8")
    assert from_toml(file).federation.expected_sites == 3


def test_a_healthy_hospital_is_told_that_training_can_start(federation):
    assert "Training can start." in federation.hospitals["lyon"].types("doctor")


def test_the_gate_takes_no_orders(federation):
    authority = str(federation.coordinator.folder / "tls" / "ca.crt")
    gate = f"https://127.0.0.1:{federation.coordinator.ports['9443']}"
    with httpx.Client(
        verify=ssl.create_default_context(cafile=authority), trust_env=False
    ) as caller:
        for path in ("/v1/control/list-runs", "/v1/control/start-run", "/v1/runtime/acquire-task"):
            assert caller.post(gate + path).status_code == 404
        # A hospital's call passes, and the SuperLink refuses it for want of a signature.
        assert caller.post(f"{gate}/v1/fleet/pull-messages").status_code in (401, 415)


@pytest.mark.parametrize("port", ["9443", "8000"])
def test_who_does_not_speak_tls_is_refused(federation, port):
    address = f"http://127.0.0.1:{federation.coordinator.ports[port]}/v1/fleet/pull-messages"
    with httpx.Client(trust_env=False) as caller, pytest.raises(httpx.TransportError):
        caller.post(address)


def test_a_hospital_that_is_not_registered_is_refused_and_tries_again(
    federation, newcomer, hospitals
):
    stranger = newcomer("stranger", federation.coordinator, hospitals / "lyon")
    process = stranger.starts("start")
    told = stranger.log("start")
    wait_for(lambda: "It is started again in" in told.read_text(encoding="utf-8"), "a refusal")
    process.terminate()
    assert process.wait(60) == 130
    assert "Exit Code: 305" in told.read_text(encoding="utf-8")
    assert len(json.loads(federation.coordinator.types("online"))["nodes"]) == 3


@pytest.fixture(scope="module")
def result(federation):
    """The deployed run's result, once it has ended."""
    return federation.result()


@pytest.fixture(scope="module")
def inline(federation, hospitals, tmp_path_factory):
    """Folder of the same run on the inline engine."""
    config = from_toml(federation.coordinator.folder / "run.toml")
    out = tmp_path_factory.mktemp("inline") / "run"
    return run_inline(replace(config, sites=str(hospitals), out=str(out)))


def test_the_deployed_model_is_the_inline_engines(federation, result, inline):
    deployed, expected = (load_file(f / "model.safetensors") for f in (federation.out, inline))
    assert result["rounds"][-1]["answered"] == ["bergen", "lyon", "porto"]
    assert deployed.keys() == expected.keys()
    for name, weights in expected.items():
        np.testing.assert_allclose(deployed[name], weights, atol=1e-5, rtol=0, err_msg=name)


@pytest.mark.parametrize("part", ["sites", "rounds", "evaluation", "audit"])
def test_the_deployed_figures_are_the_inline_engines(result, inline, alike, part):
    expected = json.loads((inline / "result.json").read_text(encoding="utf-8"))
    assert expected[part]
    assert alike(result[part], expected[part])


def test_what_arrives_at_a_hospital_is_four_packages(federation, result):
    assert result["rounds"][-1]["failed"] == []
    for hospital in federation.hospitals.values():
        (app,) = (hospital.folder / "flower" / "apps").glob("concord.*")
        found = {path.name for path in app.iterdir() if path.is_dir() and path.name[0] != "."}
        assert found == {"client", "fusion", "privacy", "server"}


@pytest.fixture(scope="module")
def disguised(tmp_path_factory):
    """The source with every check of the ClientApp taken out: it tells who was let in."""
    folder = tmp_path_factory.mktemp("disguised")
    for name in ("client", "fusion", "privacy", "server"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", folder)
    mark, app = folder / "let-in", folder / "client" / "app.py"
    app.write_text(f"open({str(mark)!r}, 'w').close()\n" + app.read_text(encoding="utf-8"))
    return folder, mark


def test_code_that_no_hospital_approved_runs_at_none(federation, result, disguised):  # noqa: ARG001 -- the first run ends before
    source, mark = disguised
    coordinator = federation.coordinator
    file = coordinator.folder / "run.toml"
    file.write_text(file.read_text(encoding="utf-8").replace("runs/first", "runs/second"))
    replace(coordinator, places={**coordinator.places, "/srv/concord/source": str(source)}).types(
        "run"
    )
    wait_for(lambda: federation.status(1)["status"].startswith("finished"), "the run's end")
    assert federation.status(1)["status"] == "finished:failed"
    assert not mark.exists()
    assert not (coordinator.folder / "runs" / "second" / "result.json").exists()
    for hospital in federation.hospitals.values():
        assert "must be approved by the site" in hospital.log("start").read_text(encoding="utf-8")
        assert len(list((hospital.folder / "flower" / "apps").glob("concord.*"))) == 1


def test_the_model_is_audited_again_as_the_inline_engine_does(
    federation, result, inline, hospitals, alike, tmp_path
):
    deployed = federation.audit()
    model, changes = inline / "model.safetensors", {"audit.background": "zero"}
    config = settings_for(model, out=tmp_path / "again", split="test", changes=changes)
    again = run_inline(replace(config, sites=str(hospitals)))
    expected = json.loads((again / "audit.json").read_text(encoding="utf-8"))
    assert result["audit"]["background"] == "embedding-mean"
    assert all(alike(deployed[part], expected[part]) for part in ("sites", "audit", "not_measured"))


def test_the_seconds_an_exchange_takes_are_told(result, record_property):
    record_property(
        "seconds an exchange", np.round(result["timings"]["rounds_seconds"], 1).tolist()
    )
    record_property("seconds the run", round(result["timings"]["total_seconds"]))
    assert len(result["timings"]["rounds_seconds"]) == 3
