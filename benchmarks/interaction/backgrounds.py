"""Interaction shares of one cross-validation's models, audited again under other backgrounds.

    python benchmarks/interaction/backgrounds.py --runs FOLDER --out OUT

FOLDER is what `concord-simulate cross-validate --keep-models --keep-sites` wrote. Every federated
model is audited on its fold's test patients; OUT keeps the audits, and goes on where it stopped.
`marginal` is not among them: a fold's test patients are sites of their own, which have no donors.
"""

import argparse
import json
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import pandas as pd

from simulations.cli import main as concord_simulate

MODELS = ("early", "gated", "cross_attention", "bilinear", "late")
BACKGROUNDS = ("embedding-mean", "input-mean", "zero")


def main() -> int:
    """Audit what has not been audited, then print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=Path, required=True)
    parser.add_argument("--backgrounds", nargs="+", choices=BACKGROUNDS, default=BACKGROUNDS)
    parser.add_argument("--out", type=Path, required=True)
    parsed = parser.parse_args()
    rows = pd.DataFrame(_shares(parsed.runs, parsed.backgrounds, parsed.out))
    rows.to_csv(parsed.out / "backgrounds.csv", index=False)
    for line in _table(rows):
        print(line)
    return 0


def _shares(runs: Path, backgrounds: Sequence[str], out: Path) -> Iterator[dict[str, object]]:
    """Yield each model's interaction by each background."""
    folds = sorted(folder.name for folder in (runs / "runs").iterdir())
    for background in backgrounds:
        for fold in folds:
            for model in MODELS:
                file = runs / "runs" / fold / "federated" / model / "model.safetensors"
                sites = runs / "sites" / fold / "view-federated"
                found = _audit(file, sites, background, out / background)
                protocol = fold.partition("-")[0]
                yield {"protocol": protocol, "fold": fold, "model": model} | found


def _audit(file: Path, sites: Path, background: str, home: Path) -> dict[str, object]:
    out = home / sites.parent.name / file.parent.name
    if not (out / "audit.json").is_file():
        words = ["--model-file", str(file), "--sites", str(sites), "--out", str(out)]
        if concord_simulate(["audit", *words, "--set", f"audit.background={background}"]):
            raise SystemExit(f"{file} could not be audited")
    audit = json.loads((out / "audit.json").read_text())["audit"]
    told = {name: entry["value"] for name, entry in audit["shares"].items()}
    return {"background": background, "patients": audit["patients"]} | told


def _table(rows: pd.DataFrame) -> Iterator[str]:
    """Yield the mean `local` share over folds, a line a protocol and background."""
    yield "| protocol | background | " + " | ".join(MODELS) + " |"
    yield "|---" * (2 + len(MODELS)) + "|"
    means = rows.groupby(["protocol", "background", "model"], sort=False)["local"].mean()
    for (protocol, background), part in means.groupby(level=[0, 1], sort=False):
        cells = [f"{part[protocol, background, model]:.3f}" for model in MODELS]
        yield f"| {protocol} | {background} | " + " | ".join(cells) + " |"


if __name__ == "__main__":
    sys.exit(main())
