"""Finished runs attacked: what an overfitted model gives away, and what a private one does not."""

import io
import json
import shutil
from contextlib import redirect_stdout
from pathlib import Path

import numpy as np
import pytest

from fusion.errors import ConfigError
from fusion.seeding import generator
from server.schema import ResultError, validate_attack
from simulations.attack import Order, attack, membership_of
from simulations.attacked_run import open_run
from simulations.cli import main
from simulations.federation import run_inline
from simulations.shadow_runs import train_halves, train_shadows
from simulations.synthetic import make_hospitals

OVERFITTED = {
    "objective.name": "discrete-time", "rounds": 1, "training.local-steps": 150,
    "training.micro-batch": 64, "training.lr": 0.01, "training.weight-decay": 0.0,
    "model.dropout": 0.0, "model.input-dropout": 0.0, "split.validation": 0.0, "split.test": 0.5,
}  # fmt: skip


@pytest.fixture(scope="module")
def overfitted(tiny):
    return run_inline(tiny(OVERFITTED))


@pytest.fixture(scope="module")
def noisy(hospitals, tiny, private, write_policy, tmp_path_factory):
    """A private run; each site spends epsilon 4 on it."""
    sites = Path(shutil.copytree(hospitals, tmp_path_factory.mktemp("attacked") / "sites"))
    for site in sites.iterdir():
        write_policy(site, rate=0.5)
    return run_inline(tiny(private, sites=sites))


@pytest.fixture(scope="module")
def attacked(overfitted):
    printed = io.StringIO()
    with redirect_stdout(printed):
        code = main(["attack", str(overfitted), "--shadows", "12", "--json"])
    return code, json.loads(printed.getvalue()), overfitted


def test_members_of_an_overfitted_model_are_found(attacked):
    code, found, _ = attacked
    auc = found["pooled"]["membership"]["auc"]
    assert code == 0
    assert auc["low"] > 0.5
    assert found["pooled"]["membership"]["members"] == sum(
        site["membership"]["members"] for site in found["sites"]
    )
    assert found["pooled"]["one_run"]["epsilon"] is None


def test_a_plain_gradient_gives_the_genes_away_and_a_private_one_does_not(attacked):
    leak = attacked[1]["leakage"]
    assert leak["plain"]["revealed"] == 1.0
    assert leak["private"]["revealed"] < 0.2
    assert (leak["modality"], leak["numbers"]) == ("omics", 40)


def test_a_run_without_noise_has_no_epsilon_and_no_canaries(attacked):
    found = attacked[1]
    assert all(site["epsilon"] is None and site["canaries"] is None for site in found["sites"])
    assert found["not_done"] == [
        f"{name}: the run has no noise to test: the accountant's epsilon is none"
        for name in ("step", "canaries")
    ]


def test_the_report_shows_the_attacks_and_no_longer_says_there_were_none(attacked):
    _, found, folder = attacked
    page = (folder / "report.html").read_text(encoding="utf-8")
    assert "Attacks on this model" in page
    assert "no attack was run" not in page
    assert "Not covered by any of them" in page
    assert json.loads((folder / "attack.json").read_text(encoding="utf-8")) == found
    with pytest.raises(ResultError, match="sites"):
        validate_attack({**found, "sites": [{"name": "lyon"}]})


def test_a_private_run_hides_its_members_and_canaries_stay_near_the_accountant(noisy):
    run = open_run(noisy)
    found = attack(run, Order(shadows=8, canaries=200))
    auc = found["pooled"]["membership"]["auc"]
    assert auc["low"] < 0.5 < auc["high"]
    for site in found["sites"]:
        assert site["epsilon"] == pytest.approx(4.0, rel=0.01)
        assert 0 < site["canaries"]["lower"] < 1.3 * site["epsilon"]  # .95 of the time below 1
        assert all(figure["holds"] for figure in site["step"])
        assert site["one_run"]["epsilon"] > site["epsilon"]  # at a smaller delta
    validate_attack(found)


def test_shadows_of_the_very_members_are_the_runs_own_model(tiny):
    """Two rounds, dropout and all: what shadows are trained by is the run."""
    run = open_run(run_inline(tiny({"objective.name": "discrete-time"})))
    halves = [(np.arange(len(site.pool)) < len(site.members))[None] for site in run.sites]
    trained = train_halves(run, halves, seed=1)
    assert run.finished.round >= 1
    for name, value in run.finished.arrays.items():
        twin = trained[name][0].detach().numpy()
        np.testing.assert_allclose(twin, value, rtol=2e-3, atol=2e-4, err_msg=name)


def test_shadows_come_again_with_their_seed(noisy):
    run = open_run(noisy)
    first, second = train_shadows(run, 2, seed=1), train_shadows(run, 2, seed=1)
    np.testing.assert_array_equal(first.confidence, second.confidence)
    assert (first.confidence[0] != first.confidence[1]).any()
    coins = generator(1, "halves").random((2, len(run.sites[0].pool))) < 0.5
    np.testing.assert_array_equal(first.inside[:, : coins.shape[1]], coins)


def test_a_coupled_objective_has_no_shadows_and_says_so(finished):
    run = open_run(finished.folder)
    with pytest.raises(ConfigError, match=r"got 'cox' with model 'gated', which couples patients"):
        membership_of(run, shadows=8)
    found = attack(run, Order(attacks=("lira",)))
    assert found["pooled"]["membership"] is None
    assert found["not_done"][0].startswith("lira: Shadow models must have a loss of each patient")


def test_sites_with_other_data_are_refused(overfitted, tmp_path):
    make_hospitals(tmp_path / "others", sites=3, patients=24, seed=2)
    with pytest.raises(ConfigError, match=r"got other data at site 'bergen'.*with --sites"):
        open_run(overfitted, tmp_path / "others")


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--attacks", "lirra"], "--attacks must be some of step, canaries, lira"),
        (["--attacks", ""], "--attacks must name an attack"),
        (["--shadows", "7"], "--shadows must be >= 8, got 7"),
        (["--sites", "nowhere"], "Sites must be a folder of site folders"),
    ],
)
def test_what_cannot_be_attacked_is_a_sentence(overfitted, words, sentence, capsys):
    assert main(["attack", str(overfitted), *words]) == 2
    assert sentence in capsys.readouterr().err


def test_a_folder_without_a_run_or_a_model_is_a_sentence(finished, tmp_path, capsys):
    assert main(["attack", str(tmp_path)]) == 2
    assert "A finished run must hold result.json" in capsys.readouterr().err
    (tmp_path / "result.json").write_bytes((finished.folder / "result.json").read_bytes())
    assert main(["attack", str(tmp_path)]) == 2
    assert "Model file must exist" in capsys.readouterr().err


def test_sites_of_a_run_by_other_means_are_asked_for(overfitted, hospitals, tmp_path, capsys):
    for name in ("result.json", "model.safetensors"):
        (tmp_path / name).write_bytes((overfitted / name).read_bytes())
    assert main(["attack", str(tmp_path), "--attacks", "leakage"]) == 2
    assert "--sites" in capsys.readouterr().err
    words = ["attack", str(tmp_path), "--attacks", "leakage", "--sites", str(hospitals)]
    assert main(words) == 0
    assert "a plain gradient reveals 100% exactly" in capsys.readouterr().out
