"""Memory: flat over the rounds, and bounded for a patient with very many patches."""

import gc
import json
import subprocess
import sys
import tracemalloc
from pathlib import Path

import pytest

from client.app import app
from simulations.federation import run_inline
from simulations.synthetic import make_hospitals

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "scale.py"
WIDE = {"model.width": 64, "model.hidden": 64, "training.local-steps": 1}


def measured(*words):
    done = subprocess.run(
        [sys.executable, str(SCRIPT), *words], stdout=subprocess.PIPE, check=True, text=True
    )
    return json.loads(done.stdout)


def test_memory_is_flat_over_the_rounds(tiny, tmp_path):
    sites = tmp_path / "sites"
    make_hospitals(sites, sites=6, patients=12)
    held, model_bytes = {}, 0

    def watch(message, context):
        nonlocal model_bytes
        reply = app(message, context)
        if message.metadata.message_type == "train":
            gc.collect()
            held[int(message.content["request"]["round"])] = tracemalloc.get_traced_memory()[0]
            model_bytes = sum(len(array.data) for array in reply.content["model"].values())
        return reply

    tracemalloc.start()
    try:
        run_inline(tiny({**WIDE, "rounds": 6}, sites=sites), client=watch)
    finally:
        tracemalloc.stop()
    # six sites answer in each of the four rounds between: were one answer of each kept, 24 models
    # would be added
    assert held[6] - held[2] < 2 * model_bytes


@pytest.mark.scale
@pytest.mark.parametrize("pooling", ["mean", "attention"])
@pytest.mark.parametrize("dtype", ["float16", "float32"])
def test_a_patient_of_100000_patches_trains_within_two_gigabytes(pooling, dtype):
    told = measured("patient", "--pooling", pooling, "--dtype", dtype)
    assert (told["patches"], told["width"]) == (100_000, 1024)
    assert told["largest_mb"] < 2000


@pytest.mark.scale
def test_a_hundred_sites_train_ten_rounds_in_flat_memory():
    told = measured("sites", "--sites", "100", "--rounds", "10")
    assert len(told["round_mb"]) == 10
    assert told["round_mb"][-1] - told["round_mb"][1] < 5
