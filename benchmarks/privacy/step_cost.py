"""What a private step costs beside a plain one: the same patients, the same network.

OMP_NUM_THREADS=1 python benchmarks/privacy/step_cost.py
"""

import argparse
import time
import warnings

import numpy as np
import torch

from fusion.config import ModelConfig
from fusion.models.build import build_model
from fusion.objectives.discrete_time import DiscreteTimeObjective
from fusion.objectives.intervals import Intervals
from fusion.training.patient_losses import PatientLosses
from fusion.training.plan import Network
from privacy.engine import ENGINES, NoisyGradient
from privacy.plan import PrivacyPlan

WIDTHS = {"slides": 384, "omics": 512}
PLAN = PrivacyPlan(1.0, max_grad_norm=1.0, steps=1, delta=1e-3)


def network(name, pooling):
    model = build_model(ModelConfig(name=name, pooling=pooling), WIDTHS, 1)
    return Network(model, DiscreteTimeObjective(Intervals((0.0, 365.0, 1095.0, 3650.0))))


def patients_for(losses, number, patches):
    random = torch.Generator().manual_seed(1)
    layers = sum(type(module).__name__ == "PatientDropout" for module in losses.modules())
    return {
        "input:slides": torch.randn(number, patches, WIDTHS["slides"], generator=random),
        "real-patches": torch.ones(number, patches, dtype=torch.bool),
        "input:omics": torch.randn(number, WIDTHS["omics"], generator=random),
        "present:slides": torch.ones(number, dtype=torch.bool),
        "present:omics": torch.ones(number, dtype=torch.bool),
        "target:time": torch.rand(number, generator=random).double() * 3000,
        "target:event": torch.rand(number, generator=random) > 0.5,
        "dropout": torch.randint(2**60, (number, layers), generator=random),
    }


def plain_step(losses, patients):
    losses.zero_grad()
    losses(patients).mean().backward()


def seconds(step, *arguments):
    start = time.process_time()
    step(*arguments)
    return time.process_time() - start


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--models", default="gated,cross_attention,bilinear,early,late")
    parser.add_argument("--pooling", default="attention")
    parser.add_argument("--patients", type=int, default=64)
    parser.add_argument("--patches", type=int, default=256)
    parser.add_argument("--repeats", type=int, default=7)
    told = parser.parse_args()
    heads = ["model", "parameters", "plain, ms", *ENGINES]
    print(f"| {' | '.join(heads)} |\n{'|---' * len(heads)}|")
    for name in told.models.split(","):
        losses = PatientLosses(network(name, told.pooling)).train()
        patients = patients_for(losses, told.patients, told.patches)
        private = {key: NoisyGradient(losses, PLAN, engine=key) for key in ENGINES}
        times = {"plain": []} | {key: [] for key in private}
        for _ in range(told.repeats):  # in turns, so that a busy machine slows all alike
            times["plain"].append(seconds(plain_step, losses, patients))
            for key, noisy in private.items():
                times[key].append(seconds(noisy.step, [patients]))
        plain, *others = (float(np.min(values)) for values in times.values())
        number = sum(parameter.numel() for parameter in losses.parameters())
        ratios = " | ".join(f"{other / plain:.2f}" for other in others)
        print(f"| {name} | {number:,} | {1000 * plain:.0f} | {ratios} |")


if __name__ == "__main__":
    torch.set_num_threads(1)
    warnings.filterwarnings("ignore", "Full backward hook is firing")  # Opacus' own
    main()
