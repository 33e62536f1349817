"""SCAFFOLD through the engine against the published algorithm, written once more in numpy."""

import shutil

import numpy as np
import pandas as pd
import pytest
from flwr.app import Array

from client.settings import Settings
from client.site import forget_sites, open_patients, open_site
from server.progress import load_progress

RATE, STEPS, ROUNDS = 0.05, 4, 5
PLAIN = {
    "federation.strategy": "scaffold", "model.name": "linear", "model.input-dropout": 0.0,
    "objective.name": "discrete-time", "training.optimiser": "sgd", "training.momentum": 0.0,
    "training.weight-decay": 0.0, "training.schedule": "constant", "training.lr": RATE,
    "training.local-steps": STEPS, "training.micro-batch": 64, "rounds": ROUNDS,
}  # fmt: skip
NAMES = {
    "weight": "model.fusion.weights.weight",
    "bias": "model.fusion.weights.bias",
    "stand-in": "model.placeholders.omics.value.weight",
    "baseline": "objective.baseline",
}


@pytest.fixture
def two_hospitals(own_hospitals):
    """Genes alone, different numbers of patients, and opposite effects."""
    shutil.rmtree(own_hospitals / "porto")
    for site in ("bergen", "lyon"):
        path = own_hospitals / site / "site.toml"
        head, _, rest = path.read_text().partition("[features]")
        path.write_text(head + rest[rest.index("[clinical]") :])
    table = pd.read_csv(own_hospitals / "lyon" / "clinical.csv").iloc[:17]
    table.to_csv(own_hospitals / "lyon" / "clinical.csv", index=False)
    rna = pd.read_parquet(own_hospitals / "lyon" / "rna.parquet")
    genes = rna.columns.drop("patient")
    rna.assign(**{gene: -rna[gene] for gene in genes}).to_parquet(
        own_hospitals / "lyon" / "rna.parquet"
    )
    forget_sites()
    return own_hospitals


def patients(folder, run):
    """A site's training patients as arrays: genes, who has them, events, interval reached."""
    settings = Settings(folder, run.config, 0)
    site, data = open_site(settings), open_patients(settings, run.plan)
    rows, edges = site.rows("train"), np.array(data.plan.edges)
    reached = np.clip(np.searchsorted(edges, site.cohort.time[rows]) - 1, 0, len(edges) - 2)
    has = data.present["omics"].numpy()[rows]
    return data.vectors["omics"].double().numpy()[rows], has, site.cohort.event[rows], reached


def gradient(x, people):
    """Of the mean negative log likelihood of a discrete-time logistic hazard."""
    genes, has, event, reached = people
    values = np.where(has[:, None], genes, x["stand-in"].ravel())
    risk = values @ x["weight"][0] + x["bias"][0]
    hazard = 1 / (1 + np.exp(-(risk[:, None] + x["baseline"])))
    place = np.arange(len(x["baseline"]))[None, :]
    at_risk = place <= reached[:, None]
    error = at_risk * (hazard - (event[:, None] & (place == reached[:, None]))) / len(event)
    slope = error.sum(1)
    return {
        "weight": (slope @ values)[None],
        "bias": slope.sum(keepdims=True),
        "stand-in": (slope[~has].sum() * x["weight"]).T,
        "baseline": error.sum(0),
    }


def scaffold(x, sites, shares):
    """Algorithm 1 of the paper with option II and a global step of 1; shares stand for 1/N."""
    rate = dict.fromkeys(x, RATE) | {"baseline": 10 * RATE}
    held = {site: {k: np.zeros_like(v) for k, v in x.items()} for site in sites}
    for _ in range(ROUNDS):
        c = {k: sum(shares[s] * held[s][k] for s in sites) for k in x}
        ends = {}
        for site, people in sites.items():
            y = dict(x)
            for _ in range(STEPS):
                g = gradient(y, people)
                y = {k: y[k] - rate[k] * (g[k] - held[site][k] + c[k]) for k in y}
            held[site] = {k: held[site][k] - c[k] + (x[k] - y[k]) / (STEPS * rate[k]) for k in x}
            ends[site] = y
        x = {k: sum(shares[s] * ends[s][k] for s in sites) for k in x}
    return x, held


@pytest.mark.parametrize("weighting", ["patients", "events"])
def test_the_engine_does_what_the_paper_says(tiny, lead, two_hospitals, weighting):
    run = lead(tiny(PLAIN | {"federation.weighting": weighting}, sites=two_hospitals))
    start = next(e.request.content["model"] for e in run.exchanges if e.round == 1)
    x = {short: start[name].numpy().astype(float) for short, name in NAMES.items()}
    sites = {name: patients(two_hospitals / name, run) for name in ("bergen", "lyon")}
    number = {s: len(p[2]) if weighting == "patients" else p[2].sum() for s, p in sites.items()}
    assert number["bergen"] != number["lyon"]
    shares = {site: n / sum(number.values()) for site, n in number.items()}
    expected, held = scaffold(x, sites, shares)
    progress, _ = load_progress(run.folder)
    for short, name in NAMES.items():
        np.testing.assert_allclose(progress.model[name], expected[short], atol=1e-6)
        for site in sites:
            found = progress.moments[f"c/{site}/{name}"]
            np.testing.assert_allclose(found, held[site][short], atol=1e-5)
    assert set(progress.model) == set(NAMES.values())
    assert np.abs(expected["weight"] - x["weight"]).max() > 0.01


def test_the_corrections_matter_in_that_comparison(tiny, lead, two_hospitals):
    models = [
        load_progress(lead(tiny(PLAIN | {"federation.strategy": s}, sites=two_hospitals)).folder)
        for s in ("scaffold", "fedavg")
    ]
    name = NAMES["weight"]
    one, other = (progress.model[name] for progress, _ in models)
    assert np.abs(one - other).max() > 1e-4


def test_a_federation_of_one_trains_as_in_fedavg(tiny, lead, own_hospitals):
    for site in ("bergen", "porto"):
        shutil.rmtree(own_hospitals / site)
    models = [
        load_progress(lead(tiny({"federation.strategy": s}, sites=own_hospitals)).folder)[0].model
        for s in ("scaffold", "fedavg")
    ]
    assert all(models[0][name].tobytes() == models[1][name].tobytes() for name in models[0])


def test_control_variates_cross_beside_the_model_and_nothing_else_does(tiny, lead):
    run = lead(tiny({"federation.strategy": "scaffold"}))
    for seen in run.exchanges:
        records = set(seen.reply.content) - {"facts", "figures", "sums"}
        assert records == ({"model", "control"} if seen.round else set())
        assert ("correction" in seen.request.content) == bool(seen.round)
    one = next(e for e in run.exchanges if e.round == 2 and e.site == "lyon")
    two = next(e for e in run.exchanges if e.round == 2 and e.site == "porto")
    name = next(iter(one.request.content["correction"]))
    corrections = [e.request.content["correction"][name].numpy() for e in (one, two)]
    assert (corrections[0] != corrections[1]).any()


def test_a_broken_control_refuses_the_update_and_the_run_goes_on(tiny, lead, watching):
    def at(seen):
        if seen.round == 1 and seen.site == "lyon":
            record = seen.reply.content["control"]
            name = sorted(record)[0]
            record[name] = Array(record[name].numpy() * np.float32("nan"))

    rounds = lead(tiny({"federation.strategy": "scaffold"}), watching(at)).result["rounds"]
    assert rounds[1]["answered"] == ["bergen", "porto"]
    assert rounds[1]["failed"][0]["reason"].startswith("update refused: control variate: ")
    assert rounds[2]["answered"] == ["bergen", "lyon", "porto"]
