"""Does better discrimination go with less interaction? Tables and a figure from cross-validations.

    python benchmarks/interaction/study.py --runs NAME=FOLDER ... --out OUT

FOLDER is what `concord-simulate cross-validate` wrote. Every test figure of every run is used; none
is chosen. Models without two modalities are left out.
"""

import argparse
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import matplotlib as mpl
import numpy as np
import pandas as pd
from scipy.stats import spearmanr

from simulations.paired import FoldMean, mean_over_folds

mpl.use("svg")
from matplotlib import pyplot as plt

MODELS = ("early", "gated", "cross_attention", "bilinear", "late")
INTERACTING = MODELS[:-1]
FOLD = ["repeat", "fold"]
DEFINITIONS = ("local", "ratio", "global", "published", "moebius", "variance")
DRAWS = 2000
PUBLISHED = {  # arXiv 2603.29977: concordance, slides, RNA, interaction in percent
    "early": (0.636, 42.2, 53.0, 4.8),
    "cross_attention": (0.814, 43.2, 53.8, 3.0),
    "bilinear": (0.819, 36.8, 59.5, 3.7),
    "gated": (0.807, 43.7, 51.8, 4.5),
}


@dataclass(frozen=True)
class Group:
    """The runs of one cohort, protocol and setting."""

    cohort: str
    protocol: str
    setting: str
    runs: pd.DataFrame

    @property
    def name(self) -> str:
        return f"{self.cohort}, {self.protocol} folds, {self.setting}"

    @property
    def test_to_train(self) -> float:
        return float((self.runs["test"] / self.runs["others"]).mean())

    def of(self, model: str) -> pd.DataFrame:
        return self.runs[self.runs["model"] == model].sort_values(FOLD)

    def mean(self, model: str, column: str) -> FoldMean:
        figures = self.of(model)[column].dropna().to_numpy(float)
        return mean_over_folds(figures, test_to_train=self.test_to_train)


def groups(named: Sequence[str]) -> Iterator[Group]:
    for text in named:
        name, _, folder = text.partition("=")
        runs = pd.read_csv(Path(folder) / "runs.csv")
        runs = runs[runs["model"].isin(MODELS) & runs["setting"].isin(["federated", "pooled"])]
        for (protocol, setting), part in runs.groupby(["protocol", "setting"]):
            yield Group(name, str(protocol), str(setting), part)


def interval(told: FoldMean, *, digits: int = 3) -> str:
    if told.mean is None:
        return "-"
    if told.low is None:
        return f"{told.mean:.{digits}f}"
    return f"{told.mean:.{digits}f} ({told.low:.{digits}f} to {told.high:.{digits}f})"


def shares_table(group: Group) -> list[str]:
    """One row a model: ranking, and every definition's interaction share."""
    columns = [f"{name}.interaction" for name in DEFINITIONS]
    heads = ["model", "concordance", *DEFINITIONS, "r2_additive", "full - additive"]
    rows = [heads, ["---"] * len(heads)]
    for model in MODELS:
        if len(group.of(model)):
            figures = ["concordance", *columns, "variance.r2_additive", "concordance.gain"]
            rows.append([model, *(interval(group.mean(model, name)) for name in figures)])
    return [f"| {' | '.join(row)} |" for row in rows]


def modalities_table(group: Group) -> list[str]:
    """One row a model and definition: where the output comes from."""
    rows = ["| model | definition | slides | omics | interaction |", "|---|---|---|---|---|"]
    for model in MODELS:
        for name in DEFINITIONS[:-1]:
            parts = [f"{name}.{part}" for part in ("slides", "omics", "interaction")]
            if len(group.of(model)) and set(parts) <= set(group.runs):
                told = " | ".join(interval(group.mean(model, part)) for part in parts)
                rows.append(f"| {model} | {name} | {told} |")
    return rows


def correlation_rows(group: Group, column: str) -> list[str]:
    """Spearman's correlation of concordance and interaction: three questions, three rows."""
    names = [model for model in MODELS if len(group.of(model))]
    runs = group.runs[group.runs["model"].isin(names)]
    whole = runs.dropna(subset=[column])
    within = mean_over_folds(
        np.array([rank(part, column) for _, part in whole.groupby(FOLD) if len(part) > 2]),
        test_to_train=group.test_to_train,
    )
    ends = np.quantile([rank(part, column) for part in drawn(whole)], [0.025, 0.975])
    varied = [model for model in INTERACTING if model in names]
    per_model = [rank(group.of(model).dropna(subset=[column]), column) for model in varied]
    return [
        f"| {group.name} | {len(whole)} | {rank(whole, column):+.2f} ({ends[0]:+.2f} to "
        f"{ends[1]:+.2f}) | {interval(within, digits=2)} | "
        f"{', '.join(f'{n} {r:+.2f}' for n, r in zip(varied, per_model, strict=True))} |"
    ]


