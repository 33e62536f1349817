import gc
import weakref
from collections import Counter
from dataclasses import replace

import pytest

from client.site import forget_sites, open_patients, open_site, split_key
from fusion.errors import SiteError


def test_every_patient_is_in_one_split(settings_at):
    site = open_site(settings_at())
    rows = [site.rows(split) for split in ("train", "validation", "test")]
    assert sorted(row for part in rows for row in part) == list(range(24))
    assert [len(part) for part in rows] == [10, 6, 8]


def test_a_run_reads_a_folder_once(settings_at):
    settings = settings_at()
    assert open_site(settings) is open_site(settings)
    forget_sites()
    assert open_site(settings).cohort.fingerprint == open_site(settings_at()).cohort.fingerprint


def test_another_run_reads_anew(settings_at):
    settings = settings_at()
    other = type(settings)(**{**vars(settings), "run_id": 2})
    assert open_site(settings) is not open_site(other)


def test_sites_of_a_run_share_the_memory_for_patches(settings_at):
    settings = settings_at("lyon")
    beside = type(settings)(**{**vars(settings), "folder": settings.folder.with_name("porto")})
    assert open_site(settings).bags.room is open_site(beside).bags.room


def test_of_a_run_that_is_over_nothing_is_kept(settings_at):
    settings = settings_at()
    kept = weakref.ref(open_site(settings).cohort)
    open_site(type(settings)(**{**vars(settings), "run_id": 2}))
    gc.collect()
    assert kept() is None


def test_a_held_out_site_only_evaluates(settings_at):
    site = open_site(settings_at(changes={"split.hold-out": "lyon, graz"}))
    assert site.cohort.role == "evaluate-only"
    assert Counter(site.split.tolist()) == {"test": 24}


def test_another_seed_splits_anew(settings_at):
    one, other = (open_site(settings_at(changes={"seed": seed})) for seed in (1, 2))
    assert one.rows("test") != other.rows("test")


def test_sites_split_differently(settings_at):
    one, other = open_site(settings_at("lyon")), open_site(settings_at("porto"))
    assert one.rows("test") != other.rows("test")


def test_patients_are_kept_while_the_plan_lasts(settings_at, finished):
    plan = finished.plan
    settings = settings_at()
    assert open_patients(settings, plan) is open_patients(settings, plan)


def test_a_folder_that_is_none_is_refused(settings_at, tmp_path):
    with pytest.raises(SiteError):
        open_site(settings_at("none", sites=tmp_path))


def test_a_hospitals_private_splits_are_keyed_with_a_secret_it_keeps(settings_at, tmp_path):
    run = settings_at().run
    private = replace(run, privacy=replace(run.privacy, mode="record-level"))
    key = split_key(private, tmp_path)
    assert len(key) == 32
    assert split_key(private, tmp_path) == key
    assert split_key(private, tmp_path / "other") != key
    assert (tmp_path / "split.key").stat().st_mode & 0o77 == 0
    # runs of one seed split alike in a simulation, where all is one machine
    assert split_key(private, tmp_path / "third", simulated=True) == b""
    assert split_key(run, tmp_path / "third") == b""
    assert not (tmp_path / "third").exists()
