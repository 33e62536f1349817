"""Memory: flat over the rounds, and bounded for a patient with very many patches."""

import json
import subprocess
import sys
import tracemalloc
from pathlib import Path

import pytest
from flwr.clientapp import ClientApp

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


class Weigher(ClientApp):
    """The real ClientApp; notes the memory that Python holds at each round's last training."""

    def __init__(self):
        super().__init__()
        self.held, self.model = {}, 0

    def __call__(self, message, context):
        training = message.metadata.message_type == "train"
        if training and message.content["request"]["round"] == 2 and not tracemalloc.is_tracing():
            tracemalloc.start()  # not earlier: what a first round imports would take a minute
        elif not training:
            tracemalloc.stop()
        reply = app(message, context)
        if training:
            self.held[int(message.content["request"]["round"])] = tracemalloc.get_traced_memory()[0]
            self.model = sum(len(array.data) for array in reply.content["model"].values())
        return reply


def test_memory_is_flat_over_the_rounds(tiny, tmp_path):
    sites, weigher = tmp_path / "sites", Weigher()
    make_hospitals(sites, sites=4, patients=12)
    try:
        run_inline(tiny({**WIDE, "rounds": 6}, sites=sites), client=weigher)
    finally:
        tracemalloc.stop()
    # four sites answer in each of the three rounds between: were their answers kept, 12 models
    # would be added
    assert weigher.held[6] - weigher.held[3] < 2 * weigher.model


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
