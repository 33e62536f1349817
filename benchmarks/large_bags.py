"""One training step of a patient with very many patches, for models whose tokens are patches.

python benchmarks/large_bags.py mcat --patches 10000 --tokens 10000
"""

import argparse
import json
import resource
import time

import torch

from fusion.config import ModelConfig
from fusion.models.build import build_model
from fusion.models.cost import count_macs
from fusion.models.entries import MODELS
from fusion.readers.signatures import included_signature
from fusion.types import Bags, Batch

WIDTHS = {"slides": 1024, "omics": 1500}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model", choices=[name for name in MODELS if MODELS[name].grouped])
    parser.add_argument("--patches", type=int, default=10_000)
    parser.add_argument("--tokens", type=int, default=10_000)
    parser.add_argument("--steps", type=int, default=3)
    asked = parser.parse_args()
    torch.set_num_threads(1)
    sizes = [len(genes) for genes in included_signature(MODELS[asked.model].signature).values()]
    places = {str(n): tuple(range(sum(sizes[:n]), sum(sizes[: n + 1]))) for n in range(len(sizes))}
    config = ModelConfig(name=asked.model, patch_tokens=asked.tokens)
    model, batch = build_model(config, WIDTHS, 1, places), patient(asked.patches)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    seconds = [step(model, batch) for _ in range(asked.steps)]
    told = {
        "model": asked.model,
        "patches": asked.patches,
        "tokens": asked.tokens,
        "cpu_seconds_a_step": round(min(seconds), 2),
        "step_mb": round((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024),
        "million_macs": round(count_macs(model, batch) / 1e6),
    }
    print(json.dumps(told))


def patient(patches: int) -> Batch:
    bag = Bags(torch.randn(1, patches, WIDTHS["slides"]), torch.ones(1, patches).bool())
    inputs = {"slides": bag, "omics": torch.randn(1, WIDTHS["omics"])}
    return Batch(inputs, {name: torch.ones(1).bool() for name in inputs})


def step(model: torch.nn.Module, batch: Batch) -> float:
    started = time.process_time()
    found = model.outputs(batch)
    (found.scores.sum() + found.penalty).backward()
    return time.process_time() - started


if __name__ == "__main__":
    main()
