"""How far a round moves each array of the global model: what `allowed.model-change` must let pass.

python benchmarks/model_change.py [--sites DIR] [--rounds 5] [--set KEY=VALUE ...]

Root mean square of an array's differences from one round's model to the next, the largest over
arrays and rounds, for several strategies and optimisers.
"""

import argparse
import os
import sys
import tempfile
from collections.abc import Mapping
from itertools import pairwise
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
from flwr.app import Context, Message
from flwr.clientapp import ClientApp

from client.app import app
from client.questions import arrays_of
from fusion.commands import assigned
from fusion.config import RunConfig, from_flat
from simulations.federation import run_inline
from simulations.synthetic import make_hospitals

CASES: Mapping[str, Mapping[str, str]] = {
    "fedavg, adamw": {},
    "fedavg, adamw, lr 0.01": {"training.lr": "0.01"},
    "fedavg, sgd, lr 0.1": {"training.optimiser": "sgd", "training.lr": "0.1"},
    "fedadam, server-lr 0.1": {"federation.strategy": "fedadam"},
    "fedyogi, server-lr 0.1": {"federation.strategy": "fedyogi"},
    "fedadagrad, server-lr 0.1": {"federation.strategy": "fedadagrad"},
}


class Watched(ClientApp):
    """The real ClientApp; keeps the model of each round."""

    def __init__(self) -> None:
        super().__init__()
        self.models: dict[int, dict[str, np.ndarray]] = {}

    def __call__(self, message: Message, context: Context) -> Message:
        if message.metadata.message_type == "train":
            number = int(message.content["request"]["model-round"])
            self.models[number] = arrays_of(message.content, "model")
        return app(message, context)


def largest(config: RunConfig) -> tuple[float, str]:
    """Return the largest change of a run, and whose it is."""
    watched = Watched()
    run_inline(config, client=watched)
    rounds = sorted(watched.models)
    pairs = pairwise(rounds)
    moved = [
        (float(np.sqrt(np.mean((watched.models[b][name] - watched.models[a][name]) ** 2))), name)
        for a, b in pairs
        for name in watched.models[a]
    ]
    return max(moved)


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sites", type=Path, help="site folders; synthetic hospitals if absent")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE")
    parsed = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        sites = parsed.sites or Path(name) / "sites"
        if parsed.sites is None:
            make_hospitals(sites, sites=3, patients=40, seed=1)
        for number, (case, changes) in enumerate(CASES.items()):
            told = {"sites": str(sites), "out": f"{name}/{number}", "rounds": parsed.rounds}
            value, where = largest(from_flat({**told, **changes, **assigned(parsed.set)}))
            print(f"{case:28} {value:8.4f}  {where}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