def rank(runs: pd.DataFrame, column: str) -> float:
    return float(spearmanr(runs["concordance"], runs[column]).statistic)


def drawn(runs: pd.DataFrame) -> Iterator[pd.DataFrame]:
    """Draw whole folds with replacement: the runs of one fold share their test patients."""
    folds = [part for _, part in runs.groupby(FOLD)]
    rng = np.random.default_rng(1)
    for _ in range(DRAWS):
        yield pd.concat([folds[place] for place in rng.integers(len(folds), size=len(folds))])


def published_table(found: Sequence[Group]) -> list[str]:
    """The published shares beside ours by the same definition, in percent."""
    rows = [
        "| model | what | concordance | slides | omics | interaction |",
        "|---|---|---|---|---|---|",
    ]
    for model, (concordance, *shares) in PUBLISHED.items():
        told = " | ".join(f"{share:.1f}" for share in shares)
        rows.append(f"| {model} | published, one run | {concordance:.3f} | {told} |")
        for group in found:
            if len(group.of(model)):
                parts = [f"published.{part}" for part in ("slides", "omics", "interaction")]
                means = [group.mean(model, part) for part in parts]
                ours = " | ".join(percent(one) for one in means)
                figure = interval(group.mean(model, "concordance"))
                rows.append(f"| | {group.name} | {figure} | {ours} |")
    return rows


def percent(told: FoldMean) -> str:
    if told.mean is None or told.low is None or told.high is None:
        return "-"
    return f"{100 * told.mean:.1f} ({100 * told.low:.1f} to {100 * told.high:.1f})"


def draw(found: Sequence[Group], file: Path) -> None:
    """One panel a group: interaction across, concordance up; a dot a run, a cross a model."""
    wide = min(len(found), 2)
    tall = -(-len(found) // wide)
    figure, axes = plt.subplots(tall, wide, figsize=(4.6 * wide, 3.3 * tall), squeeze=False)
    for axis, group in zip(axes.ravel(), found, strict=False):
        for number, model in enumerate(MODELS):
            runs, colour = group.of(model), f"C{number}"
            place = runs["local.interaction"], runs["concordance"]
            axis.plot(*place, ".", color=colour, alpha=0.35, markersize=5)
            means = (part.mean() for part in place)
            axis.plot(*means, "X", color=colour, markersize=9, label=model, markeredgecolor="k")
        axis.set_title(group.name, fontsize=9)
        axis.set_xlabel("interaction share, local")
        axis.set_ylabel("test concordance")
    for axis in axes.ravel()[len(found) :]:
        axis.set_visible(False)
    axes[0, 0].legend(fontsize=7, loc="lower right")
    figure.tight_layout()
    figure.savefig(file, metadata={"Date": None})


def report(found: Sequence[Group]) -> str:
    lines = []
    for group in found:
        lines += [f"### {group.name}, {len(group.of('early'))} folds", "", *shares_table(group), ""]
    lines += ["### Rank correlation of concordance and interaction (Spearman)", ""]
    heads = ["runs of", "number", "all runs", "models within a fold, mean", "folds within a model"]
    for name in ("local", "published"):
        lines += [
            f"Interaction by `{name}`:",
            "",
            f"| {' | '.join(heads)} |",
            "|---|---|---|---|---|",
        ]
        for group in found:
            lines += correlation_rows(group, f"{name}.interaction")
        lines += [""]
    lines += ["### Beside the published table", "", *published_table(found), ""]
    for group in found:
        lines += [f"### Modalities: {group.name}", "", *modalities_table(group), ""]
    return "\n".join(lines)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", nargs="+", required=True, metavar="NAME=FOLDER")
    parser.add_argument("--out", type=Path, required=True)
    parsed = parser.parse_args()
    parsed.out.mkdir(parents=True, exist_ok=True)
    found = list(groups(parsed.runs))
    (parsed.out / "tables.md").write_text(report(found), encoding="utf-8")
    draw(found, parsed.out / "interaction.svg")
    print(f"{len(found)} groups: {parsed.out / 'tables.md'}, {parsed.out / 'interaction.svg'}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
