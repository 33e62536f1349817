"""The processor and a GPU give the same results; where there is no GPU the tests say so."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

from client.predict import predict
from fusion.encoders.dropout import PatientDropout, set_dropout_keys
from fusion.errors import FederationError
from fusion.models.entries import MODELS
from simulations.federation import run_inline

needs_gpu = pytest.mark.skipif(
    not torch.cuda.is_available(), reason="torch sees no GPU on this machine"
)

DEFAULTS = {"objective.name": "discrete-time", "training.lr": 5e-4, "training.local-steps": 6}
COX = {"objective.name": "cox", "training.optimiser": "sgd", "training.local-steps": 6}
"""With Adam and large steps rounding grows: it divides a gradient of almost 0 by its own size."""


@pytest.fixture
def run_on(hospitals, tiny, tmp_path):
    """Run a federation of one round, every site on one device; return its folder."""

    def run(device, changes):
        sites = tmp_path / f"sites-{device}"
        shutil.copytree(hospitals, sites)
        for described in sites.glob("*/site.toml"):
            described.write_text(f'device = "{device}"\n{described.read_text()}')
        return run_inline(tiny({"rounds": 1, "audit.every": 1, **changes}, sites=sites))

    return run


def risks(site: Path, run: Path) -> np.ndarray:
    return predict(site, run / "model.safetensors").table["risk"].to_numpy()


def told(run: Path) -> dict:
    return json.loads((run / "result.json").read_text(encoding="utf-8"))


@needs_gpu
@pytest.mark.parametrize("changes", [DEFAULTS, COX], ids=["defaults", "cox"])
@pytest.mark.parametrize("pooling", ["mean", "attention"])
@pytest.mark.parametrize("model", list(MODELS))
def test_a_gpu_gives_the_processors_results(run_on, hospitals, model, pooling, changes):
    changes = changes | {"model.name": model, "model.pooling": pooling}
    there, here = (run_on(device, changes) for device in ("cuda", "cpu"))
    expected = risks(hospitals / "lyon", here)
    np.testing.assert_allclose(risks(hospitals / "lyon", there), expected, rtol=0, atol=1e-4)
    losses = [told(run)["rounds"][1]["loss"]["train"] for run in (there, here)]
    assert losses[0] == pytest.approx(losses[1], abs=1e-4)


@needs_gpu
def test_a_gpu_draws_the_processors_dropout():
    layer = PatientDropout(0.3).train()
    drawn = []
    for device in ("cpu", "cuda"):
        set_dropout_keys(layer, torch.tensor([3, 2**62, 7], device=device))
        drawn.append(layer(torch.ones(3, 1001, device=device)).cpu().numpy())
    np.testing.assert_array_equal(*drawn)


@needs_gpu
def test_a_gpu_repeats_itself_bit_for_bit(run_on):
    one, again = (run_on(device, {"model.pooling": "attention"}) for device in ("cuda", "auto"))
    models = [(run / "model.safetensors").read_bytes() for run in (one, again)]
    assert models[0] == models[1]


@needs_gpu
def test_a_gpu_predicts_the_processors_risks(run_on, tmp_path):
    run = run_on("cpu", DEFAULTS)
    here = tmp_path / "sites-cpu" / "lyon"
    expected, described = risks(here, run), here / "site.toml"
    described.write_text(described.read_text().replace('device = "cpu"', 'device = "cuda"'))
    np.testing.assert_allclose(risks(here, run), expected, rtol=0, atol=1e-4)


@pytest.mark.skipif(torch.cuda.is_available(), reason="torch sees a GPU on this machine")
def test_a_site_that_lacks_the_gpu_it_asks_for_says_so(run_on):
    with pytest.raises(FederationError, match="The site asks for a GPU, and torch sees none"):
        run_on("cuda", DEFAULTS)
