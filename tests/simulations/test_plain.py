from dataclasses import replace

import numpy as np
import pytest

from fusion.config import from_flat
from fusion.errors import ConfigError
from fusion.training.checkpoint import load_arrays
from server.folder import read_result
from server.progress import load_progress
from simulations.federation import run_inline
from simulations.plain import run_plain
from simulations.synthetic import make_hospitals

BASE = {"rounds": 3, "training.local-steps": 2, "training.batch-patients": 8}
AUDITED = {
    "audit.every": 1,
    "federation.strategy": "fedprox",
    "federation.weighting": "events",
    "split.hold-out": "porto",
    "evaluation.selection": "loss",
    "objective.name": "discrete-time",
    "data.components": "rna=3,slides=2",
    "audit.background": "marginal",
    "audit.scales": "survival",
}
SHARED = {"objective.name": "federated-cox"}


@pytest.fixture(
    scope="module",
    params=[{}, AUDITED, SHARED],
    ids=["defaults", "audited fedprox", "shared risk sets"],
)
def both(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp("run")
    make_hospitals(folder / "sites", sites=3, patients=24)
    paths = {"sites": str(folder / "sites"), "out": str(folder / "run")}
    config = from_flat(BASE | request.param | paths)
    return run_plain(config), run_inline(config)


def test_the_plain_loop_ends_in_the_weights_of_the_engine(both):
    plain, folder = both
    progress, _ = load_progress(folder)
    assert set(plain.final) == set(progress.model)
    for name, value in progress.model.items():
        np.testing.assert_array_equal(plain.final[name], value, strict=True)


def test_both_choose_the_same_round_and_model(both):
    plain, folder = both
    assert plain.best_round == read_result(folder)["model"]["chosen_round"]
    chosen, _ = load_arrays(folder / "model.safetensors")
    for name, value in chosen.items():
        np.testing.assert_array_equal(plain.best[name], value, strict=True)


def test_both_find_the_same_test_figures(both):
    plain, folder = both
    figures = read_result(folder)["evaluation"]["pooled"]
    assert figures["concordance"] == plain.test.counts.concordance().as_dict()
    assert figures["within_sites"]["value"] == plain.test.within.value


def test_an_adaptive_strategy_is_refused():
    config = replace(from_flat({"federation.strategy": "fedadam"}), sites="nowhere")
    with pytest.raises(ConfigError, match="must be one of fedavg, fedprox in a plain loop"):
        run_plain(config)


def test_personal_heads_are_refused():
    config = replace(from_flat({"federation.personal": "head"}), sites="nowhere")
    with pytest.raises(ConfigError, match=r"must be none in a plain loop, got 'head'\. Run the"):
        run_plain(config)
