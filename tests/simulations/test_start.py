import argparse
from pathlib import Path

import pytest

from fusion.config import flatten
from fusion.errors import ConfigError, ModelFileError, SiteError
from simulations.start import check_sites, read_run


@pytest.fixture
def parsed(hospitals, tmp_path):
    """What the parser hands on, with sites and output named."""

    def parsed(**given):
        names = ("model", "rounds", "seed", "config", "omics", "clinical", "hold_out", "resume")
        plain = dict.fromkeys(names) | {"set": [], "sites": hospitals, "out": tmp_path / "run"}
        return argparse.Namespace(**{**plain, **given})

    return parsed


def test_flags_become_settings(parsed):
    flags = {"model": "late", "rounds": 3, "seed": 7, "omics": "rna", "clinical": "age"}
    config = read_run(parsed(**flags, hold_out="lyon"))
    assert (config.model.name, config.rounds, config.seed) == ("late", 3, 7)
    assert (config.data.omics, config.data.clinical) == ("rna", "age")
    assert config.split.hold_out == "lyon"


def test_a_pair_is_set_and_outranks_the_file_and_the_flag_the_file(parsed, tmp_path):
    path = tmp_path / "run.toml"
    path.write_text("rounds = 4\nseed = 4\n[training]\nlr = 4\n")
    config = read_run(parsed(config=path, seed=5, set=["training.lr = 1e-3"]))
    assert (config.rounds, config.seed, config.training.lr) == (4, 5, 0.001)


def test_paths_become_absolute(parsed, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    config = read_run(parsed(out=Path("some where/run")))
    assert config.out == str(tmp_path / "some where" / "run")
    assert Path(config.sites).is_absolute()


def test_sites_must_be_named(parsed):
    with pytest.raises(ConfigError, match="--sites must be given, got none"):
        read_run(parsed(sites=None))


@pytest.mark.parametrize("text", ["training.lr", "seed:3"])
def test_a_setting_must_be_a_pair(parsed, text):
    with pytest.raises(ConfigError, match=rf"--set must be KEY=VALUE, got '{text}'"):
        read_run(parsed(set=[text]))


def test_an_output_folder_with_something_in_it_is_refused(parsed, tmp_path):
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(ConfigError, match="Output folder must be new or empty"):
        read_run(parsed(out=tmp_path))


def test_an_interrupted_run_keeps_its_settings(parsed, finished):
    config = read_run(parsed(resume=finished.folder, sites=None, out=None))
    same = flatten(finished.config) | {"resume": True, "federation.expected-sites": 3}
    assert flatten(config) == same


def test_a_folder_without_a_checkpoint_cannot_be_resumed(parsed, tmp_path):
    with pytest.raises(ModelFileError, match="must have a checkpoint"):
        read_run(parsed(resume=tmp_path, sites=None, out=None))


def test_sound_sites_pass(tiny):
    check_sites(tiny())


def test_a_held_out_site_must_exist(tiny):
    with pytest.raises(ConfigError, match=r"hold-out must name sites, got 'lyonn'\. .*'lyon'"):
        check_sites(tiny({"split.hold-out": "lyonn"}))


def test_the_first_problem_is_told_and_the_others_counted(tiny, own_hospitals):
    for site in ("lyon", "porto"):
        (own_hospitals / site / "rna.parquet").unlink()
    with pytest.raises(SiteError, match=r"rna\.parquet.* \(1 more: run `concord-site doctor`\)"):
        check_sites(tiny(sites=own_hospitals))


def test_a_run_does_not_pass_for_a_re_audit(parsed):
    with pytest.raises(ConfigError, match=r"must be empty in a run that trains, got 'm'\. Use"):
        read_run(parsed(set=["audit.model-file=m"]))
