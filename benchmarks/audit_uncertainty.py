"""How often the audit's 95% intervals hold the truth, and what its bootstrap costs.

Run: python benchmarks/audit_uncertainty.py
"""

import time

import numpy as np

from fusion.interaction.bootstrap import beside, poisson_weights, replicates
from fusion.interaction.figures import audit_figures
from fusion.interaction.tallies import AuditTally, audit_tally

TRUTH = {"local": 0.2118, "ratio": 0.2852, "published": 0.1332, "variance": 1 / 3}
"""Of x1, x2 normal and eta = x1 + x2 + x1 x2; r2_additive is 2/3."""

FEDERATIONS = 500


def federation(patients: int, seed: int) -> tuple[np.ndarray, AuditTally]:
    """Return coalition values, and their tally added up over four unequal sites."""
    x = np.random.default_rng(seed).normal(size=(patients, 2))
    values = np.column_stack([np.zeros(patients), x, x.sum(1) + x.prod(1)])
    cuts = [patients // 20, patients // 6, patients // 2]
    tallies = [
        audit_tally(
            part,
            modalities=("slides", "omics"),
            time=np.arange(1.0, len(part) + 1),
            event=np.zeros(len(part), dtype=bool),
        )
        for part in np.split(values, cuts)
    ]
    return values, sum(tallies[1:], start=tallies[0])


def coverage(patients: int) -> dict[str, float]:
    """Return the share of federations whose interval holds the truth, in percent."""
    inside = dict.fromkeys((*TRUTH, "r2_additive"), 0)
    for seed in range(FEDERATIONS):
        shares = audit_figures(federation(patients, seed)[1], {})["shares"]
        for name, value in TRUTH.items():
            inside[name] += shares[name]["low"] <= value <= shares[name]["high"]
        fit = shares["variance"]
        inside["r2_additive"] += fit["r2_additive_low"] <= 2 / 3 <= fit["r2_additive_high"]
    return {name: round(100 * count / FEDERATIONS, 1) for name, count in inside.items()}


def cost(patients: int, number: int = 200) -> str:
    """Return what a site's bootstrap costs beside its tally, and how much it sends."""
    values, tally = federation(patients, 0)
    started = time.process_time()
    weights = poisson_weights([str(k) for k in range(patients)], number=number, secret=b"secret")
    drawn = replicates(values, modalities=("slides", "omics"), weights=weights)
    site = time.process_time() - started
    figures, started = audit_figures(tally, {}), time.process_time()
    beside(figures, drawn)
    told = 1000 * (time.process_time() - started)
    return (
        f"{number} replicates of {patients} patients: {1000 * site:.0f} ms and "
        f"{drawn.to_array().nbytes} bytes at the site (tally: {tally.to_array().nbytes}), "
        f"{told:.0f} ms at the coordinator"
    )


if __name__ == "__main__":
    for patients in (100, 1000, 5000):
        print(cost(patients))
    for patients in (50, 100, 300):
        print(patients, coverage(patients))
